"""The page that asks "is it you?", and what comes after it."""

import re

import pytest
from django.core.cache import cache
from django.urls import reverse

from accounts.stepup import Action
from audit.models import AuditEvent
from exports.models import ExportJob
from portal.pages import REGISTRY, StepUp
from portal.stepup import ABOUT_TO
from tests import factories, proving
from tests.factories import PASSWORD

NEW = "/downloads/new/"
FORM = {"what": "choose", "categories": ["test-results"], "formats": ["pdf"], "private": ""}


@pytest.fixture
def alice(db, client):
    """Alice, who signed in an hour ago."""
    cache.clear()
    user = factories.alice().user
    client.force_login(user)
    proving.minutes_pass(client, 60)
    return user


def events(type):
    return list(AuditEvent.objects.filter(type=type).order_by("id"))


def test_every_action_is_said_in_words():
    assert set(ABOUT_TO) == set(Action)


def test_page_that_needs_step_up_says_so_in_its_contract():
    fresh = {name for name, contract in REGISTRY.items() if contract.step_up is StepUp.FRESH}

    assert fresh >= {"download-new", "activity-print", "email", "email-confirm", "emergency", "helper-invite"}


def test_form_waits_and_nothing_is_done_before(alice, client):
    asked = client.post(NEW, FORM)
    page = client.get(asked.url)

    assert re.fullmatch(r"/check/[0-9a-f-]{36}/", asked.url)
    assert "You are about to save a copy from your records." in page.text
    assert "You will not lose what you have done." in page.text
    assert not ExportJob.objects.exists()


def test_form_is_sent_again_as_it_was(alice, client):
    asked = client.post(NEW, FORM)

    done = client.post(asked.url, {"password": PASSWORD})

    job = ExportJob.objects.get()
    assert done.url == reverse("portal:download", args=[job.pk])
    assert job.categories == ["test-results"]


def test_proof_stands_in_the_event_of_the_action(alice, client):
    asked = client.post(NEW, FORM)
    client.post(asked.url, {"password": PASSWORD})

    (passed,), (kickoff,) = events("stepup:pass"), events("export:kickoff")
    assert (passed.actor, passed.patient) == (f"User/{alice.pk}", f"Patient/{alice.patient.pk}")
    assert passed.detail == {"action": "export", "method": "password"}
    assert kickoff.context["stepup_action"] == "export"
    assert kickoff.context["stepup_method"] == "password"
    assert proving.now() - kickoff.context["stepup_at"] < 60


def test_second_file_within_five_minutes_is_not_asked_for_again(alice, client):
    client.post(client.post(NEW, FORM).url, {"password": PASSWORD})

    assert "/downloads/" in client.post(NEW, FORM).url
    assert ExportJob.objects.count() == 2


def test_A15_a_proof_is_given_once(alice, client):
    asked = client.post(NEW, FORM)
    client.post(asked.url, {"password": PASSWORD})

    again = client.post(asked.url, {"password": PASSWORD})

    assert again.status_code == 404
    assert ExportJob.objects.count() == 1


def test_wrong_password_is_told_and_logged_and_nothing_is_lost(alice, client):
    asked = client.post(NEW, FORM)

    page = client.post(asked.url, {"password": "not-the-password"})

    assert page.status_code == 422
    assert "That was not right" in page.text
    (fail,) = events("stepup:fail")
    assert (fail.outcome, fail.detail["action"], fail.detail["method"]) == ("failed", "export", "password")
    client.post(asked.url, {"password": PASSWORD})
    assert ExportJob.objects.exists()


def test_A15_guessing_ends_the_session_and_locks_nobody_out(alice, client):
    asked = client.post(NEW, FORM)

    answers = [client.post(asked.url, {"password": f"guess-{n}"}) for n in range(5)]

    assert answers[-1].url == reverse("account_login")
    assert "_auth_user_id" not in client.session
    assert events("session:end")[-1].detail == {"why": "stepup-failed"}
    client.post(reverse("account_login"), {"login": alice.email, "password": PASSWORD})
    assert "_auth_user_id" in client.session


def test_A15_page_of_another_session_is_nobodys(alice, client):
    asked = client.post(NEW, FORM)
    client.logout()
    client.force_login(factories.mallory().user)

    assert client.get(asked.url).status_code == 404
    assert client.post(asked.url, {"password": PASSWORD}).status_code == 404


def test_A16_page_wants_the_token_of_its_form(alice, client):
    asked = client.post(NEW, FORM)
    client.handler.enforce_csrf_checks = True

    assert client.post(asked.url, {"password": PASSWORD}).status_code == 403
    assert not ExportJob.objects.exists()


def test_password_is_not_taken_where_there_are_codes(alice, client):
    proving.has_codes(alice)
    asked = client.post(NEW, FORM)

    page = client.get(asked.url)
    assert 'name="code"' in page.text
    assert 'name="password"' not in page.text
    assert client.post(asked.url, {"password": PASSWORD}).status_code == 422
    assert not ExportJob.objects.exists()


def test_code_is_taken(alice, client):
    proving.has_codes(alice)
    asked = client.post(NEW, FORM)

    client.post(asked.url, {"code": proving.code_now()})

    assert ExportJob.objects.exists()
    assert events("stepup:pass")[0].detail["method"] == "totp"


def test_who_has_nothing_to_prove_it_by_is_told_how(alice, client):
    alice.set_unusable_password()
    alice.save()
    client.force_login(alice)
    proving.minutes_pass(client, 60)

    page = client.get(client.post(NEW, FORM).url)

    assert "sign out and sign in again" in page.text


def test_file_is_given_by_a_page_that_stays(alice, client):
    asked = client.get("/activity/list/csv/?since=2026-01-01")

    page = client.post(asked.url, {"password": PASSWORD})

    assert "Your browser saves the file now." in page.text
    assert 'content="0; url=/activity/list/csv/?since=2026-01-01"' in page.text
    assert 'href="/activity/list/"' in page.text
    assert client.get("/activity/list/csv/?since=2026-01-01")["Content-Type"].startswith("text/csv")


@pytest.mark.parametrize("kind", ["csv", "ndjson", "pdf", "print"])
def test_list_to_keep_asks_first(alice, client, kind):
    assert client.get(f"/activity/list/{kind}/").url.startswith("/check/")


def test_a_page_that_was_asked_for_is_shown_after_it(alice, client):
    asked = client.get("/activity/list/print/")

    assert client.post(asked.url, {"password": PASSWORD}).url == "/activity/list/print/"


def test_form_with_mistakes_is_shown_first(alice, client):
    assert client.post(NEW, {"what": "choose"}).status_code == 422


def test_htmx_goes_to_the_page_as_a_whole(alice, client):
    asked = client.post(NEW, FORM, headers={"HX-Request": "true"})

    assert asked.status_code == 200
    assert asked["HX-Redirect"].startswith("/check/")


def test_a_second_factor_is_not_changed_without_it(alice, client):
    asked = client.get(reverse("mfa_activate_totp"))
    page = client.get(asked.url)

    assert "You are about to change how you sign in." in page.text
    assert client.post(asked.url, {"password": PASSWORD}).url == reverse("mfa_activate_totp")
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


@pytest.mark.parametrize("way", ["reauthenticate", "2fa/reauthenticate", "2fa/reauthenticate/webauthn"])
def test_allauths_own_ways_are_shut(alice, client, way):
    assert client.get(f"/accounts/{way}/").status_code == 404
    assert client.post(f"/accounts/{way}/", {"password": PASSWORD}).status_code == 404
