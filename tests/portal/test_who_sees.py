"""Who can see one item and what an app sees, counted; and a sentence for every answer."""

from itertools import product

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import Patient
from audit.models import AuditEvent
from consent.decision import Decision, Reason
from consent.explain import Kind, Viewer
from consent.models import Consent
from portal import viewers
from smart.models import AuthorizationRequest
from tests import factories
from tests.portal.ehr import ALL, failing
from tests.portal.sharing import (
    BOTH,
    HTMX,
    SCOPE,
    SUD,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client) -> Patient:
    patient = factories.alice()
    factories.load_records(factories.lab_result(patient, "private-lab", meta=SUD))
    client.force_login(patient.user)
    return patient


# One item


def test_an_item_says_who_can_see_it_and_why(alice, client):
    factories.create_consent(alice)
    address = reverse("portal:who", args=["Observation", f"{factories.fhir_id(alice)}-ldl"])
    page = client.get(address).text

    assert "Kind of record: Test results." in page
    assert "You shared this with <bdi>Acme</bdi> until" in page
    assert "You can always see your own records." in page


def test_a_private_item_says_what_it_is_about_and_who_does_not_see_it(alice, client):
    factories.create_consent(alice)
    page = client.get(reverse("portal:who", args=["Observation", "private-lab"])).text

    assert "It is private: Alcohol and drug use." in page
    assert "This is private and needs a clear yes from you." in page


def test_the_page_of_an_item_leads_there(alice, client):
    item = f"{factories.fhir_id(alice)}-ldl"
    page = client.get(reverse("portal:result", args=[item])).text
    part = client.get(reverse("portal:who", args=["Observation", item]), headers=HTMX).text

    assert reverse("portal:who", args=["Observation", item]) in page
    assert "<html" not in part
    assert "Who can see this?" in part


@pytest.mark.parametrize(
    ("kind", "id"),
    [("Observation", "no-such"), ("Practitioner", "dr-osei"), ("Nonsense", "1"), ("Observation", "a b")],
)
def test_what_is_not_in_the_record_has_no_such_page(alice, client, kind, id):
    assert client.get(reverse("portal:who", args=[kind, id])).status_code == 404


def test_A9_the_item_of_another_patient_has_no_such_page(alice, client):
    theirs = f"{factories.fhir_id(factories.mallory())}-ldl"

    assert client.get(reverse("portal:who", args=["Observation", theirs])).status_code == 404


def test_an_item_whose_source_is_down_says_so(alice, client, settings):
    with failing(settings, *ALL):
        page = client.get(reverse("portal:who", args=["Observation", "private-lab"]))

    assert page.status_code == 503
    assert "We could not get your records" in page.text


# What an app sees


def test_the_page_of_an_app_leaves_the_counting_for_later(alice, client):
    consent = factories.create_consent(alice)
    page = client.get(reverse("portal:app", args=[consent.pk])).text

    assert "What this app can see now" in page
    assert f'hx-get="{reverse("portal:app-sees", args=[consent.pk])}"' in page
    assert not AuditEvent.objects.filter(type="record:preview").exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_an_app_sees_is_counted_and_what_stays_hidden(alice, client, headers):
    consent = factories.create_consent(alice)
    page = client.get(reverse("portal:app-sees", args=[consent.pk]), headers=headers).text

    assert ("<html" in page) is not bool(headers)
    assert '<th scope="row">Test results</th><td class="n">1</td>' in page
    assert "1 private item stays hidden." in page
    assert '<th scope="row">Alcohol and drug use</th><td class="n">1</td>' in page


def test_counting_that_fails_says_so_and_the_page_of_the_app_stands(alice, client, settings):
    consent = factories.create_consent(alice)
    with failing(settings, *ALL):
        counted = client.get(reverse("portal:app-sees", args=[consent.pk]))
        page = client.get(reverse("portal:app", args=[consent.pk]))

    assert (counted.status_code, page.status_code) == (503, 200)
    assert "We could not count just now." in counted.text


def test_A9_the_counts_of_another_patient_do_not_exist(alice, client):
    theirs = factories.create_consent(factories.mallory())

    assert client.get(reverse("portal:app-sees", args=[theirs.pk])).status_code == 404


@pytest.fixture
def question(alice) -> str:
    """The address where an app waits for Alice's answer."""
    names = ("redirect_uri", "state", "code_challenge", "nonce", "prompt", "max_age")
    kept = dict.fromkeys(names) | {"redirect_uri": "http://127.0.0.1:8001/callback", "state": "s"}
    kept |= {"code_challenge": "c" * 43, "scope": SCOPE}
    asked = AuthorizationRequest.objects.create(client=factories.acme_client(), parameters=kept)
    return reverse("portal:authorize-answer", args=[asked.pk])


def test_before_an_answer_the_page_counts_nothing_by_itself(question, client):
    page = client.get(question).text

    assert "Choose what to share first. Then we count it for you." in page
    assert "Show what it would see" in page
    assert not AuditEvent.objects.filter(type="record:preview").exists()


def test_what_is_ticked_is_counted_and_nothing_is_shared(alice, question, client):
    ticked = {"do": "preview", "what": "choose", "categories": "test-results", "days": "30"}
    part = client.post(question, ticked, headers=HTMX)
    with_topic = client.post(question, ticked | {"topics": "substance-use"}, headers=HTMX)

    assert "<html" not in part.text
    assert '<th scope="row">Test results</th><td class="n">1</td>' in part.text
    assert "1 private item stays hidden." in part.text
    assert '<th scope="row">Test results</th><td class="n">2</td>' in with_topic.text
    assert not alice.consents.exists()
    assert AuthorizationRequest.objects.get().answered_at is None


def test_without_script_the_page_comes_back_with_the_counts_and_what_was_ticked(alice, question, client):
    ticked = {"do": "preview", "what": "all", "days": "365"}
    page = client.post(question, ticked)

    assert page.status_code == 200
    assert '<th scope="row">Test results</th><td class="n">1</td>' in page.text
    assert (page.context["form"]["what"].value(), page.context["form"]["days"].value()) == ("all", "365")
    assert not alice.consents.exists()


def test_nothing_ticked_is_nothing_counted(question, client):
    part = client.post(question, {"do": "preview", "days": "30"}, headers=HTMX)

    assert "Choose what to share first." in part.text
    assert not AuditEvent.objects.filter(type="record:preview").exists()


def test_an_answer_after_a_count_is_the_answer_to_that_page(alice, question, client):
    page = client.post(question, {"do": "preview", "what": "all", "days": "30"})
    shown = page.text.split('name="shown" value="')[1].split('"')[0]
    client.post(question, {"do": "share", "what": "all", "days": "30", "shown": shown})

    assert "1 private item stays hidden." in alice.consents.get().current.text_shown


# Words


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", Kind)
def test_every_answer_has_a_sentence(kind, language):
    consent = Consent(kind="share", recipient="Organization/1", period_end=timezone.now())
    decisions = [
        Decision(True, ()),
        Decision(True, (), ("default-x",)),
        *(Decision(False, (r,)) for r in Reason),
    ]
    with translation.override(language):
        for decision, chosen, whole, paused, joined in product(
            decisions, (None, True, False), BOTH, BOTH, BOTH
        ):
            viewer = Viewer(
                kind=kind, reference="x", name="Ann", decision=decision, consent=consent, chosen=chosen
            )
            said = viewers._why(viewer, "Ann", whole=whole, paused=paused, joined=joined)
            assert said.endswith(".")
            assert "{" not in said
