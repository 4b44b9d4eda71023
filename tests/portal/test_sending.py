"""What people send from pages: corrections, messages, visits, forms, contact details, photos."""

import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from fhirproxy.models import WriteCommand
from fhirproxy.writes import amendments, commands
from fhirproxy.writes.states import WrongState
from portal import drafts
from tests import factories
from tests.writes.conftest import clinician, in_chart

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40
WORDS = {"fault": "value", "wrong": "It was 118.", "right": "LDL 108"}


@pytest.fixture
def alice(client):
    patient = factories.alice()
    factories.load_records(factories.patient_record(patient))
    client.force_login(patient.user)
    return patient


@pytest.fixture
def osei(alice):
    return factories.dr_osei(treats=[alice])


def ldl(patient) -> str:
    return reverse("portal:wrong", args=["Observation", f"{factories.fhir_id(patient)}-ldl"])


def only_command() -> WriteCommand:
    return WriteCommand.objects.get()


def sent(client, path: str, **fields):
    """The page after its form was sent, with the key that the page itself has."""
    page = client.get(path)
    return client.post(
        path, {"key": page.context["key"], "whose": page.context["whose"], **fields}, follow=True
    )


def test_a_correction_names_the_item_and_says_until_when_the_clinic_answers(alice, client):
    page = sent(client, ldl(alice), **WORDS)

    command = only_command()
    resource = json.loads(command.resource)
    assert (command.kind, command.status) == ("corrections", "awaiting_review")
    assert resource["about"][0]["reference"] == f"Observation/{factories.fhir_id(alice)}-ldl"
    assert [part["contentString"] for part in resource["payload"]] == ["It was 118.", "LDL 108"]
    due = timezone.localtime(command.created_at + timedelta(days=60))
    assert "The clinic must answer by" in page.text
    assert f"{due:%Y}" in page.text


def test_a_clinician_reads_what_it_is_about_and_no_name_of_a_resource(alice, osei, client):
    sent(client, ldl(alice), **WORDS)
    client.force_login(osei)

    for page in (client.get("/review/"), client.get(f"/review/{only_command().pk}/")):
        assert "Something looks wrong: LDL cholesterol" in page.text
        assert "Communication</" not in page.text


def test_a_form_that_comes_twice_is_sent_once_and_with_other_words_not_at_all(alice, client):
    key = client.get(ldl(alice)).context["key"]
    for _ in range(2):
        assert client.post(ldl(alice), {"key": key, **WORDS}).status_code == 302
    other = client.post(ldl(alice), {"key": key, **WORDS, "right": "LDL 90"})

    assert other.status_code == 409
    assert only_command().status == "awaiting_review"


def test_what_cannot_go_is_kept_and_is_there_when_the_page_opens_again(alice, client):
    refused = sent(client, ldl(alice), fault="value", wrong="It was 118.")

    assert refused.status_code == 422
    assert "Write what is right." in refused.text
    assert "It was 118." in client.get(ldl(alice)).text
    assert "It was 118." not in drafts.unfinished(alice.user, alice).get().sealed
    sent(client, ldl(alice), **WORDS)
    assert not drafts.unfinished(alice.user, alice).exists()


def test_what_was_typed_outlives_the_sign_in_and_is_for_nobody_else(alice, client):
    page = client.get(ldl(alice))
    form = {"key": page.context["key"], "whose": page.context["whose"], **WORDS}
    mallory = factories.create_patient("Mallory Quinn")
    for user, seen in ((alice.user, True), (mallory.user, False)):
        client.logout()
        late = client.post(ldl(alice), form)
        assert late.status_code == 302
        assert "It was 118." not in str(dict(client.session))
        client.force_login(user)
        again = client.get(ldl(alice))
        assert ("It was 118." in again.text) is seen
        assert not WriteCommand.objects.exists()


def test_a_note_of_five_megabytes_gets_words_at_its_field(alice, client):
    path = reverse("portal:ask-message")
    page = sent(client, path, topic="other", text="x" * 5 * 1024 * 1024)

    assert page.status_code == 422
    assert "Write at most 4000 letters. You wrote 5242880." in page.text
    assert len(page.content) < 40_000


def test_a_message_goes_to_the_chart_at_once_and_shows_on_the_page(alice, client):
    sent(client, reverse("portal:ask-message"), topic="symptom", text="My knee hurts.")

    assert only_command().status == "applied"
    [message] = in_chart(alice, "Communication")
    assert message["payload"] == [{"contentString": "My knee hurts."}]
    assert "My knee hurts." in client.get(reverse("portal:ask")).text


def test_a_visit_that_is_asked_for_has_no_time(alice, client):
    sent(client, reverse("portal:ask-visit"), why="My knee", kind="ROUTINE", soon="week", times="Mondays")

    resource = json.loads(only_command().resource)
    assert resource["status"] == "proposed"
    assert "start" not in resource


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GIF89a, no photo", "This is not a photo or a PDF that we can read."),
        (b"", "This file is empty."),
        (PNG + b"0" * 3 * 1024 * 1024, "This file is too large."),
        (PNG + b"0" * 5 * 1024 * 1024, "This file is too large."),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_at_its_field(alice, client, content, said):
    file = SimpleUploadedFile("scan.png", content, "image/png")
    page = sent(client, reverse("portal:add-document"), title="A letter", file=file)

    assert page.status_code == 422
    assert said in page.text
    assert "We kept your words, but not the file." in page.text
    assert not WriteCommand.objects.exists()


def test_a_photo_waits_for_a_clinician(alice, client):
    file = SimpleUploadedFile("scan.gif", PNG, "image/gif")  # its bytes say what it is
    sent(client, reverse("portal:add-document"), title="A letter", file=file)

    command = only_command()
    [content] = json.loads(command.resource)["content"]
    assert content["attachment"]["contentType"] == "image/png"
    assert (command.status, command.origin) == ("awaiting_review", "document")


def test_an_author_takes_it_back_and_sends_it_again_changed(alice, client):
    sent(client, ldl(alice), **WORDS)
    first = only_command()
    page = client.post(reverse("portal:add-cancel", args=[first.pk]), follow=True)
    again = client.get(page.context["again_url"])

    assert "You took it back." in page.text
    assert "It was 118." in again.text
    client.post(ldl(alice), {"key": again.context["key"], "again": first.pk, **WORDS, "right": "LDL 107"})
    assert set(WriteCommand.objects.values_list("status", flat=True)) == {"cancelled", "awaiting_review"}


def test_what_came_back_needs_its_author_and_says_why(alice, osei, client):
    sent(client, ldl(alice), **WORDS)
    by = clinician(osei, alice)
    commands.send_back(only_command(), requester=by, by=osei, reason="value.unclear")

    listed = client.get(reverse("portal:add")).text
    page = client.get(reverse("portal:add-sent", args=[only_command().pk]))
    assert "Needs you" in listed
    assert "It was not clear how it was measured." in page.text
    assert page.context["again_url"]


def test_a_refused_correction_can_be_followed_by_one_statement(alice, osei, client):
    sent(client, ldl(alice), **WORDS)
    command = only_command()
    disagree = reverse("portal:disagree", args=[command.pk])
    assert client.get(disagree).status_code == 404
    by = clinician(osei, alice)
    commands.reject(command, requester=by, by=osei, reason="amendment.accurate")

    page = client.get(reverse("portal:add-sent", args=[command.pk])).text
    assert "It says that the record is right and complete." in page
    assert disagree in page
    sent(client, disagree, text="The lab mixed it up.")
    statement = WriteCommand.objects.get(kind="disagreements")
    assert statement.status == "applied"
    assert json.loads(statement.resource)["about"] == json.loads(command.resource)["about"]
    assert client.get(disagree).status_code == 302


def test_the_clinic_takes_thirty_days_more_once_and_says_why(alice, osei, client):
    sent(client, ldl(alice), **WORDS)
    command, by = only_command(), clinician(osei, alice)

    clock = amendments.extend(command, requester=by, by=osei, reason="amendment.old-papers")

    assert clock.due_at - command.created_at == timedelta(days=90)
    page = client.get(reverse("portal:add-sent", args=[command.pk])).text
    assert "The clinic has to look for old papers." in page
    assert AuditEvent.objects.filter(type="write:extend").count() == 1
    with pytest.raises(WrongState):
        amendments.extend(command, requester=by, by=osei, reason="amendment.old-papers")


def test_a_correction_is_not_put_off_when_its_sixty_days_are_over(alice, osei, client):
    sent(client, ldl(alice), **WORDS)
    WriteCommand.objects.update(created_at=timezone.now() - timedelta(days=61))

    with pytest.raises(WrongState):
        amendments.extend(
            only_command(), requester=clinician(osei, alice), by=osei, reason="amendment.old-papers"
        )


def test_another_patients_item_is_not_there(alice, client):
    mallory = factories.create_patient("Mallory Quinn")
    factories.load_records(factories.patient_record(mallory))

    assert client.get(ldl(mallory)).status_code == 404
