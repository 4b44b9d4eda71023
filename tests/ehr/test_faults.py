"""F8 to F11 of the fault matrix, as far as reading goes: what an EHR does wrong, and what an app is told.

In none of them is a part of a record shown as the whole, and not one byte of another patient's leaves.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client as Browser

from audit.models import AuditEvent
from consent import commands
from fhirproxy import upstream, views
from fhirproxy.models import Source
from fhirproxy.upstream import guard
from fhirproxy.upstream import http as upstream_http
from tests.ehr import cast
from tests.ehr.cast import App
from tests.ehr.conftest import Fake
from tests.ehr.mischief import BODIES, bundle
from tests.ehr.records import record

pytestmark = pytest.mark.django_db
LABS = "Observation?category=laboratory"
ALICES = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "category": [{"coding": [{"code": "laboratory"}]}],
    "code": {"text": "Sodium"},
    "subject": {"reference": "Patient/alice-p"},
}


@pytest.fixture(autouse=True)
def _hardly_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it waits before it tries again is not what is tried here."""
    monkeypatch.setattr(upstream_http, "FIRST_PAUSE", 0.01)


@pytest.fixture
def source(fake: Fake) -> Source:
    fake.load("plain", [*record("plain", "alice", fake.url("plain")), *record("plain", "mallory", "")])
    return fake.source(slug="far", read_timeout=1, deadline=2.5)


@pytest.fixture
def app(source: Source, fake: Fake) -> App:
    app = cast.app(source, "alice-p")
    fake.control("seen")
    return app


def asked(fake: Fake) -> int:
    """How often the EHR was asked for Observations."""
    return len(fake.seen("/Observation"))


def refused(answer, status: int, *, name: str = "Far Clinic") -> None:
    """An OperationOutcome with the EHR's name, nothing of any record, and a row in the log."""
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/fhir+json"
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert name in outcome["issue"][0]["diagnostics"]
    assert b"mallory" not in answer.content.lower()
    assert b"alice" not in answer.content.lower()
    assert AuditEvent.objects.order_by("-recorded_at", "-id").first().outcome == "failed"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
@pytest.mark.parametrize("path", [LABS, "Observation/alice-o1"])
def test_F8_a_failure_is_mapped_and_names_the_ehr(app, fake, status, path):
    fake.script({"match": "/Observation", "times": 0, "do": {"status": status}})

    refused(app.get(path), 504 if status == 504 else 502)

    assert asked(fake) == (1 if status == 500 else 3)


BUSY = {"status": 429, "headers": {"Retry-After": "1"}}


@pytest.mark.parametrize("do", [{"status": 503}, BUSY, {"refuse": 1}])
def test_F8_what_passes_is_tried_again_and_served(app, fake, do):
    fake.script({"match": "/Observation", "times": 2, "do": do})

    answer = app.get(LABS)

    assert (answer.status_code, len(answer.json()["entry"]), asked(fake)) == (200, 5, 3)


def test_F8_a_wait_that_is_too_long_is_passed_on(app, fake):
    fake.script({"match": "/Observation", "do": {"status": 503, "headers": {"Retry-After": "120"}}})

    answer = app.get(LABS)

    refused(answer, 502)
    assert (answer["Retry-After"], asked(fake)) == ("120", 1)


def test_F8_nobody_at_home(app, source):
    source.base_url = "http://127.0.0.1:9/fhir"
    source.save()

    refused(app.get(LABS), 502)


LONGER = {"headers": {"Content-Length": "99999"}, "cut": 99999}
SHORTER = {"headers": {"Content-Length": "900"}}
CUT = {
    "in the middle": {"cut": 900},
    "by a reset": {"cut": 900, "reset": True},
    "within a chunk": {"chunked": True, "cut": 900},
    "before the last chunk": {"chunked": True, "cut": -5},
    "less than it says": LONGER,
    "more than it says": SHORTER,
}


@pytest.mark.parametrize("path", [LABS, "Observation/alice-o1"])
@pytest.mark.parametrize("do", CUT.values(), ids=CUT)
def test_F8_an_answer_that_is_cut_off_is_no_answer(app, fake, do, path):
    if path != LABS:
        do = {name: min(value, 90) if name == "cut" else value for name, value in do.items()}
    if do == SHORTER and path != LABS:
        do = {"headers": {"Content-Length": "90"}}
    fake.script({"match": "/Observation", "times": 0, "do": do})

    refused(app.get(path), 502)


def test_F8_the_rest_of_an_answer_is_not_the_next_one(app, fake):
    """More came than was announced: the connection is not used again."""
    fake.script({"match": "/Observation", "times": 1, "do": SHORTER})
    refused(app.get(LABS), 502)

    assert app.get("Condition").status_code == 200
    assert len(app.get(LABS).json()["entry"]) == 5


def test_F8_a_whole_chunked_answer_is_one(app, fake):
    fake.script({"match": "/Observation", "times": 1, "do": {"chunked": True}})

    assert len(app.get(LABS).json()["entry"]) == 5


def test_F8_a_page_that_fails_leaves_no_half_record(app, fake):
    [link] = app.get("Observation?_count=2").json()["link"]
    fake.script({"match": "/_page/", "times": 0, "do": {"status": 500}})

    refused(app.get(link["url"]), 502)


def test_F8_the_breaker_opens_and_closes_again(app, fake, source, monkeypatch):
    fake.script({"match": "/Observation", "times": 0, "do": {"status": 500}})
    for _ in range(guard.FAILURES):
        app.get(LABS)
    before = asked(fake)

    answer = app.get(LABS)

    refused(answer, 502)
    assert asked(fake) == before == guard.FAILURES
    assert 0 < int(answer["Retry-After"]) <= guard.REST + 1
    fake.script()
    monkeypatch.setattr(guard, "REST", 0.0)
    upstream.of(source).guard.failed()  # its rest is over now
    assert app.get(LABS).status_code == 200
    assert app.get(LABS).status_code == 200


def test_F9_a_search_ends_however_many_pages_there_are(app, fake, monkeypatch):
    """Each page is in time, and none has anything for her."""
    monkeypatch.setattr(views, "LONGEST", 1)
    fake.script({"match": "/Observation", "times": 0, "do": {"send": "endless", "delay": 0.4}})

    refused(app.get(LABS), 504)

    assert asked(fake) < 10


def test_F9_a_batch_ends_however_many_entries_there_are(app, fake, monkeypatch):
    monkeypatch.setattr(views, "LONGEST", 1)
    fake.script({"match": "/Observation", "times": 0, "do": {"delay": 0.4}})
    one = {"request": {"method": "GET", "url": "Observation/alice-o1"}}
    sent = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": [one] * 20})

    answer = Browser().post(
        f"{app.base.removeprefix('http://testserver')}/",
        sent,
        content_type="application/fhir+json",
        headers={"authorization": f"Bearer {app.token}"},
    )

    found = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert (found[0], found[-1]) == ("200", "504")
    assert asked(fake) < 10


@pytest.mark.parametrize("do", [{"hang": 30}, {"drip": 0.2}, {"drip_headers": 0.2}])
def test_F9_an_answer_that_does_not_end_is_ended(app, fake, do):
    fake.script({"match": "/Observation", "times": 0, "do": do})

    refused(app.get(LABS), 504)

    assert asked(fake) == 1  # what was slow once is not asked again


def test_F9_a_body_without_end_is_ended(app, fake, source):
    source.max_bytes = 1_000_000
    source.save()
    fake.script({"match": "/Observation", "times": 0, "do": {"send": "forever"}})

    refused(app.get(LABS), 502)


@pytest.mark.django_db(transaction=True)
def test_F9_a_revoke_does_not_wait_for_an_ehr_that_drips(app, fake):
    fake.script({"match": "/Observation", "times": 0, "do": {"drip": 0.2}})

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_and_close, app, LABS)
        while not asked(fake):
            time.sleep(0.01)
        commands.revoke(app.consent, by=app.consent.patient.user)
        assert not reading.done()
        assert app.get("Condition").status_code == 401
        assert not reading.done()

    assert reading.result().status_code >= 400
    assert not fake.seen("/Condition")


def _and_close(app, path):
    """In a thread, which has a connection of its own."""
    try:
        return app.get(path)
    finally:
        connection.close()


WRONG = sorted(set(BODIES) - {"others", "other-patient", "lying-total", "endless", "forever"})


@pytest.mark.parametrize("name", WRONG)
def test_F10_what_is_no_answer_to_a_search_is_refused(app, fake, name):
    fake.script({"match": "/Observation", "times": 0, "do": {"send": name}})

    refused(app.get(LABS), 502)


NOT_IT = ["garbage", "list", "wrong-type", "other-patient", "deep", "twice", "nan", "utf8"]


@pytest.mark.parametrize("name", NOT_IT)
def test_F10_what_is_not_what_was_asked_for_is_refused(app, fake, name):
    fake.script({"match": "/Observation", "times": 0, "do": {"send": name}})

    refused(app.get("Observation/alice-o1"), 502)


@pytest.mark.parametrize("name", ["others", "lying-total"])
def test_F10_what_is_anothers_is_left_out_and_reported(app, fake, name, caplog):
    fake.script({"match": "/Observation", "times": 0, "do": {"send": name}})

    answer = app.get(LABS)

    assert answer.status_code == 200
    assert set(answer.json()) == {"resourceType", "type"}
    assert b"another" not in answer.content
    assert "another patient" in caplog.text


def test_F10_pages_that_never_end_are_ended(app, fake, source):
    source.max_pages = 5
    source.save()
    fake.script({"match": "/Observation", "times": 0, "do": {"send": "endless"}})

    refused(app.get(LABS), 502)

    assert asked(fake) <= 7


def test_F10_a_page_link_that_is_too_old_says_so(app, fake):
    first = app.get("Observation?_count=2")
    [link] = [link["url"] for link in first.json()["link"]]
    fake.script({"match": "/_page/", "times": 0, "do": {"status": 410}})

    answer = app.get(link)
    while answer.status_code == 200:
        [link] = [link["url"] for link in answer.json()["link"]]
        answer = app.get(link)

    assert answer.status_code == 400
    assert "Start the search again" in answer.content.decode()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_F10_a_redirect_is_not_followed(app, fake, status):
    elsewhere = {"Location": f"{fake.url('plain')}/Observation/mallory-o1"}
    fake.script({"match": "/Observation", "times": 0, "do": {"status": status, "headers": elsewhere}})

    refused(app.get("Observation/alice-o1"), 502)

    assert not fake.seen("mallory")


def test_F11_a_read_whose_answer_was_lost_is_asked_again(app, fake):
    fake.script({"match": "/Observation", "times": 1, "do": {"lose": 1}})

    assert app.get("Observation/alice-o1").status_code == 200
    assert asked(fake) == 2


def test_F11_a_stale_etag_makes_no_old_answer(app, fake):
    """The gate never asks conditionally: an EHR that says 304 to a plain read gave no answer."""
    fake.script({"match": "/Observation", "times": 0, "do": {"status": 304, "headers": {"ETag": 'W/"0"'}}})

    refused(app.get("Observation/alice-o1"), 502)


def test_F10_a_statement_that_says_it_has_a_type_that_is_not_there(app, fake):
    fake.script({"match": "/Condition", "times": 0, "do": {"status": 404, "body": "{}"}})

    answer = app.get("Condition")

    assert answer.status_code in (404, 502)
    assert b"alice" not in answer.content.lower()


def test_F10_resources_without_an_id_are_missing_and_not_one(app, fake):
    """Nobody can refer to them, or tell one from the other: that something is missing is said."""
    nameless = [{**{k: v for k, v in ALICES.items() if k != "id"}, "note": [{"text": n}]} for n in "ab"]
    fake.script(
        {"match": "/Observation", "times": 0, "do": {"status": 200, "body": bundle(*nameless).decode()}}
    )

    [entry] = app.get(LABS).json()["entry"]

    assert entry["resource"]["issue"][0]["code"] == "incomplete"


def test_F10_a_parameter_that_is_passed_over_lets_nothing_of_anothers_out(app, fake):
    """Every Observation there is, whatever was asked for."""
    everything = [*record("plain", "alice", ""), *record("plain", "mallory", "")]
    both = [each for each in everything if each["resourceType"] == "Observation"]
    body = bundle(*both).decode()
    fake.script({"match": "/Observation", "times": 0, "do": {"status": 200, "body": body}})

    answer = app.get(LABS)

    assert answer.status_code == 200
    assert b"alice" in answer.content
    assert b"mallory" not in answer.content
