"""A14, VIP: a watched record opens with a reason only, to those who treat, and each opening is told."""

import pytest
from django.utils import timezone

from accounts import elevations
from audit.models import AuditEvent
from consent import authority, emergencies, watching
from consent.merging import merge
from fhirproxy import gate, interactions, treating
from fhirproxy.interactions import Interaction
from fhirproxy.outcomes import Refusal
from notices.models import Notice
from tests import factories, proving

pytestmark = pytest.mark.django_db
SAID = {"text": "She comes for her visit today.", "on_team": True}
LABS = interactions.search("Observation", [("category", "laboratory")])


@pytest.fixture
def pia():
    return factories.create_staff("Pia Privacy", "privacy_officer")


@pytest.fixture
def alice(pia):
    """Alice, whose record is watched."""
    patient = factories.alice()
    assert watching.change(patient, watched=True, by=pia)
    patient.refresh_from_db()
    return patient


@pytest.fixture
def osei(alice):
    return factories.dr_osei(treats=[alice])


def asked(user, patient):
    return authority.for_clinician(user, patient, timezone.now(), treats=treating.treats(user, patient))


def refusal(requester):
    with pytest.raises(Refusal):
        gate.serve(requester, LABS)
    return AuditEvent.objects.filter(type="record:search").order_by("xid", "id").last().reasons


def test_A14_who_treats_gets_nothing_without_a_reason_and_the_row_says_why(alice, osei):
    assert not treating.treats(osei, alice)
    assert alice not in treating.patients_of(osei)

    assert "record.watched" in refusal(asked(osei, alice))


def test_A14_with_a_reason_they_see_what_treatment_shows_and_all_are_told(alice, osei, pia):
    emergencies.open_record(osei, alice, why="treating", **SAID)

    requester = asked(osei, alice)
    gate.serve(requester, LABS)

    seen = AuditEvent.objects.filter(type="record:search").get()
    assert (seen.outcome, seen.purpose) == ("permit", "TREAT")
    assert alice in treating.patients_of(osei)
    assert {(n.kind, n.recipient) for n in Notice.objects.all()} == {
        ("reason_opened", f"User/{alice.user_id}"),
        ("watched_opened", f"User/{pia.pk}"),
    }
    opened = AuditEvent.objects.get(type="reason:open")
    assert (opened.purpose, opened.detail["close"]) == ("TREAT", "watched")


def test_A14_the_reason_of_a_visit_breaks_no_glass(alice, osei):
    emergencies.open_record(osei, alice, why="treating", **SAID)

    assert "role.not-allowed" in refusal(authority.for_emergency(osei, alice))

    real = emergencies.open_record(osei, alice, why="life", **SAID)
    gate.serve(authority.for_emergency(osei, alice), LABS)
    assert emergencies.running(osei, alice) == real


def test_A14_that_they_treat_her_is_no_reason_of_somebody_who_does_not(alice):
    stranger = factories.dr_osei()

    with pytest.raises(emergencies.Refused, match=r"emergency\.treating"):
        emergencies.open_record(stranger, alice, why="treating", text=SAID["text"], on_team=False)

    assert AuditEvent.objects.get(type="emergency:open").reasons == ["emergency.treating"]


def test_A14_an_answer_that_was_decided_before_does_not_leave(alice, osei, pia):
    watching.change(alice, watched=False, by=pia)
    alice.refresh_from_db()
    requester = asked(osei, alice)
    watching.change(alice, watched=True, by=pia)
    with pytest.raises(Refusal):
        gate.serve(requester, Interaction("read", "Patient", factories.fhir_id(alice)))

    alice.refresh_from_db()
    view = emergencies.open_record(osei, alice, why="treating", **SAID)
    requester = asked(osei, alice)
    emergencies.end(view, by=osei)
    with pytest.raises(Refusal):
        gate.serve(requester, Interaction("read", "Patient", factories.fhir_id(alice)))


def test_A14_support_and_billing_do_not_see_who_it_is(alice):
    sam, bill = factories.create_staff("Sam", "support"), factories.create_staff("Bill", "billing")

    with pytest.raises(elevations.Refused, match=r"record\.watched"):
        elevations.start(sam, why="identity", text="To be sure who calls.", ticket="T-1", patient=alice)

    assert "record.watched" in refusal(authority.for_billing(bill, alice))


def test_the_patient_sees_her_record_as_before(alice):
    requester = authority.for_own_record(alice.user, alice, timezone.now())

    assert gate.serve(requester, LABS).status == 200


def test_the_patient_reads_that_her_care_team_has_to_say_why(client, alice):
    client.force_login(alice.user)

    page = client.get(f"/sharing/who/Observation/{factories.fhir_id(alice)}-ldl/").text

    assert "They see this only after they say why." in page


def test_A14_only_privacy_staff_say_so_and_not_of_their_own(alice, pia, osei):
    assert not watching.change(alice, watched=False, by=osei)
    alice.user.staff_roles.create(role="compliance")
    assert not watching.change(alice, watched=False, by=alice.user)

    told = AuditEvent.objects.filter(type="watch:change").order_by("xid", "id")
    assert [(e.outcome, e.detail["watched"]) for e in told] == [
        ("done", True),
        ("deny", False),
        ("deny", False),
    ]


def test_of_two_records_that_become_one_the_watch_stays(alice):
    ada, kept = factories.create_staff("Ada", "administrator"), factories.create_patient("Alice Moreno")
    kept.identities.all().delete()
    type(alice).objects.filter(pk=alice.pk).update(user=None)
    alice.refresh_from_db()

    merge(ada, kept, alice, "one person")

    kept.refresh_from_db()
    assert kept.watched_since == alice.watched_since


def test_A14_the_pages_lead_from_the_closed_record_to_the_reason_and_in(client, alice, osei):
    proving.has_codes(osei)
    client.force_login(osei)
    page = f"/review/chart/{alice.pk}/"
    shut = client.get(page)
    assert (shut.status_code, "watched closely" in shut.text) == (403, True)

    form = {"name": "Alice Moreno", "born": "1979-04-17", "why": "treating", "agreed": "on"}
    proof = client.post("/review/emergency/", form | {"text": SAID["text"]})
    opened = client.post(proof.url, {"code": proving.code_now()}, follow=True)

    assert "You opened this record with a reason." in opened.text
    assert "LDL cholesterol" in opened.text
    client.force_login(alice.user)
    assert "A doctor who treats you opened your record and said why" in client.get("/").text


def test_privacy_staff_watch_a_record_on_the_console(client, pia):
    type(pia).objects.filter(pk=pia.pk).update(is_staff=True)
    patient = factories.create_patient()
    client.force_login(pia)

    watched = client.post("/admin/watched/", {"patient": f"Patient/{patient.pk}", "do": "watch"}, follow=True)
    assert "It is watched now." in watched.text
    assert f"Patient/{patient.pk}" in watched.text
    stopped = client.post("/admin/watched/", {"patient": str(patient.pk), "do": "stop"}, follow=True)
    assert "No record is watched." in stopped.text
    assert client.post("/admin/watched/", {"patient": "Patient/none", "do": "watch"}).status_code == 422
