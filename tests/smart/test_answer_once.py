"""An answer counts once, from the person and for the words that the page showed."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent.models import Consent
from smart import requests, tokens
from smart.models import AuthorizationRequest, Client, Grant
from tests import factories
from tests.smart.app import App, answer_of


def test_F14_a_form_that_is_sent_twice_shares_once(app):
    page = app.page()
    first = answer_of(app.answer(page))
    second = answer_of(app.browser.post(page, {"do": "share", "what": "all", "days": "365"}))

    assert first["code"] == second["code"]
    assert Consent.objects.get().current_number == 1
    assert app.redeem(second["code"]).status_code == 200


def test_A1_a_code_whose_key_is_no_more_is_not_sent_again(app, settings):
    page = app.page()
    first = answer_of(app.answer(page))
    asked = AuthorizationRequest.objects.get()
    settings.SECRET_KEY = "the-key-of-another-server-that-is-long-enough-to-be-one"

    assert requests.earlier_answer(asked, asked.user) is None
    assert app.redeem(first["code"]).status_code == 200


def waiting_for_a_lock() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def double_click(app: App, page: str, form: dict[str, str]) -> list[HttpResponse]:
    """Both forms have arrived, and wait for the row, before either is answered."""

    def press() -> HttpResponse:
        browser = Browser()
        browser.cookies = app.browser.cookies
        try:
            return browser.post(page, form)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as presses, transaction.atomic():
        AuthorizationRequest.objects.select_for_update().get()
        sent = [presses.submit(press) for _ in range(2)]
        for _ in range(600):
            if waiting_for_a_lock() == 2:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the forms did not wait for the row")
    return [press.result() for press in sent]


def test_F14_a_double_click_on_share_gives_the_app_the_same_code_twice(racing_app):
    page = racing_app.page()

    answers = [answer_of(response) for response in double_click(racing_app, page, racing_app.form(page))]

    assert answers[0] == answers[1]
    assert tokens.checksum(answers[0]["code"]) == Grant.objects.get().code
    assert Consent.objects.get().current_number == 1


def test_F14_a_double_click_on_no_is_one_no(racing_app):
    page = racing_app.page()

    sent = double_click(racing_app, page, racing_app.form(page, do="deny"))

    assert [answer_of(response)["error"] for response in sent] == ["access_denied"] * 2
    assert AuditEvent.objects.filter(type="consent:refuse").count() == 1


def refused_without_an_answer(response: HttpResponse) -> bool:
    """A page that says so, and nothing on record."""
    assert not Consent.objects.exists()
    assert not AuditEvent.objects.filter(type="consent:refuse").exists()
    assert AuthorizationRequest.objects.get().answered_at is None
    return (
        response.status_code == 409
        and "Location" not in response
        and "We did not use your answer" in response.content.decode()
    )


@pytest.mark.parametrize("do", ["share", "deny"])
def test_A16_nobody_answers_a_page_that_was_shown_to_someone_else(app, do):
    page = app.page()
    form = app.form(page, do=do)
    app.browser.force_login(factories.create_patient("Mallory Quinn").user)

    assert refused_without_an_answer(app.browser.post(page, form))


@pytest.mark.parametrize("do", ["share", "deny"])
def test_A16_once_someone_else_was_asked_the_earlier_page_is_over(app, alice, do):
    page = app.page()
    form = app.form(page, do=do)
    mallory = Browser()
    mallory.force_login(factories.create_patient("Mallory Quinn").user)
    mallory.get(page)

    assert refused_without_an_answer(app.browser.post(page, form))

    app.answer(page)
    assert Consent.objects.get().patient == alice


@pytest.mark.parametrize("do", ["share", "deny"])
def test_A16_a_page_that_was_never_shown_cannot_be_answered(app, do):
    page = app.page()
    form = {"do": do, "what": "all", "days": "30"}

    assert refused_without_an_answer(app.browser.post(page, form))
    assert refused_without_an_answer(app.browser.post(page, form | {"shown": "0" * 64}))
    app.browser.get(page)
    assert refused_without_an_answer(app.browser.post(page, form))


@pytest.mark.parametrize("do", ["share", "deny"])
def test_A16_of_two_tabs_in_two_languages_the_later_one_counts(app, do):
    page = app.page()
    english = app.form(page, do=do)
    app.browser.cookies["django_language"] = "es"
    spanish = app.form(page, do=do)

    app.browser.cookies["django_language"] = "en"
    assert refused_without_an_answer(app.browser.post(page, english))

    answer_of(app.browser.post(page, spanish))
    if do == "share":
        version = Consent.objects.get().current
        assert version.text_language == "es"
        assert "¿" in version.text_shown


def test_A16_a_record_that_came_after_the_page_is_asked_for_first(app, alice):
    app.browser.force_login(factories.create_user("Amir Moreno"))
    page = app.page()
    form = app.form(page)
    user = AuthorizationRequest.objects.get().shown_to
    type(alice).objects.filter(pk=alice.pk).update(user=user)

    response = app.browser.post(page, form)

    assert "What it asks to see" in response.content.decode()
    assert not Consent.objects.exists()


def test_a_page_that_is_opened_again_after_the_answer_leaves_the_kept_words(app):
    page = app.page()
    app.answer(page)
    before = AuthorizationRequest.objects.values("shown_to", "text_shown", "text_language").get()

    # As a page does that was asked for before the answer, and is ready after it.
    asked = AuthorizationRequest.objects.get()
    requests.show(asked, to=factories.create_user("Mallory Quinn"), text="else", language="es")

    assert AuthorizationRequest.objects.values("shown_to", "text_shown", "text_language").get() == before


def test_an_answer_cannot_be_changed_once_it_was_given(app):
    page = app.page()
    app.answer(page, do="deny")

    assert answer_of(app.answer(page))["error"] == "access_denied"
    assert not Consent.objects.exists()


def test_a_used_request_says_so(app):
    page = app.page()
    app.redeem(answer_of(app.answer(page))["code"])

    response = app.browser.post(page, {"do": "share", "what": "all", "days": "30"})
    assert response.status_code == 410
    assert "Location" not in response


def test_someone_elses_answer_is_not_given_away(app):
    page = app.page()
    app.answer(page)
    app.browser.force_login(factories.create_patient("Mallory Quinn").user)

    response = app.browser.post(page, {"do": "share", "what": "all", "days": "30"})
    assert response.status_code == 410
    assert "Location" not in response


def test_a_request_that_waited_too_long_is_over(app):
    page = app.page()
    AuthorizationRequest.objects.update(created_at=timezone.now() - timedelta(hours=2))

    assert app.browser.get(page).status_code == 410
    assert app.browser.post(page, {"do": "share", "what": "all", "days": "30"}).status_code == 410
    assert not Consent.objects.exists()


def test_a_client_that_was_blocked_meanwhile_gets_nothing(app):
    page = app.page()
    form = app.form(page)
    Client.objects.update(status=Client.Status.BLOCKED)

    response = app.browser.post(page, form)

    assert response.status_code == 400
    assert not Consent.objects.exists()
    assert AuthorizationRequest.objects.get().answered_at is None
