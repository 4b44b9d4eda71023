"""What is over goes by itself: rows that decide nothing any more, and sessions that ran out."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from accounts import factors, sessions
from accounts.tasks import sweep_sessions
from config.celery import app as celery
from smart import sweeping
from smart.models import RefreshToken, SecurityEvent, Seen
from smart.tasks import sweep
from tests import factories
from tests.smart.app import App

ONLINE = "online_access patient/Patient.rs"


@pytest.fixture
def online(browser) -> App:
    return App(browser, factories.acme_client(notification_uri="https://acme.example/events"), ONLINE)


def seen(count: int) -> None:
    long_ago = timezone.now() - timedelta(days=1)
    Seen.objects.bulk_create(Seen(digest=f"{n:064}", expires_at=long_ago) for n in range(count))


def run_out(app: App) -> None:
    Session.objects.filter(session_key=app.browser.session.session_key).update(
        expire_date=timezone.now() - timedelta(minutes=1)
    )


def test_every_task_of_the_schedule_is_there():
    celery.loader.import_default_modules()

    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in celery.tasks, name


def test_rows_go_a_few_at_a_time(db, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(sweeping, "BATCH", 2)
    seen(5)

    with django_assert_max_num_queries(60) as asked:
        assert sweeping.sweep()["jtis"] == 5

    deletes = [q["sql"] for q in asked.captured_queries if q["sql"].startswith('DELETE FROM "smart_seen"')]
    assert len(deletes) == 3


def test_one_run_ends_and_the_next_goes_on(db, monkeypatch):
    monkeypatch.setattr(sweeping, "BATCH", 2)
    monkeypatch.setattr(sweeping, "MOST", 2)
    seen(5)

    assert [sweeping.sweep()["jtis"], sweeping.sweep()["jtis"]] == [4, 1]


def test_nobody_waits_for_a_row_that_is_held(transactional_db):
    seen(2)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM smart_seen WHERE digest = %s FOR UPDATE", [f"{0:064}"])
            assert sweeping.sweep()["jtis"] == 1
    finally:
        other.close()


def test_a_session_that_ran_out_ends_what_rests_on_it_and_the_app_hears_it(online):
    online.connect()
    run_out(online)

    sweep_sessions()

    assert not Session.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()
    event = SecurityEvent.objects.get()
    assert (event.kind, event.client) == ("ended", online.client)


def test_a_session_that_lives_stays(online):
    token = online.connect()["refresh_token"]

    sweep_sessions()
    sweep()

    assert online.refresh(token).status_code == 200


def test_an_app_hears_of_a_sign_out_once(online):
    online.connect()

    online.browser.post("/accounts/logout/")

    assert [event.kind for event in SecurityEvent.objects.all()] == ["ended"]


def test_an_app_that_is_let_in_from_another_session_hears_nothing(online, alice):
    """The event says of a grant that all of it has ended."""
    online.connect()
    elsewhere = type(online.browser)()
    elsewhere.force_login(alice.user)
    still = App(elsewhere, online.client, ONLINE).connect()["refresh_token"]
    SecurityEvent.objects.all().delete()  # of the choice that took the first one's place

    online.browser.post("/accounts/logout/")

    assert not SecurityEvent.objects.exists()
    assert online.refresh(still).status_code == 200


def test_offline_tokens_hear_nothing_of_a_sign_out(online):
    online.scope = "offline_access patient/Patient.rs"
    online.connect()

    online.browser.post("/accounts/logout/")

    assert not SecurityEvent.objects.exists()


def test_online_access_lasts_no_longer_than_any_session(online):
    token = online.connect()["refresh_token"]
    session = SessionStore(online.browser.session.session_key)
    session[sessions.STARTED] = factors.now() - 12 * 3600 + 60
    session.save()
    token = online.refresh(token).json()["refresh_token"]
    session[sessions.STARTED] = factors.now() - 12 * 3600
    session.save()

    assert online.refresh(token).json()["error"] == "invalid_grant"
