"""What a request leaves in the operational logs, and what a caller may say about itself."""

import io
import json
import logging
import uuid

import pytest

from audit.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def written():
    """What goes to standard output."""
    handler = next(
        h for h in logging.getLogger().handlers if any(type(f).__name__ == "NoArguments" for f in h.filters)
    )
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)


@pytest.mark.parametrize(
    "address", ["/fhir/r4/Condition/jordan-hiv-1", "/results/trend/20447-9/", "/nowhere/jordan-hiv-1"]
)
def test_A21_the_log_of_a_refused_request_has_no_address(client, written, address):
    status = client.get(address).status_code
    if status < 400:
        client.force_login(factories.create_patient().user)
        status = client.get(address).status_code

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(line["status"], line["method"]) for line in lines if "status" in line] == [(status, "GET")]
    assert status >= 400
    assert not [word for word in ("jordan", "20447") if word in written.getvalue()]


def test_A21_the_log_of_a_refused_request_names_its_route(client, written):
    client.get("/fhir/r4/Condition/jordan-hiv-1")

    (line,) = map(json.loads, written.getvalue().splitlines())
    assert line["route"].startswith("fhir/")
    assert line["event"] == "request refused"


def test_A21_a_host_name_that_is_not_ours_is_not_quoted(client, written):
    client.get("/", headers={"host": "jordan.example"})

    assert "request failed" in written.getvalue()
    assert "jordan" not in written.getvalue()


def test_A20_a_caller_s_own_id_does_not_reach_the_audit_log(client):
    given = "Alice-Moreno-HIV"
    response = client.get("/fhir/r4/Condition/1", headers={"x-request-id": given})
    client.post(
        "/accounts/login/", {"login": "a@b.example", "password": "wrong"}, headers={"x-request-id": given}
    )

    assert uuid.UUID(response["X-Request-Id"])
    assert given not in str(response.headers)
    assert not AuditEvent.objects.filter(correlation_id=given).exists()


def test_a_caller_s_uuid_goes_back_beside_our_own(client):
    given = str(uuid.uuid4())

    response = client.get("/healthz", headers={"x-request-id": given})

    assert response["X-Correlation-Id"] == given
    assert response["X-Request-Id"] != given


def sign_in(client, address, forwarded):
    return client.post(
        "/accounts/login/",
        {"login": f"{uuid.uuid4().hex}@nobody.example", "password": "wrong"},
        REMOTE_ADDR=address,
        HTTP_X_FORWARDED_FOR=forwarded,
    ).status_code


@pytest.fixture
def proxy(settings):
    """The address of a proxy that nobody came through before; one sign-in a minute from one address."""
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    return f"10.{uuid.uuid4().bytes[0]}.{uuid.uuid4().bytes[0]}.{uuid.uuid4().bytes[0]}"


def addresses():
    return (f"192.0.2.{number}, 198.51.{uuid.uuid4().bytes[0]}.{uuid.uuid4().bytes[0]}" for number in (1, 2))


def test_A26_without_a_proxy_a_forged_address_has_no_limit_of_its_own(client, settings, proxy):
    assert settings.ALLAUTH_TRUSTED_PROXY_COUNT == 0
    first, second = addresses()

    assert [sign_in(client, proxy, first), sign_in(client, proxy, second)] == [200, 429]


def test_A26_behind_a_proxy_each_address_has_its_own_limit(client, settings, proxy):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    first, second = addresses()
    answers = [sign_in(client, proxy, forwarded) for forwarded in (first, second, first)]

    assert answers == [200, 200, 429]


def test_A26_behind_a_proxy_what_a_caller_forged_before_it_changes_nothing(client, settings, proxy):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    _, real = next(addresses()).split(", ")
    answers = [sign_in(client, proxy, f"{forged}, {real}") for forged in ("192.0.2.1", "192.0.2.2")]

    assert answers == [200, 429]
