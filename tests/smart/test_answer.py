"""The person's answer: what is shown, what is granted, what stands in the log."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from consent.decision import Provision
from consent.models import Consent
from consent.vocabulary import Category
from smart.models import AuthorizationRequest, Client, Grant
from tests.smart.app import LABORATORY, answer_of

OBSERVATION = "http://terminology.hl7.org/CodeSystem/observation-category"


def permit() -> Provision:
    return Consent.objects.get().current.permit


def test_the_page_says_who_asks_for_what_and_how_long(app):
    shown = app.browser.get(app.page()).content.decode()

    for words in (
        "Alice Moreno",
        "Acme Health",
        "<strong>not</strong> part of your clinic",
        "to show your sugar levels",
        "Test results",
        "Share all of these",
        "Let me choose",
        "It cannot see your private topics",
        "Just this once",
        "keeps its own copy",
        "keeps working when you are not using it",
        "Do not share",
    ):
        assert words in shown
    assert "MISSING-VARIABLE" not in shown


def test_nothing_about_what_to_share_is_ticked_beforehand(app):
    shown = app.browser.get(app.page()).content.decode()

    assert shown.count("checked") == 1
    assert 'value="30" required id="id_days_1" checked' in shown or 'value="30"' in shown


def test_sharing_all_makes_a_consent_with_its_first_version(app, alice):
    answer = answer_of(app.answer(app.page()))

    consent = Consent.objects.get()
    version = consent.current
    assert answer["iss"] == "http://testserver"
    assert (consent.patient, consent.client, consent.current_number) == (alice, app.client, 1)
    assert version.channel == "smart"
    assert version.text_language == "en"
    assert "Share your records with Acme?" in version.text_shown
    assert "We cannot take that copy back." in version.text_shown
    assert permit().security_labels == frozenset()
    assert Category.TEST_RESULTS in permit().categories
    assert Grant.objects.get().authorization_id == consent.id


def test_the_text_is_kept_in_the_language_that_was_shown(app):
    app.browser.cookies["django_language"] = "es"
    app.answer(app.page())

    version = Consent.objects.get().current
    assert version.text_language == "es"


def test_A6_choosing_less_grants_less(app):
    app.scope = "patient/Observation.rs patient/Patient.rs patient/MedicationRequest.rs offline_access"

    app.answer(app.page(), what="choose", categories=["test-results", "medicines"])

    scopes = Grant.objects.get().scope.split()
    assert "patient/MedicationRequest.rs" in scopes
    assert f"patient/Observation.rs?category={LABORATORY}" in scopes
    assert not {"patient/Observation.rs", "patient/Patient.rs"} & set(scopes)
    assert not any("vital-signs" in scope for scope in scopes)
    assert permit().categories == {"medicines", "test-results"}


def test_A6_choosing_less_than_everything_names_the_rest(app):
    app.scope = "patient/*.rs"
    page = app.page()
    assert "This app asks for everything" in app.browser.get(page).content.decode()

    app.answer(page, what="choose", categories=["allergies"])

    # The last two tell of nothing but what else is shared.
    named = {"patient/AllergyIntolerance.rs", "patient/Binary.rs", "patient/Provenance.rs"}
    assert set(Grant.objects.get().scope.split()) == named


def test_contact_details_go_with_the_name_they_belong_to(app):
    page = app.page()
    refused = app.answer(page, what="choose", categories=["contact"])

    assert refused.status_code == 422
    assert "share your name and age too" in refused.content.decode()
    assert not Consent.objects.exists()


def test_a_scope_that_is_granted_whole_stays_as_the_app_wrote_it(app):
    app.scope = "patient/*.read launch/patient"
    app.answer(app.page())

    assert Grant.objects.get().scope == "patient/*.read launch/patient"


def test_A6_a_category_that_was_not_asked_for_cannot_be_chosen(app):
    app.scope = "patient/Observation.rs?category=" + LABORATORY

    response = app.answer(app.page(), what="choose", categories=["medicines"])

    assert response.status_code == 422
    assert not Consent.objects.exists()


@pytest.mark.parametrize("choice", [{"what": ""}, {"what": "choose"}, {"days": "9999"}, {"days": ""}])
def test_G6_share_with_nothing_chosen_is_asked_again(app, choice):
    response = app.answer(app.page(), **choice)

    assert response.status_code == 422
    assert "There is a problem" in response.content.decode()
    assert not Consent.objects.exists()
    assert not Grant.objects.exists()


def test_A6_writing_needs_its_own_yes(app):
    app.scope = "patient/Observation.cruds"
    shown = app.browser.get(app.page()).content.decode()
    assert "It can also send new readings to your clinic." in shown

    app.answer(app.page())
    assert Grant.objects.latest("pk").scope == "patient/Observation.rs"
    assert permit().writes is False

    app.answer(app.page(), can_write="on")
    assert Grant.objects.latest("pk").scope == "patient/Observation.cruds"
    assert permit().writes is True


def test_private_topics_are_shared_one_by_one(app):
    app.answer(app.page(), topics=["mental-health"])

    assert {"BH", "PSY", "PSYTHPN"} <= permit().security_labels
    assert not {"SUD", "HIV", "SDV", "R"} & permit().security_labels


def test_just_this_once_is_a_day_without_a_refresh_token(app):
    tokens = app.connect(days="0")

    consent = Consent.objects.get()
    assert consent.period_end - AuthorizationRequest.objects.get().created_at == timedelta(days=1)
    assert "refresh_token" not in tokens
    assert "offline_access" not in tokens["scope"].split()


@pytest.mark.parametrize("days", [30, 365])
def test_a_sharing_ends_at_the_end_of_the_day_that_was_shown(app, days):
    app.answer(app.page(), days=str(days))

    end = timezone.localtime(Consent.objects.get().period_end)
    assert (end.hour, end.minute, end.second) == (23, 59, 59)
    assert (end.date() - timezone.localdate()).days == days


def test_saying_no_goes_back_as_access_denied_and_stands_in_the_log(app, alice):
    answer = answer_of(app.answer(app.page(), do="deny"))

    assert (answer["error"], answer["state"]) == ("access_denied", "a-state-of-the-app")
    event = AuditEvent.objects.get(type="consent:refuse")
    assert event.patient == f"Patient/{alice.pk}"
    assert event.client == f"Client/{app.client.client_id}"
    assert not Consent.objects.exists()


def test_asking_again_shows_what_is_shared_now(app):
    app.answer(app.page(), what="choose", categories=["test-results"])

    shown = app.browser.get(app.page()).content.decode()
    assert "What you choose here takes the place of that." in shown
    assert 'value="test-results" id="id_categories_0" checked' in shown

    app.answer(app.page())
    assert Consent.objects.get().current_number == 2


def test_A17_what_an_app_says_of_itself_is_plain_text(app):
    Client.objects.update(name="<script>alert(1)</script>\u202eevil", purpose="x" * 200, vendor="Mom & Pop")

    shown = app.browser.get(app.page()).content.decode()

    assert "<script>alert(1)" not in shown
    assert "\u202e" not in shown
    assert "Mom &amp; Pop" in shown


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "JavaScript:alert(1)//http://", "data:text/html,x", "//a.example"]
)
def test_A17_a_privacy_policy_that_is_no_web_address_is_no_link(app, uri):
    Client.objects.update(privacy_policy_uri=uri)

    shown = app.browser.get(app.page()).content.decode()

    assert uri not in shown
    assert "It does not say what it does with it." in shown


def test_a_privacy_policy_on_the_web_is_a_link(app):
    Client.objects.update(privacy_policy_uri="https://acme.example/privacy")

    assert 'href="https://acme.example/privacy"' in app.browser.get(app.page()).content.decode()
