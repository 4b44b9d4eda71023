"""A21: a word that stands in a record is looked for in everything that is not the record.

A patient whose record holds the word does what patients, apps and strangers do, well and badly; then each
place that keeps or sends something is searched for it.
"""

import io
import logging
import secrets
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.db import DataError, IntegrityError, connection
from django.test import Client as Browser

from audit.models import AuditEvent
from exports import commands as exports
from fhirproxy.upstream import embedded
from notices.models import Notice
from tests import factories
from tests.audit.cast import connected_as
from tests.fhirproxy.conftest import issue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def canary():
    return f"kanarie{secrets.token_hex(6)}"


@pytest.fixture
def logged():
    """All that goes to standard output, by the handler that the programs have."""
    handlers = [
        h for h in logging.getLogger().handlers if any(type(f).__name__ == "NoArguments" for f in h.filters)
    ]
    stream = io.StringIO()
    before = handlers[0].setStream(stream)
    yield stream
    handlers[0].setStream(before)


@pytest.fixture
def sent(monkeypatch):
    """What goes to the queue: names, arguments and headers of tasks."""
    told = []
    monkeypatch.setattr(current_app, "send_task", lambda *given, **named: told.append((given, named)))
    return told


@pytest.fixture
def alice(canary):
    patient = factories.create_patient("Alice Moreno")
    result = factories.lab_result(
        patient, code={"text": canary}, note=[{"text": f"a note of {canary}"}], valueString=canary
    )
    result.pop("valueQuantity")
    factories.load_records(factories.patient_record(patient), result)
    return patient


def walk(alice, canary, monkeypatch):
    """The addresses and bodies that were answered, with the addresses that answers named."""
    browser, app, stranger = Browser(raise_request_exception=False), Browser(), Browser()
    browser.force_login(alice.user)
    token = issue(factories.create_consent(alice))
    bearer = {"authorization": f"Bearer {token}"}
    pages = ["/", "/results/", "/records/", "/activity/", "/sharing/", "/apps/", f"/activity/?app={canary}"]
    answers = [browser.get(page) for page in pages]
    answers += [app.get("/fhir/r4/Observation", headers=bearer)]
    refused = [
        app.get(f"/fhir/r4/Observation?code:text={canary}", headers=bearer),
        app.get(f"/fhir/r4/Observation/{canary}", headers=bearer),
        app.get(f"/fhir/r4/{canary}", headers=bearer),
        app.get("/fhir/r4/Observation", headers={"authorization": f"Bearer {canary}"}),
        app.post("/fhir/r4/", f'{{"{canary}"', content_type="application/fhir+json", headers=bearer),
        browser.get(f"/results/{canary}/"),
        browser.get(f"/nowhere/{canary}/"),
        stranger.post("/accounts/login/", {"login": f"{canary}@demo.example", "password": canary}),
        stranger.get(f"/o/authorize/?client_id={canary}&state={canary}"),
        stranger.post("/o/token/", {"grant_type": "authorization_code", "code": canary, "client_id": canary}),
    ]
    exports.kickoff(patient=alice, by=alice.user, categories=["test-results"], include_sensitive=False)
    with monkeypatch.context() as patch:  # what nobody foresaw, with the word in its message

        def fail(*given, **named):
            raise RuntimeError(canary)

        patch.setattr(embedded.Embedded, "send", fail)
        refused += [
            browser.get("/results/"),
            Browser(raise_request_exception=False).get("/fhir/r4/Observation", headers=bearer),
        ]
    return answers, refused


def test_A21_no_word_of_a_record_is_in_any_sink(alice, canary, logged, sent, monkeypatch):
    answers, _ = walk(alice, canary, monkeypatch)

    assert canary in b"".join(a.content for a in answers).decode(), "the record was never shown"
    assert AuditEvent.objects.filter(type__startswith="record:").exists()
    assert sent, "nothing was sent to the queue"
    sinks = {
        "logs": logged.getvalue(),
        "audit log": "".join(AuditEvent.objects.values_list("payload", flat=True)),
        "queue": repr(sent),
        "outbox": repr(list(Notice.objects.values())),
        "e-mail": "".join(message.message().as_string() for message in mail.outbox),
        "Valkey": in_valkey(),
        "addresses": " ".join(a.headers.get("Location", "") for a in answers),
        "headers": repr([dict(a.headers) for a in answers]),
    }
    assert [name for name, text in sinks.items() if canary in text] == []
    assert logged.getvalue().count("\n") > 5


def test_A21_postgresqls_own_log_holds_no_word_of_a_record(alice, canary, sent, monkeypatch):
    with connected_as("postgres") as superuser:
        (data,) = superuser.execute("SHOW data_directory").fetchone()
    file = Path(data) / "log"
    before = file.stat().st_size

    walk(alice, canary, monkeypatch)
    with pytest.raises(IntegrityError):  # the whole row would stand in the server's message
        Notice.objects.create(kind=canary, context={canary: canary}, email=canary, attempts=None)
    with pytest.raises(DataError):  # and here what was given
        Notice.objects.create(kind=canary, context={}, language=canary * 100)

    with file.open("rb") as written:
        written.seek(before)
        told = written.read().decode(errors="replace")
    assert told.count("ERROR") >= 2, "this is not the server's log"
    assert canary not in told


def test_A21_an_error_says_nothing_of_what_was_in_it(alice, canary, monkeypatch):
    _, refused = walk(alice, canary, monkeypatch)

    failed = [answer for answer in refused if answer.status_code >= 500]
    assert failed
    assert [a.request["PATH_INFO"] for a in failed if canary in a.content.decode()] == []


def in_valkey() -> str:
    """Every key, and what is in it."""
    store = redis.Redis.from_url(settings.REDIS_URL)
    read = {
        b"string": store.get,
        b"hash": store.hgetall,
        b"list": lambda key: store.lrange(key, 0, -1),
        b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1),
    }
    cache.set("canary-test", "1", 60)
    keys = list(store.scan_iter(count=1000))
    assert keys
    return repr([(key, read[store.type(key)](key)) for key in keys if store.exists(key)])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("log_statement", "none"),
        ("log_min_duration_statement", "-1"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_error_verbosity", "terse"),
    ],
)
def test_A21_postgresql_writes_no_values_into_its_log(setting, value):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {setting}")
        assert cursor.fetchone()[0] == value
