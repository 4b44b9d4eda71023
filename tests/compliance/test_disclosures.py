"""Accounting of disclosures, 45 CFR 164.528: six years, 60 days, and what is left out."""

from datetime import timedelta
from itertools import product

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import StaffRole
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from compliance import disclosures
from compliance.disclosures import Exemption, exemption_of
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def cora():
    user = factories.create_user("Cora", is_staff=True)
    StaffRole.objects.create(user=user, role="compliance")
    return user


def disclosed(patient, **changes):
    """A public health agency read a test result, without a consent of the patient's."""
    values = {
        "type": EventType.RECORD_READ,
        "outcome": Outcome.PERMIT,
        "actor": "Client/health-agency",
        "role": Role.CLIENT,
        "client": "Client/health-agency",
        "patient": f"Patient/{patient.pk}",
        "interaction": "read",
        "categories": ("test-results",),
        "purpose": "PUBHLTH",
    }
    return record(Entry(**(values | changes)))


def test_what_is_listed_to_whom_of_what_why_and_when(alice):
    for _ in range(3):
        disclosed(alice)
    disclosed(alice, purpose="HLEGAL", categories=("visits",))
    legal, health = disclosures.accounting(alice)

    assert (legal.count, health.count) == (1, 3)
    assert health.recipient == "Client/health-agency"
    assert str(health.purpose) == "Public health"
    assert health.categories == {"test-results"}
    assert health.first_at < health.last_at


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"role": "patient", "actor": "User/1", "client": ""}, Exemption.INDIVIDUAL),
        ({"role": "helper", "actor": "User/1", "client": ""}, Exemption.INDIVIDUAL),
        ({"consent": "Consent/1", "consent_number": 1}, Exemption.AUTHORIZED),
        ({"purpose": "TREAT"}, Exemption.CARE),
        ({"purpose": "HPAYMT"}, Exemption.CARE),
        ({"purpose": "HOPERAT"}, Exemption.CARE),
        ({"role": "support", "actor": "User/1", "client": ""}, Exemption.CARE),
        ({}, None),
        ({"purpose": "HRESCH"}, None),
        ({"purpose": ""}, None),
    ],
)
def test_what_the_rule_leaves_out(alice, changes, why):
    if changes.get("purpose") == "":
        changes = {"purpose": "UNKNOWN"}
    event = AuditEvent.objects.get(id=disclosed(alice, **changes))

    assert exemption_of(event) is why
    assert bool(disclosures.accounting(alice)) is (why is None)


def test_the_database_leaves_out_what_the_rule_does(alice):
    roles, purposes = [*Role], ["TREAT", "BTG", "PUBHLTH", "PATRQT", "HOPERAT"]
    for role, purpose, consent in product(roles, purposes, ["", "Consent/1"]):
        number = 1 if consent else None
        disclosed(alice, role=role, purpose=purpose, consent=consent, consent_number=number)
    events = AuditEvent.objects.filter(type="record:read", patient=f"Patient/{alice.pk}")
    by_rule = {e.id for e in events if exemption_of(e) is None}

    assert by_rule == set(events.filter(disclosures.ACCOUNTED).values_list("id", flat=True)) != set()


def test_refusals_and_what_is_another_patients_are_not_listed(alice):
    disclosed(alice, outcome=Outcome.DENY, reasons=("consent.none",))
    disclosed(factories.mallory())

    assert disclosures.accounting(alice) == []


def test_six_years(alice, monkeypatch):
    disclosed(alice)
    now = timezone.now()

    assert disclosures.accounting(alice, at=now.replace(year=now.year + 6, day=28) - timedelta(days=32))
    assert not disclosures.accounting(alice, at=now.replace(year=now.year + 6, day=28) + timedelta(days=32))


def test_a_patient_asks_waits_at_most_60_days_and_reads_the_list(alice, client, cora):
    disclosed(alice)
    client.force_login(alice.user)
    for _ in range(2):
        client.post(reverse("portal:disclosures"))
    (asked,) = alice.disclosure_requests.all()

    assert asked.due_at - asked.requested_at == timedelta(days=60)
    assert "You get the list by" in client.get(reverse("portal:disclosures")).text
    assert "health-agency" not in client.get(reverse("portal:disclosures")).text
    disclosures.answer(asked, by=cora)
    page = client.get(reverse("portal:disclosures")).text
    assert "They got your test results. The reason: Public health." in page
    file = client.get(reverse("portal:disclosures-file", args=[asked.pk]))
    assert '"Client/health-agency","your test results","Public health"' in file.text
    assert Notice.objects.filter(kind="question_answered").count() == 1
    kinds = AuditEvent.objects.filter(patient=f"Patient/{alice.pk}").values_list("type", flat=True)
    assert {"disclosure:ask", "disclosure:answer", "audit:read", "audit:download"} <= set(kinds)


def test_thirty_days_more_once_and_with_a_reason_that_the_patient_reads(alice, client, cora):
    asked = disclosures.ask(alice, by=alice.user)
    longer = disclosures.extend(asked, by=cora, reason="The archive is being moved.")

    assert longer.due_at - longer.requested_at == timedelta(days=90)
    with pytest.raises(disclosures.NotNow):
        disclosures.extend(longer, by=cora, reason="Again")
    client.force_login(alice.user)
    assert "The archive is being moved." in client.get(reverse("portal:disclosures")).text


def test_no_extension_without_a_reason_or_when_it_is_over(alice, cora):
    asked = disclosures.ask(alice, by=alice.user)
    with pytest.raises(disclosures.NotNow):
        disclosures.extend(asked, by=cora, reason=" ")
    type(asked).objects.filter(pk=asked.pk).update(due_at=timezone.now() - timedelta(days=1))
    with pytest.raises(disclosures.NotNow):
        disclosures.extend(asked, by=cora, reason="Too late")


def test_the_queue_shows_what_is_due_and_answers(alice, client, cora):
    asked = disclosures.ask(alice, by=alice.user)
    type(asked).objects.filter(pk=asked.pk).update(due_at=timezone.now() - timedelta(days=1))
    client.force_login(cora)

    assert "overdue" in client.get(reverse("admin:disclosures")).text
    assert client.get(reverse("admin:disclosure", args=[asked.pk])).status_code == 200
    client.post(reverse("admin:disclosure", args=[asked.pk]), {"do": "answer"})
    assert "Nobody waits." in client.get(reverse("admin:disclosures")).text


def test_nobody_gets_the_list_of_another(alice, client, cora):
    asked = disclosures.answer(disclosures.ask(alice, by=alice.user), by=cora)
    client.force_login(factories.mallory().user)

    assert client.get(reverse("portal:disclosures-file", args=[asked.pk])).status_code == 404
