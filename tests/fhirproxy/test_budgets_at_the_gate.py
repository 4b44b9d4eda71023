"""Budgets at every door: 429 with Retry-After and an OperationOutcome, and no way around (A22, A26)."""

import secrets

import pytest
from django.test import Client as Browser

from audit.models import AuditEvent
from consent.vocabulary import Category
from exports import commands, runs
from tests import factories
from tests.fhirproxy.conftest import an_address, exceeded, issue

pytestmark = pytest.mark.django_db

LABS = "Observation?category=laboratory"


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def token(alice):
    return issue(factories.create_consent(alice))


def statuses(get, token: str, *paths: str) -> list[int]:
    return [get(token, path).status_code for path in paths]


def test_A26_too_many_requests_are_429_and_say_when_to_come_back(token, get, limit):
    limit({"client-patient.requests": 2})
    assert statuses(get, token, LABS, LABS) == [200, 200]
    answer = get(token, LABS)

    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert answer["Content-Type"] == "application/fhir+json"
    assert answer.json()["issue"][0]["code"] == "throttled"


def test_A26_the_log_has_one_row_for_all_that_was_throttled(token, get, limit):
    limit({"client-patient.requests": 1})
    statuses(get, token, *[LABS] * 6)

    assert len(exceeded()) == 1
    assert AuditEvent.objects.filter(type="record:search").count() == 1


def test_A26_what_is_not_served_is_counted_like_the_rest(token, get, limit):
    """Each writes a row of the log, so none may come around the budget."""
    limit({"client-patient.requests": 3})

    assert statuses(get, token, "Nonsense/1", "Observation?_summary=count", "Observation/1/x", LABS) == [
        404,
        400,
        404,
        429,
    ]


def test_A26_a_token_that_has_ended_is_counted_too(alice, get, limit):
    limit({"client-patient.requests": 1})
    ended = issue(factories.create_consent(alice), minutes=-1)

    assert statuses(get, ended, LABS, LABS) == [401, 429]


def test_A22_guessing_ids_ends_in_429_for_right_guesses_too(alice, token, get, limit):
    limit({"client-patient.refusals": 3})
    mine, theirs = factories.fhir_id(alice), factories.fhir_id(factories.mallory())
    guesses = [f"Observation/{theirs}-ldl", f"Patient/{theirs}", f"Observation?patient={theirs}"]

    assert statuses(get, token, *guesses, f"Observation/{mine}-ldl") == [404, 404, 200, 429]


@pytest.mark.parametrize("path", ["Patient/{}", "Observation?patient={}", "Observation/{}-ldl"])
def test_A22_a_right_guess_and_a_wrong_one_count_alike(alice, get, limit, path):
    """Else the moment of the 429 would tell who exists."""
    limit({"client-patient.refusals": 2})
    guesses = [factories.fhir_id(factories.mallory()), "no-such-id"]
    right, wrong = (
        statuses(get, issue(factories.create_consent(alice)), *[path.format(guess)] * 3) for guess in guesses
    )

    assert right == wrong
    assert right[-1] == 429


def test_A22_what_the_consent_withholds_counts_as_refused(alice, get, limit):
    limit({"client-patient.refusals": 2})
    token = issue(factories.create_consent(alice, categories=[Category.VITAL_SIGNS]))

    assert statuses(get, token, LABS, LABS, "Patient/1") == [403, 403, 429]


def test_A26_resources_are_counted_as_they_leave(alice, token, get, limit):
    limit({"client-patient.resources": 3})
    factories.load_records(*(factories.lab_result(alice, f"more-{n}") for n in range(3)))
    page = f"{LABS}&_count=2"

    assert statuses(get, token, page, page, page) == [200, 200, 429]
    assert exceeded()[0].detail["budget"] == "client-patient.resources"


def test_A26_P13_junk_writes_no_more_rows_than_its_budget(limit):
    limit({"address.tokens": 3})
    address = an_address()

    def junk() -> int:
        header = {"authorization": f"Bearer {secrets.token_urlsafe()}"}
        return Browser().get("/fhir/r4/Patient", headers=header, REMOTE_ADDR=address).status_code

    assert [junk() for _ in range(6)] == [401] * 3 + [429] * 3
    assert AuditEvent.objects.filter(reasons=["token.unknown"]).count() == 3
    assert len(exceeded()) == 1


def test_an_app_in_a_browser_may_read_when_to_come_back(token, limit):
    limit({"client-patient.requests": 0})
    headers = {"authorization": f"Bearer {token}", "origin": "http://127.0.0.1:8001"}
    answer = Browser().get(f"/fhir/r4/{LABS}", headers=headers)

    assert answer.status_code == 429
    assert "Retry-After" in answer["Access-Control-Expose-Headers"]


def test_F6_without_valkey_the_gate_answers(token, get, limit, tmp_path):
    limit({"client-patient.requests": 2}, REDIS_URL=f"unix://{tmp_path}/nobody.sock")

    assert statuses(get, token, LABS, LABS, LABS) == [200, 200, 429]


def test_a_person_who_asks_too_much_gets_a_page_that_says_so(alice, client, limit):
    limit({"person.requests": 0})
    client.force_login(alice.user)
    page = client.get("/results/").content.decode()

    assert "LDL" not in page
    assert "<h1" in page
    assert len(exceeded()) == 1


def test_a_copy_of_a_record_is_made_whole_whatever_its_size(alice, limit, settings, tmp_path):
    """It is no person's clicking: `exports` has its own bounds."""
    settings.EXPORT_FOLDER = tmp_path
    limit({"person.requests": 0})
    job = commands.kickoff(patient=alice, by=alice.user, categories=(), include_sensitive=False)
    runs.run(job.id)
    job.refresh_from_db()

    assert job.status == job.Status.COMPLETED
    assert exceeded() == []
