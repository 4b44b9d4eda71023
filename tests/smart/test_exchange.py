"""Token exchange, RFC 8693: a lesser token for one task of a service of ours."""

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands as consents
from consent.models import Consent
from smart import tokens
from smart.models import AccessToken, Client
from tests import factories
from tests.smart.app import App
from tests.smart.signing import asserted, ec, public

KEY = ec()
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def service(**changes: object) -> Client:
    return factories.acme_client(
        **{"client_type": "confidential", "jwks": public(KEY), "is_internal": True} | changes
    )


@pytest.fixture
def worker(db) -> Client:
    return service()


def exchange(app: App, worker: Client, token: str, **changes: str | None):
    body = {
        "grant_type": GRANT,
        "subject_token": token,
        "subject_token_type": ACCESS,
        "scope": "patient/Observation.rs",
        **asserted(KEY, worker.client_id),
    }
    return app.post("/o/token/", body | changes)


def test_a_worker_gets_less_for_no_longer(app, worker):
    subject = app.connect()["access_token"]

    answer = exchange(app, worker, subject).json()

    assert answer["issued_token_type"] == ACCESS
    assert answer["scope"] == "patient/Observation.rs"
    assert "refresh_token" not in answer
    given, source = tokens.find(answer["access_token"]), tokens.find(subject)
    assert given.expires <= source.expires
    assert given.act == {"sub": worker.client_id}
    assert (given.authorization_id, given.patient) == (source.authorization_id, source.patient)
    event = AuditEvent.objects.filter(type="token:issue").latest("recorded_at")
    assert event.detail["act"] == worker.client_id
    read = {"Authorization": f"Bearer {answer['access_token']}"}
    assert app.machine.get("/fhir/r4/Observation", headers=read).status_code == 200
    assert app.machine.get("/fhir/r4/Patient", headers=read).status_code == 403


def test_it_ends_with_what_it_came_from(app, worker):
    subject = app.connect()["access_token"]
    given = tokens.find(exchange(app, worker, subject).json()["access_token"])

    consents.revoke(Consent.objects.get(), by=Consent.objects.get().patient.user)

    assert not tokens.is_active(AccessToken.objects.get(pk=given.pk))


def test_services_stand_behind_one_another(app, worker):
    second = service()
    first = exchange(app, worker, app.connect()["access_token"]).json()["access_token"]

    given = exchange(app, second, first).json()["access_token"]

    assert tokens.find(given).act == {"sub": second.client_id, "act": {"sub": worker.client_id}}
    facts = app.post("/o/introspect/", {"token": given, **asserted(KEY, worker.client_id)}).json()
    assert facts == {"active": False}  # it is not the worker's own


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "patient/*.cruds"}, "invalid_scope"),
        ({"scope": "patient/Condition.rs"}, "invalid_scope"),
        ({"scope": "system/Observation.rs"}, "invalid_scope"),
        ({"subject_token": "made-up"}, "invalid_request"),
        ({"subject_token": None}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"client_assertion": "x.y.z"}, "invalid_client"),
    ],
)
def test_A6_A7_what_is_not_exchanged(app, worker, changes, error):
    subject = app.connect()["access_token"]
    before = AccessToken.objects.count()

    assert exchange(app, worker, subject, **changes).json()["error"] == error
    assert AccessToken.objects.count() == before


def test_A7_neither_a_refresh_token_nor_an_ended_one_is_exchanged(app, worker):
    answer = app.connect()

    assert exchange(app, worker, answer["refresh_token"]).json()["error"] == "invalid_request"
    assert exchange(app, worker, answer["id_token"]).json()["error"] == "invalid_request"
    AccessToken.objects.update(expires=timezone.now())
    assert exchange(app, worker, answer["access_token"]).json()["error"] == "invalid_request"


def test_apps_of_others_exchange_nothing(app):
    stranger = service(is_internal=False)

    assert exchange(app, stranger, app.connect()["access_token"]).json()["error"] == "unauthorized_client"


def test_a_resource_server_sees_who_acts(app, worker):
    resource = service(is_internal=False, is_resource_server=True)
    given = exchange(app, worker, app.connect()["access_token"]).json()["access_token"]

    facts = app.post("/o/introspect/", {"token": given, **asserted(KEY, resource.client_id)}).json()

    assert facts["act"] == {"sub": worker.client_id}
    assert facts["client_id"] == app.client.client_id
