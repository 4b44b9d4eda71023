"""Links under attack: guesses, many at once, words that are code, secrets where none may be."""

import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from audit.models import AuditEvent
from exports.models import HealthLink, HealthLinkFile, HealthLinkOpening
from exports.shl.payload import Secret
from fhirproxy import budgets
from tests.exports.shl.receiving import Link, make, results

AT_ONCE = 50
ASKED = json.dumps({"recipient": "Mallory"})


@pytest.fixture
def _no_budget(monkeypatch):
    """What is shown here must not rest on a budget that runs out first."""
    monkeypatch.setattr(budgets, "admit_link", lambda link_id: None)
    monkeypatch.setattr(budgets, "admit_address", lambda *_: None)
    monkeypatch.setattr(budgets, "strike", lambda *_: None)


def at_once(ask, most: int = AT_ONCE) -> list[int]:
    """The statuses of as many requests, each on a connection of its own."""

    def one(index: int) -> int:
        try:
            return ask(index).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(most)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_no_budget")
def test_fifty_wrong_passcodes_at_once_count_exactly_and_lock_the_link_for_good(alice):
    made = make(alice, passcode=True)
    link = Link.read(made.uri)
    wrong = [p for p in (f"{n:06}" for n in range(AT_ONCE + 1)) if p != made.passcode]
    statuses = at_once(lambda index: link.post(passcode=wrong[index]))

    assert (statuses.count(401), statuses.count(404)) == (10, 40)
    made.link.refresh_from_db()
    assert (made.link.attempts_left, made.link.sealed, made.link.passcode_hash) == (0, "", "")
    assert link.post(passcode=made.passcode).status_code == 404
    assert not HealthLinkFile.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_no_budget")
@pytest.mark.parametrize("terms", [{}, {"is_live": True}], ids=["snapshot", "live"])
def test_a_link_for_one_opening_is_opened_once_however_many_ask(alice, terms):
    link = Link.read(make(alice, opens=1, **terms).uri)
    statuses = at_once(lambda index: link.post(), 12)

    assert sorted(statuses) == [200, *[404] * 11]
    assert HealthLinkOpening.objects.filter(opened=True).count() == 1


@pytest.mark.django_db
def test_a_wrong_passcode_says_how_many_are_left_and_none_at_all_costs_none(alice):
    made = make(alice, passcode=True)
    link = Link.read(made.uri)
    first, second, none = link.post(passcode="x"), link.post(passcode="y"), link.post()

    assert [a.status_code for a in (first, second, none)] == [401] * 3
    assert [a.json() for a in (first, second, none)] == [{"remainingAttempts": n} for n in (9, 8, 8)]
    assert results(link.bundle(passcode=made.passcode)) == ["LDL cholesterol"]
    denied = AuditEvent.objects.filter(type="link:open", outcome="deny")
    assert [row.reasons for row in denied] == [["link.passcode"]] * 3


@pytest.mark.django_db
def test_guesses_of_addresses_find_nothing_and_are_stopped(alice, monkeypatch):
    budgets.tally.cache_clear()
    made = make(alice)
    kept = Link.read(made.uri)
    guess = f"/shl/{Secret.new().address}"
    # The hash that the database has, and the id that the portal's pages have, open nothing.
    for address in (guess, f"/shl/{made.link.address_hash}", f"/shl/{made.link.pk}", kept.path[:-1]):
        assert Client().post(address, ASKED, content_type="application/json").status_code == 404
    monkeypatch.setitem(budgets.budgets(), "address.tokens", budgets.Budget("address.tokens", 6))
    statuses = [Client().post(guess, ASKED, content_type="application/json").status_code for _ in range(4)]
    assert statuses == [404, 404, 429, 429]  # four were counted before
    rows = AuditEvent.objects.filter(type="link:open", reasons=["link.unknown"])
    assert {(row.actor, row.patient) for row in rows} == {("User/anonymous", "")}


HOSTILE = '=HYPERLINK("https://evil.example") <script>alert(1)</script> \u202e\n@SUM(1)'


@pytest.mark.django_db
def test_the_recipients_own_words_are_text_wherever_they_are_shown(alice, client):
    made = make(alice)
    Link.read(made.uri).post(recipient=HOSTILE)
    client.force_login(alice.user)
    activity = client.get("/activity/").text
    page = client.get(f"/sharing/links/{made.link.pk}/").text
    saved = client.get("/activity/list/csv/")
    csv = (b"".join(saved.streaming_content) if saved.streaming else saved.content).decode()

    for shown in (activity, page):
        assert "&lt;script&gt;" in shown
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
    assert "we cannot check that" in activity
    assert "we cannot check that" in csv
    assert all(not cell.startswith(("=", "@", "+")) for row in csv.splitlines() for cell in row.split('","'))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What our own log writes."""
    told = io.StringIO()
    handlers = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
    before = [handler.setStream(told) for handler in handlers]
    yield told
    for handler, stream in zip(handlers, before, strict=True):
        if stream:
            handler.setStream(stream)


@pytest.mark.django_db
@pytest.mark.parametrize("terms", [{"passcode": True}, {"passcode": True, "is_live": True}])
def test_the_key_is_in_no_log_no_event_and_no_row(alice, terms, log):
    made = make(alice, **terms)
    link = Link.read(made.uri)
    link.post(passcode="000000")
    link.post(passcode=made.passcode)
    key, address = link.payload["key"], link.payload["url"].rpartition("/")[2]
    rows = json.dumps(
        [list(model.objects.values()) for model in (HealthLink, HealthLinkFile, HealthLinkOpening)],
        default=str,
    )
    events = json.dumps(list(AuditEvent.objects.values()), default=str)
    said = log.getvalue()

    assert "shl/<str:address>" in said  # the log tells the route
    for secret in (key, address):
        assert all(secret not in told for told in (rows, events, said))


@pytest.mark.django_db
def test_an_address_tells_nothing_of_a_person(alice):
    said = Link.read(make(alice, label="For Dr Lee").uri).payload["url"]

    for word in (alice.name, str(alice.pk), str(alice.user.pk), "Lee"):
        assert word not in said


@pytest.mark.django_db
def test_a_database_that_leaked_opens_no_snapshot(alice):
    """All that stands in its rows: a JWE without its key, and no sealed one."""
    made = make(alice)
    assert HealthLink.objects.get().sealed == ""
    header = made.link.files.get().body.split(".")

    assert header[1] == ""  # alg dir: no key goes along
