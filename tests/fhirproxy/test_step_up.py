"""A sign-in that is too old, or not sure enough, for what an app asks now (RFC 9470)."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from consent import authority, bearers, sign_in_rules
from consent.files import BadFile
from consent.sign_in_rules import Rule, lacking, rules
from consent.vocabulary import Category
from fhirproxy.models import WriteCommand
from portal.readings import blood_pressure
from smart import identity
from smart.models import AccessToken, SignIn
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.test_gate import LABS, SUD, ids

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=91)


@pytest.fixture
def alice():
    alice = factories.alice()
    factories.load_records(factories.lab_result(alice, "private", meta=SUD))
    return alice


@pytest.fixture
def consent(alice):
    return factories.create_consent(alice, labels=["SUD"], can_write=True)


def challenge(response) -> str:
    assert response.status_code == 401, response.content
    assert response.json()["issue"][0]["code"] == "login"
    return response["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["Observation/private", LABS, "Patient/{id}/$everything"])
def test_a_private_record_asks_for_a_sign_in_that_is_not_old(alice, consent, get, path):
    path = path.replace("{id}", factories.fhir_id(alice))
    token = issue(consent, signed_in=LONG_AGO)

    said = challenge(get(token, path))

    assert said.startswith('Bearer error="insufficient_user_authentication", ')
    assert said.endswith('max_age="7776000"')
    event = AuditEvent.objects.order_by("-recorded_at").first()
    assert (event.outcome, event.reasons) == ("deny", ["sign-in.too-old"])


def test_a_new_sign_in_opens_it_again(consent, get):
    assert "private" in ids(get(issue(consent, signed_in=timedelta(days=89)), LABS))


def test_a_sign_in_of_which_nobody_knows_when_it_was_is_not_enough(consent, get):
    token = issue(consent)
    AccessToken.objects.update(authenticated_at=None)

    assert "insufficient_user_authentication" in challenge(get(token, LABS))


def test_what_is_not_private_asks_for_no_more_than_the_token(alice, get):
    """Nor does what is private, and was kept back: else the answer would say that it is there."""
    token = issue(factories.create_consent(alice), signed_in=timedelta(days=364))

    assert ids(get(token, LABS)) == {f"{factories.fhir_id(alice)}-ldl"}
    assert get(token, "Observation/private").status_code == 404


def test_a_bound_token_is_told_in_its_own_scheme(alice, consent):
    requester = bearers.from_bearer(issue(consent, signed_in=LONG_AGO))

    assert requester.lacks("read", {"SUD"}) == Rule(7_776_000, "")
    assert requester.lacks("read", ()) is None
    assert requester.lacks("create", ()) == Rule(2_592_000, "")
    assert requester.lacks("create", {"SUD"}) == Rule(2_592_000, "")


def test_a_session_on_our_own_pages_is_asked_there(alice):
    assert authority.for_own_record(alice.user, alice, timezone.now()).lacks("create", {"SUD"}) is None


def test_a_proposal_asks_for_a_sign_in_that_is_not_old(alice):
    consent = factories.create_consent(alice, categories=list(Category), can_write=True)
    patient = factories.fhir_id(alice)
    reading = blood_pressure(systolic=128, diastolic=82, taken_at=timezone.now(), patient_id=patient)

    def send(days: int):
        token = issue(consent, "patient/*.cruds", signed_in=timedelta(days=days))
        headers = {"authorization": f"Bearer {token}"}
        path = "/fhir/r4/Observation"
        return Browser().post(path, reading, content_type="application/fhir+json", headers=headers)

    asked = send(31)
    assert asked.status_code == 401
    assert 'error="insufficient_user_authentication"' in asked.headers["WWW-Authenticate"]
    assert not WriteCommand.objects.exists()
    assert send(1).status_code == 202


def test_a_class_that_the_table_asks_for_is_asked_for(consent, get, monkeypatch):
    table = {"private-topics": Rule(None, identity.TWO_FACTORS)}
    monkeypatch.setattr(sign_in_rules, "rules", lambda: table)
    token = issue(consent)
    row = AccessToken.objects.get()
    row.token_family = row.authorization_id
    row.save()
    known = {"token_family": row.token_family, "user": row.user, "session_key": "x"}
    SignIn.objects.create(acr=identity.ONE_FACTOR, **known)

    assert f'acr_values="{identity.TWO_FACTORS}"' in challenge(get(token, LABS))
    SignIn.objects.update(acr=identity.TWO_FACTORS)
    assert "private" in ids(get(token, LABS))


def test_P3_it_takes_no_statement_more(consent, get):
    token = issue(consent)
    get(token, "Observation/private")

    with CaptureQueriesContext(connection) as captured:
        assert get(token, "Observation/private").status_code == 200

    said = [q["sql"] for q in captured.captured_queries if "SAVEPOINT" not in q["sql"]]
    assert len([sql for sql in said if "smart_" in sql or "audit_" in sql]) == 2, said


def test_of_several_rules_the_strictest_is_told(monkeypatch):
    table = {"private-topics": Rule(90, identity.TWO_FACTORS), "writes": Rule(30, "")}
    monkeypatch.setattr(sign_in_rules, "rules", lambda: table)

    unmet = lacking("create", {"SUD"}, acr="", authenticated_at=None, now=timezone.now())

    assert unmet == Rule(30, identity.TWO_FACTORS)


def test_the_table_parses():
    assert set(rules()) == {"private-topics", "writes"}


@pytest.mark.parametrize(
    "row",
    [
        '[reading]\nmax_age = 1\nwhy = "x"',
        '[writes]\nmax_age = "1"\nwhy = "x"',
        '[writes]\nmax_age = -1\nwhy = "x"',
        '[writes]\nacr = "gold"\nwhy = "x"',
        "[writes]\nmax_age = 1",
    ],
)
def test_a_row_that_cannot_be_meant_stops_the_start(tmp_path: Path, row: str):
    file = tmp_path / "rules.toml"
    file.write_text(row)

    with pytest.raises(BadFile, match="line 1"):
        rules(file)
