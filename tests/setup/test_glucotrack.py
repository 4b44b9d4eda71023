"""The demo app against a scripted clinic: what it asks for, shows, and says when it is refused."""

import base64
import hashlib
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from demo.glucotrack import pages, records
from demo.glucotrack.records import AccessEnded, Problem
from demo.glucotrack.site import Site
from tests.setup.clinic import TOKENS
from tests.setup.clinic import clinic as run_clinic

ROOT = Path(__file__).resolve().parent.parent.parent
CALLBACK = "http://127.0.0.1:8001/callback"


@pytest.fixture(scope="module")
def shared_clinic():
    with run_clinic() as clinic:
        yield clinic


@pytest.fixture
def clinic(shared_clinic):
    shared_clinic.reset()
    shared_clinic.forms.clear()
    return shared_clinic


@pytest.fixture
def client(clinic):
    client = records.prepare(clinic.url, "glucotrack", CALLBACK)
    yield client
    client.server.session.close()


@pytest.fixture
def connected(client):
    finish(client, code="c1")
    return client


def asked(client) -> dict[str, list[str]]:
    return parse_qs(urlsplit(client.authorize_url).query)


def finish(client, **answer: str) -> None:
    state = answer.pop("state", asked(client)["state"][0])
    query = "&".join(f"{name}={value}" for name, value in {**answer, "state": state}.items())
    records.finish(client, f"/callback?{query}")


def test_it_asks_for_a_patient_her_labs_and_no_more(clinic, client):
    request = asked(client)

    assert request["aud"] == [clinic.url]
    assert request["redirect_uri"] == [CALLBACK]
    assert set(request["scope"][0].split()) == {
        *("launch/patient", "openid", "fhirUser", "offline_access", "patient/Patient.rs"),
        "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
    }


def test_the_code_is_traded_with_the_verifier_of_its_challenge(clinic, client):
    challenge = asked(client)["code_challenge"][0]
    assert asked(client)["code_challenge_method"] == ["S256"]

    finish(client, code="c1")

    [form] = clinic.forms
    digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge


def test_results_are_shown_in_a_table(connected):
    html = pages.page(reading=records.read(connected), connected=True)

    assert "Alice Moreno" in html
    for cell in ("Hemoglobin A1c", "6.1 %", "below 5.7 %", "2026-09-02"):
        assert f">{cell}<" in html


def test_what_a_clinic_sends_is_text_never_markup(clinic, connected):
    clinic.answers["Patient"] = (200, {"resourceType": "Patient", "id": "p1", "name": [{"family": "<b>x"}]})

    html = pages.page(reading=records.read(connected), connected=True)

    assert "&lt;b&gt;x" in html


def test_a_refusal_by_the_patient_is_said_plainly(client):
    with pytest.raises(Problem, match="You chose not to connect"):
        finish(client, error="access_denied")


def test_an_answer_to_another_request_is_not_used(clinic, client):
    with pytest.raises(Problem, match="another connection"):
        finish(client, code="c1", state="of-somebody-else")
    assert clinic.forms == []


def test_an_old_access_token_is_renewed_once(clinic, connected):
    clinic.answers["Patient"] = (401, {})
    clinic.answers["token"] = (200, {**TOKENS, "access_token": "a2"})

    with pytest.raises(AccessEnded):  # this clinic refuses the new one as well
        records.read(connected)

    assert clinic.forms[-1]["grant_type"] == ["refresh_token"]
    assert clinic.forms[-1]["refresh_token"] == ["r1"]


def test_a_stopped_app_says_that_it_was_stopped(clinic, connected):
    clinic.answers["Patient"] = (401, {})
    clinic.answers["token"] = (400, {"error": "invalid_grant"})

    with pytest.raises(AccessEnded, match="The clinic says this app no longer has access"):
        records.read(connected)


def test_a_name_that_was_not_shared_was_held_back_by_the_patient(clinic, connected):
    clinic.answers["Patient"] = (403, {"resourceType": "OperationOutcome"})
    html = pages.page(reading=records.read(connected), connected=True)

    assert "You did not share your name with this app." in html


def test_the_time_of_reading_is_that_of_this_place(clinic, connected, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    reading = replace(records.read(connected), read_at=datetime(2026, 1, 5, 18, 30, tzinfo=UTC))
    html = pages.page(reading=reading, connected=True)
    monkeypatch.undo()
    time.tzset()

    assert ">13:30 EST</time>" in html


def test_labs_that_were_not_shared_leave_the_rest(clinic, connected):
    clinic.answers["Observation"] = (403, {"resourceType": "OperationOutcome"})

    reading = records.read(connected)

    assert reading.patient == "Alice Moreno"
    assert reading.notes == ("The clinic refused to share lab results with this app.",)


def test_a_clinic_that_shares_nothing_is_a_problem(clinic, connected):
    clinic.answers["Patient"] = clinic.answers["Observation"] = (403, {})

    with pytest.raises(Problem, match="refused"):
        records.read(connected)


def test_a_clinic_that_breaks_is_not_taken_for_a_refusal(clinic, connected):
    clinic.answers["Patient"] = (503, {})

    with pytest.raises(Problem, match="does not answer"):
        records.read(connected)


def test_the_app_runs_without_django_and_without_our_code():
    code = (
        "import sys, demo.glucotrack.site\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'django', 'config', 'smart'}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


# Opened by the clinic (SMART App Launch 2.2, EHR launch)


@pytest.fixture
def opened(clinic):
    """opened("iss=…&launch=…") → status and address of the answer, and the page after it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    site = Site(port, clinic.url, "glucotrack")
    thread = threading.Thread(target=site.serve_forever, args=[0.02], daemon=True)
    thread.start()
    with requests.Session() as browser:
        browser.trust_env = False

        def ask(query: str) -> tuple[str, str]:
            answer = browser.get(f"http://{site.host}/launch?{query}", allow_redirects=False)
            assert answer.status_code in (302, 303)
            return answer.headers["Location"], browser.get(f"http://{site.host}/").text

        yield ask
    site.shutdown()
    site.server_close()
    thread.join()


def test_the_clinic_opens_it_and_it_asks_with_what_it_was_given(clinic, opened):
    location, _ = opened(urlencode({"iss": clinic.url, "launch": "a-launch"}))

    request = parse_qs(urlsplit(location).query)
    assert location.startswith(clinic.url.partition("/fhir")[0])
    assert (request["launch"], request["aud"]) == (["a-launch"], [clinic.url])
    assert "launch" in request["scope"][0].split()
    assert "launch/patient" not in request["scope"][0].split()


@pytest.mark.parametrize("query", ["iss=https://evil.example/fhir&launch=x", "launch=x", "iss={url}", ""])
def test_A4_another_clinic_cannot_send_it_anywhere(clinic, opened, query):
    location, page = opened(query.format(url=clinic.url))

    assert location == "/"
    assert "does not know this clinic" in page
