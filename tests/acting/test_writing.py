"""A helper with leave sends things for the patient: under their own name, and of what they see only."""

import pytest
from django.test import Client

from audit.models import AuditEvent
from consent import commands as consents
from consent import helper_codes
from consent.versions import Act
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch
from tests import factories
from tests.writes.conftest import clinician, in_chart

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    patient = factories.alice()
    factories.load_records(factories.patient_record(patient))
    return patient


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


def begin(amir, relation) -> tuple[Client, str]:
    page = Client()
    page.force_login(amir)
    page.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    return page, f"/for/{relation.pk}"


def send(page: Client, path: str, **fields):
    shown = page.get(path)
    hidden = {name: shown.context[name] for name in ("key", "whose")}
    return page.post(path, hidden | fields, follow=True)


def reading(page: Client, before: str):
    shown = page.get(f"{before}/add/blood-pressure/")
    taken_at = shown.context["form"]["taken_at"].value().strftime("%Y-%m-%dT%H:%M")
    return send(page, f"{before}/add/blood-pressure/", systolic=121, diastolic=79, taken_at=taken_at)


def test_what_a_helper_sends_has_their_name_and_whom_it_is_for_all_the_way(alice, amir, client):
    page, before = begin(amir, factories.let_help(amir, alice, may_write=True))
    told = reading(page, before)
    assert told.status_code == 200
    command = WriteCommand.objects.get()
    assert (command.author, command.on_behalf_of) == (amir, f"Patient/{alice.pk}")
    event = AuditEvent.objects.get(type="write:submit")
    assert (event.actor, event.on_behalf_of, event.role) == (
        f"User/{amir.pk}",
        f"Patient/{alice.pk}",
        "helper",
    )

    osei = factories.dr_osei(treats=[alice])
    commands.approve(command, requester=clinician(osei, alice), by=osei)
    assert dispatch.send(command.pk).status == "applied"
    written = WriteCommand.objects.get().result.partition("/_h")[0]
    [provenance] = in_chart(alice, "Provenance", target=written)
    author = next(a for a in provenance["agent"] if a["type"]["coding"][0]["code"] == "author")
    assert author["onBehalfOf"]["reference"].startswith("Patient/")
    client.force_login(alice.user)
    assert "Amir Moreno sent this on" in client.get("/vitals/").text
    assert "You sent this on" in page.get(f"{before}/vitals/").text


def test_without_leave_no_page_takes_anything_and_neither_does_the_gate(alice, amir):
    relation = factories.let_help(amir, alice)
    page, before = begin(amir, relation)
    for path in ("add/blood-pressure/", "questions/message/", "contact/", "wrong/Observation/x/"):
        assert page.get(f"{before}/{path}").status_code == 403

    type(relation).objects.update(may_write=True)  # the row says yes; the consent does not
    refused = reading(page, before)
    assert "You may not send this for this record." in refused.text
    assert not WriteCommand.objects.exists()
    assert AuditEvent.objects.filter(type="record:refuse", patient=f"Patient/{alice.pk}").exists()


def test_a_helper_sends_nothing_of_what_they_do_not_see(alice, amir):
    page, before = begin(amir, factories.let_help(amir, alice, level="visits", may_write=True))

    assert "You may not send this for this record." in reading(page, before).text
    assert f"{before}/add/blood-pressure/" not in page.get(f"{before}/add/").text
    assert send(page, f"{before}/questions/message/", topic="visit", text="We come late.").status_code == 200
    assert WriteCommand.objects.get().status == "applied"


def test_a_helper_sees_of_what_was_sent_only_their_own(alice, amir, client):
    client.force_login(alice.user)
    send(client, "/questions/message/", topic="other", text="Between us.")
    page, before = begin(amir, factories.let_help(amir, alice, may_write=True))

    assert page.get(f"{before}/add/{WriteCommand.objects.get().pk}/").status_code == 404
    assert "Message to the care team" not in page.get(f"{before}/add/").text


def test_what_waits_is_blocked_when_the_help_ends(alice, amir):
    relation = factories.let_help(amir, alice, may_write=True)
    page, before = begin(amir, relation)
    reading(page, before)
    consents.revoke(relation.consents.get(), by=alice.user)

    assert WriteCommand.objects.get().status == "blocked"


def test_the_patient_lets_a_helper_send_by_a_tick_of_its_own(alice, client):
    invitation, code = helper_codes.invite(
        alice,
        relationship="SPS",
        level="visits",
        categories=[],
        may_share=False,
        may_write=True,
        until=alice.user.date_joined.replace(year=alice.user.date_joined.year + 1),
        act=Act(by=alice.user, channel="portal", text_shown="May they?", language="en"),
    )
    amir = factories.create_user("Amir Moreno")
    relation = helper_codes.accept(code, by=amir, act=Act(by=amir, channel="portal"))

    assert invitation.may_write
    assert relation.may_write
    permit = relation.consents.get().current.permit
    assert permit.writes
    assert "messages" in permit.categories
