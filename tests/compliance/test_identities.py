"""Privacy staff compare two records side by side and decide; every look and every decision is in the log."""

import pytest
from django.urls import reverse

from accounts.models import IdentityMatch, Patient
from audit.models import AuditEvent
from fhirproxy import identities
from tests import factories

pytestmark = pytest.mark.django_db
COMPARE, DECIDE = (f"admin:accounts_identitymatch_{name}" for name in ("compare", "decide"))


@pytest.fixture
def match():
    """A record that has another birth date: a person must look."""
    factories.create_source()
    name = f"Alice Moreno{factories.uuid.uuid4().hex[:6]}"
    alice = Patient.objects.create(name=name, birth_date=factories.date(1979, 4, 17))
    record = {
        "resourceType": "Patient",
        "id": f"p-{factories.uuid.uuid4().hex[:12]}",
        "name": [{"given": ["Alice"], "family": name.split()[1]}],
        "birthDate": "1979-04-17",
        "address": [{"line": ["<b>1 Elm</b>"], "city": "Norton"}],
    }
    factories.load_records(record)
    identities.find(None, alice, factories.SOURCE)
    return IdentityMatch.objects.get()


@pytest.fixture
def cora(client):
    user = factories.create_staff("Cora", "compliance")
    client.force_login(user)
    return user


def decide(client, match, what, reason="The desk asked her"):
    client.post(reverse(DECIDE, args=[match.pk]), {"what": what, "reason": reason})
    match.refresh_from_db()
    return match.status


def test_the_values_stand_on_the_page_that_compares_and_on_no_other(client, cora, match):
    family = match.patient.name.split()[1].lower()

    compared = client.get(reverse(COMPARE, args=[match.pk])).content.decode()
    listed = client.get(reverse("admin:accounts_identitymatch_changelist")).content.decode()
    row = client.get(reverse("admin:accounts_identitymatch_change", args=[match.pk])).content.decode()

    assert family in compared
    assert "1 elm" in compared
    assert family not in listed.lower()
    assert family not in row.lower()


def test_a_look_is_in_the_log_of_the_patient(client, cora, match):
    client.get(reverse(COMPARE, args=[match.pk]))

    event = AuditEvent.objects.get(type="admin:view")
    assert (event.target, event.patient) == (f"IdentityMatch/{match.pk}", f"Patient/{match.patient_id}")


def test_a_person_joins_and_undoes(client, cora, match):
    assert decide(client, match, "link") == "linked"
    assert match.patient.identities.count() == 1

    assert decide(client, match, "undo") == "undone"
    assert not match.patient.identities.exists()


def test_a_person_refuses_once(client, cora, match):
    assert decide(client, match, "refuse") == "refused"
    assert decide(client, match, "link") == "refused"


@pytest.mark.parametrize(("what", "reason"), [("link", " "), ("else", "why")])
def test_nothing_is_decided_without_a_reason_or_a_choice(client, cora, match, what, reason):
    assert decide(client, match, what, reason) == "proposed"


@pytest.mark.parametrize("name", [COMPARE, DECIDE])
def test_nobody_else_comes_in(client, match, name):
    client.force_login(factories.create_staff("Sam", "support"))

    assert client.post(reverse(name, args=[match.pk]), {"what": "link", "reason": "x"}).status_code == 403
    assert not match.patient.identities.exists()


def test_a_look_decides_nothing(client, cora, match):
    assert client.get(reverse(DECIDE, args=[match.pk])).status_code == 405
