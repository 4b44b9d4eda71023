"""Who makes bills sees plans, claims and days of visits of one patient, who sees that they did."""

import pytest

from audit.models import AuditEvent
from consent import authority, commands
from consent.versions import Act
from fhirproxy import gate
from fhirproxy.interactions import Interaction
from fhirproxy.outcomes import Refusal
from portal.views import billing
from tests import factories
from tests.factories import fhir_id

pytestmark = pytest.mark.django_db
WHO = {"name": "alice  MORENO", "born": "1979-04-17"}


@pytest.fixture
def alice():
    patient = factories.alice()
    subject = {"reference": f"Patient/{fhir_id(patient)}"}
    plan = {
        "resourceType": "Coverage",
        "id": f"{fhir_id(patient)}-plan",
        "status": "active",
        "beneficiary": subject,
        "subscriberId": "M-4711",
        "payor": [{"display": "Lakeside Health Plan"}],
    }
    visit = {
        "resourceType": "Encounter",
        "id": f"{fhir_id(patient)}-visit",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [{"text": "Fertility advice"}],
        "reasonCode": [{"text": "Wants a child"}],
        "subject": subject,
        "period": {"start": "2026-03-02T08:20:00-05:00", "end": "2026-03-02T09:00:00-05:00"},
    }
    factories.load_records(plan, visit)
    return patient


@pytest.fixture
def bill(client):
    user = factories.create_staff("Bill Ward", "billing")
    client.force_login(user)
    return user


def test_plans_and_days_are_shown_and_nothing_that_says_why(client, bill, alice):
    page = client.post("/billing/", WHO, follow=True).text

    assert "Lakeside Health Plan" in page
    assert "2 March 2026" in page or "March 2, 2026" in page
    assert "Fertility" not in page
    assert {e.purpose for e in AuditEvent.objects.filter(type="record:search")} == {"HPAYMT"}
    client.force_login(alice.user)
    assert "Bill Ward" in client.get("/activity/").text


def test_A13_the_gate_leaves_out_of_a_visit_why_it_was(bill, alice):
    answer = gate.serve(
        authority.for_billing(bill, alice), Interaction("read", "Encounter", f"{fhir_id(alice)}-visit")
    )

    assert b"2026-03-02" in answer.body
    assert b"Fertility" not in answer.body
    assert b"Wants a child" not in answer.body


def test_the_gate_refuses_them_a_result_by_the_roles_own_reason(bill, alice):
    with pytest.raises(Refusal):
        gate.serve(
            authority.for_billing(bill, alice), Interaction("read", "Observation", f"{fhir_id(alice)}-ldl")
        )

    assert AuditEvent.objects.get(type="record:read").reasons[0] == "role.minimum"


def test_the_patients_no_to_payment_holds(client, bill, alice):
    act = Act(by=alice.user, channel="portal", text_shown="", language="en")
    commands.prefer(patient=alice, directive="payment", permit=False, act=act)

    assert "Lakeside Health Plan" not in client.post("/billing/", WHO, follow=True).text


@pytest.mark.parametrize("near", ["own", "family", "watched"])
def test_A14_no_own_record_no_familys_and_none_that_is_watched(client, bill, alice, near):
    if near == "own":
        alice.user.staff_roles.create(role="billing")
        client.force_login(alice.user)
    elif near == "family":
        factories.helps(bill, alice, "SPS")
    else:
        type(alice).objects.filter(pk=alice.pk).update(watched_since="2026-01-01T00:00:00Z")

    assert "The rules do not let you see this account." in client.post("/billing/", WHO).text
    assert AuditEvent.objects.get(type="record:read").outcome == "deny"
    assert client.get("/billing/account/").url == "/billing/"


def test_A22_nothing_is_found_by_parts_and_who_guesses_waits(client, bill, alice):
    for _ in range(billing.MOST_MISSES):
        assert "No one record" in client.post("/billing/", WHO | {"name": "Alice"}).text

    assert "Too many tries." in client.post("/billing/", WHO).text
