import json

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from consent.models import Consent
from portal.templatetags.portal import app_mark
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    patient = factories.alice()
    client.force_login(patient.user)
    return patient


def test_the_list_answers_the_four_questions(alice, client):
    factories.create_consent(alice)
    page = client.get(reverse("portal:apps")).content.decode()

    for words in ("Acme", "Test results", "Not used yet", "Ends"):
        assert words in page


def test_an_empty_list_says_what_belongs_here(alice, client):
    assert "not sharing with any apps" in client.get(reverse("portal:apps")).content.decode()


def test_stopping_an_app_ends_it_and_says_so(alice, client):
    consent = factories.create_consent(alice)
    answer = client.post(reverse("portal:app-stop", args=[consent.id]), follow=True)

    assert "lost access at" in answer.content.decode()
    consent.refresh_from_db()
    assert (consent.status, consent.current_number) == (Consent.Status.INACTIVE, 2)


def test_stopping_twice_changes_nothing(alice, client):
    consent = factories.create_consent(alice)
    for _ in range(2):
        client.post(reverse("portal:app-stop", args=[consent.id]))

    assert AuditEvent.objects.filter(type="consent:revoke").count() == 1
    assert consent.versions.count() == 2


def test_stopping_takes_a_post_and_a_browser_is_told_so(alice, client):
    consent = factories.create_consent(alice)
    address = reverse("portal:app-stop", args=[consent.id])
    answer = client.get(address, headers={"accept": "text/html"})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "This address is not a page" in answer.text
    assert client.get(address, headers={"accept": "application/json"}).content == b""


@pytest.mark.parametrize("name", ["app", "app-stop", "app-stopped", "consent-fhir"])
def test_A9_the_app_of_another_patient_does_not_exist(alice, client, name):
    theirs = factories.create_consent(factories.mallory())
    address = reverse(f"portal:{name}", args=[theirs.id])
    answer = client.post(address) if name == "app-stop" else client.get(address)

    assert answer.status_code == 404
    theirs.refresh_from_db()
    assert theirs.status == Consent.Status.ACTIVE


def test_the_consent_is_there_as_fhir_and_its_version_is_one(alice, client):
    consent = factories.create_consent(alice)
    resource = json.loads(client.get(reverse("portal:consent-fhir", args=[consent.id])).content)

    assert (resource["resourceType"], resource["meta"]["versionId"]) == ("Consent", "1")
    assert resource["provision"]["type"] == "deny"
    codes = [c["coding"][0]["code"] for c in resource["provision"]["provision"][0]["code"]]
    assert codes == ["demographics", "test-results"]


def test_A17_an_app_with_a_hostile_name_is_only_text(alice, client):
    hostile = factories.acme_client()  # registration refuses such a name; an older row may have one
    hostile.name, hostile.purpose = "<script>alert(1)</script>", '"><img src=x>'
    hostile.save()
    consent = factories.create_consent(alice, hostile)
    apps, activity = reverse("portal:apps"), reverse("portal:activity")
    for address in (apps, f"{apps}{consent.id}/", f"{activity}?who=everyone"):
        page = client.get(address).content.decode()
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("GlucoTrack", "G"),
        ("my sugar diary", "MS"),
        ("ß", "SS"),
        ("\u202eevil app", "EA"),
        ("<b>", "B"),
        ("💉 !", "?"),
        ("", "?"),
    ],
)
def test_A17_an_app_has_its_initials_and_no_picture_of_its_own(name, initials):
    drawn = app_mark(name)

    assert f">{initials}</text>" in drawn
    assert 'aria-hidden="true"' in drawn


def test_the_initials_stand_wherever_an_app_is_named_first(alice, client):
    consent = factories.create_consent(alice)
    consent.client.user = alice.user
    consent.client.save()
    name = consent.client.client_id
    for page in (
        reverse("portal:apps"),
        reverse("portal:app", args=[consent.id]),
        reverse("portal:developers"),
        reverse("portal:developer-app", args=[name]),
    ):
        assert app_mark("Acme") in client.get(page).content.decode(), page


@pytest.mark.parametrize("status", ["suspended", "blocked"])
def test_an_app_that_the_clinic_stopped_is_not_shown_as_working(alice, client, status):
    consent = factories.create_consent(alice)
    chip = '<span class="chip good">'
    pages = (reverse("portal:apps"), reverse("portal:app", args=[consent.id]))
    assert all(chip in client.get(page).content.decode() for page in pages)
    type(consent.client).objects.update(status=status)

    for page in pages:
        shown = client.get(page).content.decode()
        assert "It can see nothing now" in shown
        assert chip not in shown
