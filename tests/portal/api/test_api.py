"""/api/v1/: what apps and a person's own session may read and end, and what a refusal looks like."""

import json

import pytest
from django.test import Client as Browser

from audit.models import AuditEvent
from consent.models import Consent
from consent.vocabulary import Category
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.consents import ALL, privacy_consent, session_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.create_patient("Alice Moreno")


@pytest.fixture
def session(alice):
    return session_of(alice)


@pytest.fixture
def app(alice):
    """A client that may read Alice's consents and her activity, and end consents."""
    return privacy_consent(alice)


@pytest.fixture
def token(app):
    return issue(app, f"{ALL} patient/AuditEvent.rs")


def ask(path, *, method="GET", browser=None, token="", body=None, **headers):
    headers |= {"authorization": f"Bearer {token}"} if token else {}
    sent = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
    return (browser or Browser()).generic(method, f"/api/v1/{path}", **sent, headers=headers)


def is_problem(response, status):
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code == status
    assert body["instance"] == f"urn:uuid:{response.headers['X-Request-Id']}"
    return body


def test_a_person_reads_their_consents(alice, session):
    consent = factories.create_consent(alice, categories=[Category.MEDICINES])

    [row] = ask("consents/", browser=session).json()["results"]

    assert row["id"] == str(consent.pk)
    assert (row["kind"], row["status"], row["version"]) == ("app", "active", 1)
    assert row["categories"] == ["medicines"]
    assert row["client"]["client_id"] == consent.client.client_id
    assert ask(f"consents/{consent.pk}/", browser=session).json() == row


def test_an_app_reads_what_the_consent_to_privacy_records_lets_it(app, token):
    [row] = ask("consents/", token=token).json()["results"]

    assert row["id"] == str(app.pk)


@pytest.mark.parametrize("path", ["consents/", "activity/"])
def test_an_app_without_the_scope_reads_nothing(app, path):
    body = is_problem(ask(path, token=issue(app, "patient/Observation.rs")), 403)

    assert "scope" in body["detail"]


@pytest.mark.parametrize("path", ["consents/", "activity/", "preferences/"])
def test_nobody_reads_nothing(db, path):
    response = ask(path)

    is_problem(response, 401)
    assert "Bearer" in response.headers["WWW-Authenticate"]


def test_A9_what_is_another_s_is_not_found(alice, session, token):
    theirs = factories.create_consent(factories.create_patient("Bea"))
    event = AuditEvent.objects.filter(patient=f"Patient/{theirs.patient_id}").first()
    assert event

    for who in ({"browser": session}, {"token": token}):
        is_problem(ask(f"consents/{theirs.pk}/", **who), 404)
        is_problem(ask(f"consents/{theirs.pk}/end/", method="POST", **who), 404)
        is_problem(ask(f"activity/{event.pk}/", **who), 404)
    theirs.refresh_from_db()
    assert theirs.is_active


def test_a_list_comes_in_pages(alice, session):
    made = {str(factories.create_consent(alice).pk) for _ in range(5)}
    seen, path = [], "/api/v1/consents/?count=2"
    while path:
        page = session.get(path).json()
        assert len(page["results"]) <= 2
        seen += [row["id"] for row in page["results"]]
        path = page["next"]

    assert (len(seen), set(seen)) == (5, made)


@pytest.mark.parametrize("kind", ["consents", "activity"])
def test_a_cursor_of_another_list_is_refused(alice, session, kind):
    factories.create_consent(alice)
    factories.create_consent(alice)
    other = "activity" if kind == "consents" else "consents"
    session.get("/api/v1/consents/")
    session.get("/api/v1/consents/")
    cursor = session.get(f"/api/v1/{other}/?count=1").json()["next"].partition("cursor=")[2]

    is_problem(session.get(f"/api/v1/{kind}/?cursor={cursor}"), 400)


def test_an_app_ends_its_own_consent_and_is_out(app, token):
    response = ask(f"consents/{app.pk}/end/", method="POST", token=token)

    assert response.json()["status"] == "inactive"
    is_problem(ask("consents/", token=token), 401)
    event = AuditEvent.objects.get(type="consent:revoke")
    assert (event.actor, event.patient) == (f"Client/{app.client.client_id}", f"Patient/{app.patient_id}")


def test_a_person_ends_one_and_twice_changes_nothing(alice, session):
    consent = factories.create_consent(alice)
    first = ask(f"consents/{consent.pk}/end/", method="POST", browser=session).json()
    again = ask(f"consents/{consent.pk}/end/", method="POST", browser=session).json()

    assert first == again
    assert (first["status"], first["version"]) == ("inactive", 2)


def test_A16_a_session_without_its_csrf_token_changes_nothing(alice):
    consent = factories.create_consent(alice)
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(alice.user)

    is_problem(ask(f"consents/{consent.pk}/end/", method="POST", browser=strict), 403)
    is_problem(ask("pause/", method="POST", browser=strict), 403)
    is_problem(ask("preferences/", method="PATCH", browser=strict, body={"language": "es"}), 403)
    consent.refresh_from_db()
    assert consent.is_active


def test_all_sharing_is_paused_at_once_and_only_by_the_person(alice, session, token):
    consent = factories.create_consent(alice)

    is_problem(ask("pause/", method="POST", token=token), 404)
    held = ask("pause/", method="POST", browser=session).json()

    assert str(consent.pk) in {row["id"] for row in held}
    assert Consent.objects.get(pk=consent.pk).status == "paused"


def test_activity_is_the_log_in_sentences_for_the_person_alone(alice, session, token):
    mine = ask("activity/", browser=session).json()["results"]
    theirs = ask("activity/", token=token).json()["results"]

    stored = set(map(str, AuditEvent.objects.values_list("id", flat=True)))
    assert {row["id"] for row in mine} <= stored
    assert all(row["sentence"] for row in mine)
    assert {(row["sentence"], row["reasons"], row["categories"]) for row in theirs} == {(None, None, None)}
    assert ask(f"activity/{mine[0]['id']}/", browser=session).json() == mine[0]


def test_a_sentence_comes_in_the_language_that_was_asked_for(alice, session):
    session.get("/api/v1/consents/")
    english = ask("activity/", browser=session).json()["results"][-1]
    asked = ask(f"activity/{english['id']}/", browser=session, **{"accept-language": "es"}).json()
    alice.user.language = "es"
    alice.user.save()
    own = ask(f"activity/{english['id']}/", browser=session).json()

    assert english["sentence"].startswith("You ")
    assert own["sentence"].startswith("Usted ")
    assert asked["sentence"] == english["sentence"]  # a person's own language comes before their browser's


def test_activity_of_a_time(alice, session):
    session.get("/api/v1/consents/")
    newest = ask("activity/?count=1", browser=session).json()["results"][0]

    from_then = session.get("/api/v1/activity/", {"since": newest["recorded_at"]}).json()["results"]
    before = session.get("/api/v1/activity/", {"until": newest["recorded_at"]}).json()["results"]

    assert newest["id"] in {row["id"] for row in from_then}
    assert newest["id"] not in {row["id"] for row in before}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("consents/?count=0", 422),
        ("consents/?count=many", 422),
        ("consents/?status=on", 422),
        ("consents/?color=red", 400),
        ("activity/?since=yesterday", 422),
        ("activity/?cursor=changed", 400),
        ("nothing/", 404),
        ("consents/not-an-id/", 404),
    ],
)
def test_bad_input_is_a_problem_that_names_the_cure(session, path, status):
    is_problem(ask(path, browser=session), status)


def test_preferences_are_read_and_changed_in_part(alice, session, token):
    is_problem(ask("preferences/", token=token), 404)
    changed = ask("preferences/", method="PATCH", browser=session, body={"time_zone": "America/Denver"})

    assert changed.json() == {"language": "en", "time_zone": "America/Denver"}
    wrong = is_problem(ask("preferences/", method="PATCH", browser=session, body={"time_zone": "Mars"}), 422)
    assert list(wrong["errors"]) == ["time_zone"]
    assert ask("preferences/", browser=session).json()["time_zone"] == "America/Denver"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_not_served_is_a_problem_too(session, method):
    response = ask("consents/", method=method, browser=session)

    is_problem(response, 405)
    assert "GET" in response.headers["Allow"]


def test_what_is_no_json_is_refused(session):
    response = session.patch("/api/v1/preferences/", "<a/>", content_type="application/xml")
    is_problem(response, 415)
    is_problem(session.patch("/api/v1/preferences/", "{", content_type="application/json"), 400)


def test_the_schema_is_open_and_names_every_address(db):
    schema = ask("schema/").json()

    assert schema["openapi"].startswith("3.")
    assert set(schema["paths"]) == {
        *("/api/v1/consents/", "/api/v1/consents/{consent_id}/", "/api/v1/consents/{consent_id}/end/"),
        *("/api/v1/activity/", "/api/v1/activity/{event_id}/", "/api/v1/pause/", "/api/v1/preferences/"),
        *("/api/v1/writes/", "/api/v1/writes/{command_id}/", "/api/v1/writes/{command_id}/cancel/"),
        *("/api/v1/writes/{command_id}/repropose/", "/api/v1/writes/{command_id}/undo/"),
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "preferences/"), ("POST", "pause/"), ("GET", "nothing/")),
        *(("GET", "consents/?color=red"), ("GET", "activity/?count=0")),
    ],
)
def test_what_an_app_is_refused_stands_in_the_log(app, token, method, path):
    response = ask(path, method=method, token=token)

    event = AuditEvent.objects.filter(outcome="deny").latest("recorded_at")
    assert (event.client, event.patient) == (f"Client/{app.client.client_id}", f"Patient/{app.patient_id}")
    assert response.status_code in (400, 404, 422)
    assert event.reasons
