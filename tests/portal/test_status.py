"""/status/ as a page: in plain words, for everybody, and without an address of ours."""

import pytest
from django.core.cache import cache
from django.db import DatabaseError
from redis.exceptions import RedisError

from audit.models import LogState
from fhirproxy import health
from fhirproxy.models import Source
from portal.views import status
from tests import factories

pytestmark = pytest.mark.django_db
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def far():
    cache.clear()
    factories.create_source()
    source = Source.objects.create(
        slug="far", name="Far Clinic", kind="http", base_url="http://127.0.0.1:9/internal", connect_timeout=1
    )
    status._is_log_in_time.cache_clear()
    return source


def test_it_is_found_from_every_page(client, far):
    for page in ("/help/", "/accounts/login/", "/status/"):
        assert 'href="/status/"' in client.get(page, headers=BROWSER).text


def test_nobody_knows_before_it_was_asked(client, far):
    page = client.get("/status/", headers=BROWSER)

    assert page.status_code == 200
    assert "We do not know yet if it works." in page.text


def test_an_ehr_that_does_not_answer_is_named_with_what_still_works(client, far):
    health.keep(far)

    page = client.get("/status/", headers=BROWSER)

    assert page.status_code == 503
    assert "Far Clinic" in page.text
    assert "It has not answered since" in page.text
    assert "Your other records, sharing and activity still work." in page.text
    assert "127.0.0.1:9" not in page.text
    assert "base_url" not in page.text


def test_since_is_the_first_time_it_did_not_answer(far):
    first = health.keep(far)
    cache.set("ehr-health:far", cache.get("ehr-health:far") | {"since": "2026-01-01T00:00:00+00:00"})

    assert first.since == first.at
    assert health.keep(far).since == "2026-01-01T00:00:00+00:00"


def test_a_slow_one_is_called_slow(client, monkeypatch):
    monkeypatch.setattr(health, "SLOW", 0)
    health.keep(factories.create_source())

    page = client.get("/status/", headers=BROWSER)

    assert page.status_code == 200
    assert "It works, but it is slow." in page.text


def test_before_any_work_in_the_background_nobody_says_that_it_is_late(client):
    factories.create_source()
    cache.clear()

    page = client.get("/status/", headers=BROWSER)

    assert "We do not know yet if messages and downloads are being sent." in page.text
    assert client.get("/status/").json()["parts"]["queue"] is None


def test_programs_get_json(client, far):
    for accept in ("*/*", "application/json"):
        answer = client.get("/status/", headers={"accept": accept})

        assert set(answer.json()) == {"sources", "parts", "log"}
        assert set(answer.json()["parts"]) == {"identity", "queue", "cache", "log"}


def test_a_part_that_fails_is_told_apart(client, far, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise RedisError

    monkeypatch.setattr(status.cache, "get", fails)

    answer = client.get("/status/")

    assert answer.status_code == 503
    assert answer.json()["parts"]["cache"] is False
    assert answer.json()["parts"]["identity"] is True


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_without_a_database_it_still_says_so(client, monkeypatch, accept):
    def fails() -> None:
        raise DatabaseError

    monkeypatch.setattr(health, "findings", fails)

    answer = client.get("/status/", headers={"accept": accept})

    assert answer.status_code == 503
    said = answer.text
    assert "Signing in does not work now." in said or '"identity": false' in said


@pytest.mark.parametrize("state", ["broken", "truncated"])
def test_a_log_that_does_not_verify_is_said_in_both_forms(client, far, state):
    LogState.objects.create(state=state, holds=False, what="entry 41: its row is missing")

    page, document = client.get("/status/", headers=BROWSER), client.get("/status/")

    assert (page.status_code, document.status_code) == (503, 503)
    assert "We found a problem in the record of who looked." in page.text
    assert "Nothing is lost from it" not in page.text
    assert "entry 41" not in page.text + document.text
    assert document.json()["log"] == state


def test_a_log_that_is_well_is_said_to_be(client, far):
    assert client.get("/status/").json()["log"] == "whole"
