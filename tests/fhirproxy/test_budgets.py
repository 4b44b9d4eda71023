"""Who may ask for how much, what is said beyond it, and what the log keeps of that (A22, A26, P13, F6)."""

import itertools
import secrets
from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.test import RequestFactory

from audit.words import REASONS
from config import env
from consent import authority, bearers
from fhirproxy import budgets
from fhirproxy.outcomes import Refusal
from smart.models import AccessToken
from tests import factories
from tests.fhirproxy.conftest import an_address, exceeded, issue

pytestmark = pytest.mark.django_db


def app(patient, client):
    """A client with a patient's token, as the gate knows it."""
    return bearers.from_bearer(issue(factories.create_consent(patient, client)))


@pytest.fixture
def acme():
    return factories.acme_client()


@pytest.fixture
def alices_app(acme):
    return app(factories.alice(), acme)


def admitted(requester) -> int:
    """How many interactions pass before the first refusal."""
    for count in itertools.count():
        try:
            budgets.admit(requester)
        except Refusal:
            return count
    return 0


def refusal_of(call, *arguments) -> Refusal:
    with pytest.raises(Refusal) as refused:
        call(*arguments)
    return refused.value


def test_A26_a_client_has_a_budget_with_each_patient(limit, acme, alices_app):
    limit({"client-patient.requests": 3})

    assert admitted(alices_app) == 3
    assert admitted(app(factories.mallory(), acme)) == 3


def test_A26_many_tokens_of_one_client_share_its_budget(limit, acme, alices_app):
    """Bulk enumeration with a token for each of many patients."""
    limit({"client.requests": 4, "client-patient.requests": 3})

    assert admitted(alices_app) == 3
    assert admitted(app(factories.mallory(), acme)) == 1


def test_A26_all_clients_of_a_patient_share_the_records_budget(limit):
    limit({"patient.requests": 5, "client-patient.requests": 3})
    alice = factories.alice()

    assert admitted(app(alice, factories.acme_client())) == 3
    assert admitted(app(alice, factories.acme_client())) == 2
    assert admitted(app(factories.mallory(), factories.acme_client())) == 3


def test_A26_what_is_refused_spends_nothing_of_what_all_share(limit, acme, alices_app):
    """One patient's runaway app, or somebody with a token of their own, cannot shut the others out."""
    limit({"client.requests": 5, "client-patient.requests": 3})
    for _ in range(20):
        admitted(alices_app)

    assert admitted(app(factories.mallory(), acme)) == 2


def test_A26_resources_that_were_let_out_count_for_an_hour(limit, alices_app):
    limit({"client-patient.resources": 500})
    budgets.admit(alices_app)
    budgets.spent(alices_app, 499)
    budgets.admit(alices_app)
    budgets.spent(alices_app, 1)
    refused = refusal_of(budgets.admit, alices_app)

    assert (refused.status, refused.response().status) == (429, 429)
    assert "_lastUpdated" in refused.diagnostics
    assert 1 <= int(refused.headers["Retry-After"]) <= 3_600


def test_A26_the_resources_of_all_patients_count_for_the_client(limit, acme, alices_app):
    limit({"client.resources": 500})
    budgets.spent(alices_app, 300)
    budgets.spent(app(factories.mallory(), acme), 200)

    assert admitted(alices_app) == 0


def test_A22_whoever_guesses_is_stopped_before_the_next_guess(limit, alices_app):
    """From then on there is one answer to all questions, also to those that would have been right."""
    limit({"client-patient.refusals": 3})
    for _ in range(3):
        budgets.admit(alices_app)
        budgets.refused(alices_app)
    refused = refusal_of(budgets.admit, alices_app)

    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_A22_guesses_under_many_tokens_count_for_the_client(limit, acme, alices_app):
    limit({"client.refusals": 2})
    mallorys_app = app(factories.mallory(), acme)
    budgets.refused(alices_app)
    budgets.refused(mallorys_app)

    assert (admitted(alices_app), admitted(mallorys_app)) == (0, 0)


def test_a_person_has_a_budget_of_their_own_and_no_other(limit):
    names = [b.name for b in budgets.BUDGETS if not b.name.startswith("person")]
    limit(dict.fromkeys(names, 0) | {"person.requests": 7})
    alice = factories.alice()
    herself = authority.for_own_record(alice.user, alice, now=None)
    for _ in range(100):
        budgets.refused(herself)
        budgets.spent(herself, 1_000)

    assert admitted(herself) == 7


def test_the_refusal_says_how_long_to_wait(limit, alices_app):
    limit({"client-patient.requests": 0})
    refused = refusal_of(budgets.admit, alices_app)
    wait = refused.headers["Retry-After"]

    assert f"Try again in {wait} seconds." in refused.diagnostics
    assert b'"throttled"' in refused.response().body


@pytest.mark.parametrize("counted", sorted({b.counted for b in budgets.BUDGETS}))
def test_every_budget_can_be_said(counted):
    assert "{wait}" in budgets.SAID[counted]
    in_no_patients_list = {"tokens", "exports", "polls"}  # a token nobody has; a service's exports of many
    assert counted in in_no_patients_list or f"budget.{counted}" in REASONS


# What the log keeps


def test_crossing_a_budget_is_one_event_and_not_one_a_request(limit, acme, alices_app):
    limit({"client-patient.requests": 2})
    for _ in range(5):
        admitted(alices_app)
    [event] = exceeded()

    assert (event.outcome, event.reasons) == ("deny", ["budget.requests"])
    assert (event.actor, event.client, event.role) == (alices_app.actor, f"Client/{acme.client_id}", "client")
    assert event.patient == f"Patient/{alices_app.patient_id}"
    assert event.detail == {"budget": "client-patient.requests", "limit": 2}


def test_another_budget_and_another_patient_are_events_of_their_own(limit, acme, alices_app):
    limit({"client-patient.requests": 2, "client-patient.refusals": 1})
    admitted(alices_app)
    mallorys_app = app(factories.mallory(), acme)
    budgets.refused(mallorys_app)
    admitted(mallorys_app)

    assert [e.detail["budget"] for e in exceeded()] == ["client-patient.requests", "client-patient.refusals"]


def test_an_event_that_could_not_be_written_is_written_by_the_next(limit, alices_app, monkeypatch):
    limit({"client-patient.requests": 0})
    with monkeypatch.context() as broken:
        broken.setattr(budgets, "record", failing)
        with pytest.raises(DatabaseError):
            budgets.admit(alices_app)
    assert exceeded() == []

    refusal_of(budgets.admit, alices_app)
    assert len(exceeded()) == 1


def failing(entry):
    raise DatabaseError("no log")


def test_the_log_does_not_learn_an_address(limit):
    limit({"address.requests": 0})
    one, other = an_address(), an_address()
    refusal_of(budgets.admit_address, one)
    refusal_of(budgets.admit_address, other)
    first, second = exceeded()

    assert (first.actor, first.patient, first.client) == ("User/anonymous", "", "")
    assert len(first.detail["address"]) == 6
    assert first.detail["address"] != second.detail["address"]
    assert one not in first.payload


# Junk, and the addresses it comes from


def junk() -> str:
    return secrets.token_urlsafe(32)


def test_A26_P13_junk_is_turned_away_before_it_costs_sql(limit, django_assert_num_queries):
    limit({"address.tokens": 3})
    address = an_address()
    assert [budgets.from_bearer(junk(), address) for _ in range(3)] == [None] * 3
    refused = refusal_of(budgets.from_bearer, junk(), address)

    assert refused.status == 429
    assert "Get a new access token" in refused.diagnostics
    with django_assert_num_queries(0):
        refusal_of(budgets.from_bearer, junk(), address)


def test_A26_junk_from_a_clinics_address_does_not_shut_out_its_good_tokens(limit):
    limit({"address.tokens": 3})
    address, good = an_address(), issue(factories.create_consent(factories.alice()))
    assert budgets.from_bearer(good, address)
    for _ in range(3):
        budgets.from_bearer(junk(), address)

    refusal_of(budgets.from_bearer, junk(), address)
    assert budgets.from_bearer(good, address)


def test_a_token_that_nobody_has_any_more_is_junk_again(limit):
    limit({"address.tokens": 2})
    alice, address = factories.alice(), an_address()
    good = issue(factories.create_consent(alice))
    budgets.from_bearer(good, address)
    AccessToken.objects.filter(patient=alice).delete()
    assert [budgets.from_bearer(good, address) for _ in range(2)] == [None, None]

    refusal_of(budgets.from_bearer, good, address)


def test_known_tokens_are_forgotten_in_the_end(monkeypatch):
    monkeypatch.setattr(budgets, "MOST_KNOWN", 2)
    known = budgets._Known()
    for token in ("a", "b", "c"):
        known.add(token)

    assert [token in known for token in ("", "a", "b", "c")] == [False, False, True, True]


def test_an_address_has_a_budget_of_requests(limit):
    limit({"address.requests": 3})
    address = an_address()
    for _ in range(3):
        budgets.admit_address(address, "any")

    assert refusal_of(budgets.admit_address, address, "any").status == 429


def test_an_address_that_is_not_known_is_not_counted(limit):
    limit({"address.requests": 0, "address.tokens": 0})
    budgets.admit_address("")
    budgets.strike("")

    assert exceeded() == []


@pytest.mark.parametrize(
    ("trusted", "connected", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),  # not believed
        (1, "192.0.2.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # what stands left of it is forged
        (2, "192.0.2.1", "203.0.113.9, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (2, "192.0.2.1", "198.51.100.7", "192.0.2.1"),  # came around a proxy
        (1, "192.0.2.1", "", "192.0.2.1"),
        (1, "192.0.2.1", "rubbish", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.7:4711", "198.51.100.7"),
        (1, "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        (0, "2001:db8:1:2:aaaa::1", "", "2001:db8:1:2::/64"),
        (0, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (0, "fe80::1%eth0", "", "fe80::/64"),
        (0, "", "", ""),
        (0, "local", "", ""),
    ],
)
def test_address_of(settings, trusted, connected, forwarded, address):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = trusted
    header = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}

    assert budgets.address_of(RequestFactory().get("/", REMOTE_ADDR=connected, **header)) == address


# What an operator may change


def test_settings_change_one_budget_and_multiply_all(limit):
    limit({"client.requests": 7}, BUDGET_FACTOR=10)
    table = budgets.budgets()

    assert table["client.requests"].limit == 70
    assert table["address.tokens"] == replace(budgets.BUDGETS[-1], limit=600)


def test_a_budget_that_does_not_exist_stops_the_start(limit):
    limit({"client.request": 7})

    with pytest.raises(ImproperlyConfigured, match=r"client\.request;"):
        budgets.budgets()


@pytest.mark.parametrize(
    ("text", "numbers"), [("", {}), ("a.b=1", {"a.b": 1}), (" a = 1 , b-c=20", {"a": 1, "b-c": 20})]
)
def test_named_numbers_are_read(monkeypatch, text, numbers):
    monkeypatch.setenv("BUDGETS", text)

    assert env.numbers("BUDGETS") == numbers


@pytest.mark.parametrize("text", ["a", "a=", "a=many", "a=1.5"])
def test_what_is_no_named_number_is_refused_with_the_variables_name(monkeypatch, text):
    monkeypatch.setenv("BUDGETS", text)

    with pytest.raises(env.BadVariable, match="BUDGETS takes name=number"):
        env.numbers("BUDGETS")


def test_F6_without_valkey_budgets_hold_and_requests_pass(limit, alices_app, tmp_path):
    limit({"client-patient.requests": 8}, REDIS_URL=f"unix://{tmp_path}/nobody.sock", WEB_PROCESSES=4)

    assert admitted(alices_app) == 2
    assert len(exceeded()) == 1
