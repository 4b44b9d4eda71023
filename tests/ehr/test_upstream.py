"""HTTP to an EHR: what is sent once and what again, who may wait, and what we show of ourselves."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import structlog
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from fhirproxy import upstream
from fhirproxy.messages import FhirRequest, Trouble, UpstreamUnavailable
from fhirproxy.upstream.exchange import within
from fhirproxy.upstream.guard import FAILURES, REST, Guard
from tests.ehr.conftest import Fake

READ = FhirRequest("GET", "Patient/1")
WRITE = FhirRequest("POST", "Observation", body=b'{"resourceType":"Observation"}')


def trouble(source, request=READ) -> Trouble:
    with pytest.raises(UpstreamUnavailable) as failed:
        upstream.of(source).send(request)
    return failed.value.trouble


@pytest.mark.parametrize("do", [{"status": 503}, {"status": 429}, {"lose": 1}, {"refuse": 1}])
def test_F11_a_write_is_never_sent_again(fake, do):
    fake.script({"match": "POST", "times": 0, "do": do})

    if "status" in do:
        assert upstream.of(fake.source()).send(WRITE).status == do["status"]
    else:
        assert trouble(fake.source(), WRITE) is Trouble.CUT_OFF

    assert len(fake.seen("/Observation")) == 1


def test_F9_a_hanging_ehr_holds_only_as_many_threads_as_it_may(fake):
    source = fake.source(concurrency=3, read_timeout=1.5, deadline=1.5)
    fake.script({"match": "GET", "times": 0, "do": {"hang": 20}})
    together = threading.Barrier(12)

    def ask(_: int) -> Trouble:
        together.wait()
        return trouble(source)

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, range(12)))

    assert found.count(Trouble.BUSY) == 9
    assert found.count(Trouble.TIMEOUT) == 3
    assert len(fake.seen("/Patient")) == 3


def test_F9_another_ehr_is_served_meanwhile(fake):
    hanging = fake.source(concurrency=1, read_timeout=1.5, deadline=1.5)
    fake.load("hapi", [{"resourceType": "Patient", "id": "1"}])
    fake.script({"match": "/plain/", "times": 0, "do": {"hang": 20}})

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(trouble, hanging)
        assert upstream.of(fake.source("hapi", slug="well")).send(READ).status == 200
        assert slow.result() is Trouble.TIMEOUT


def test_the_breaker_lets_one_try_after_its_rest():
    now = [0.0]
    guard = Guard(8, clock=lambda: now[0])
    for _ in range(FAILURES):
        with guard.turn():
            guard.failed()

    def tries() -> bool:
        with suppress(UpstreamUnavailable), guard.turn():
            return True
        return False

    assert [tries(), tries()] == [False, False]
    now[0] += REST
    assert [tries(), tries()] == [True, False]  # one, and until it has succeeded no other
    guard.succeeded()
    assert [tries(), tries()] == [True, True]


def test_a_slot_is_given_back_whatever_happens():
    guard = Guard(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), guard.turn():
            1 / 0  # noqa: B018


def test_F10_no_more_is_read_than_may_be(fake):
    fake.script({"match": "GET", "times": 0, "do": {"send": "huge"}})

    assert trouble(fake.source(max_bytes=100_000)) is Trouble.TOO_LARGE


def test_an_encoding_that_nobody_asked_for_is_not_unpacked(fake):
    fake.load("plain", [{"resourceType": "Patient", "id": "1"}])
    fake.script({"match": "GET", "times": 0, "do": {"headers": {"Content-Encoding": "gzip"}}})

    assert trouble(fake.source()) is Trouble.NOT_FHIR


def test_the_request_id_goes_along_and_a_search_is_strict(fake):
    with structlog.contextvars.bound_contextvars(correlation_id="11112222"):
        upstream.of(fake.source()).send(FhirRequest("GET", "Patient", (("_id", "1"),)))

    [seen] = fake.seen("/Patient")
    assert seen["headers"]["x-request-id"] == "11112222"
    assert seen["headers"]["prefer"] == "handling=strict"
    assert "authorization" not in seen["headers"]


def test_basic(fake):
    source = fake.source(auth="basic", auth_id="gate")
    source.keep_secret("s3cret")
    assert "s3cret" not in source.secret
    fake.control("authorize", {"authorization": "Basic Z2F0ZTpzM2NyZXQ="})

    assert upstream.of(source).send(READ).status == 404
    source.keep_secret("other")
    assert trouble(source) is Trouble.CREDENTIALS


def test_a_secret_that_another_key_keeps_is_no_secret(fake):
    source = fake.source(auth="basic", auth_id="gate", secret="kept by another FIELD_KEY")

    assert trouble(source) is Trouble.CREDENTIALS
    assert fake.seen() == []


@pytest.fixture
def smart(fake: Fake):
    key = JWK.generate(kty="EC", crv="P-384", kid="k1")
    source = fake.source(
        auth="smart", auth_id="chartkey", token_url=f"{fake.base}/token", scope="system/*.rs"
    )
    source.keep_secret(key.export())
    return source, key


def give(fake: Fake, token: str, **more: object) -> None:
    said = {"access_token": token, "token_type": "bearer", "expires_in": 300} | more
    fake.control("authorize", {"authorization": f"Bearer {token}", "token": said})


def test_a_token_is_asked_for_once_and_kept(fake, smart):
    source, key = smart
    give(fake, "one")

    for _ in range(3):
        assert upstream.of(source).send(READ).status == 404

    [asked] = fake.seen("/token")
    form = dict(part.split("=") for part in asked["body"].split("&"))
    assertion = JWT(jwt=form["client_assertion"], key=key, expected_type="JWS")
    claims = json.loads(assertion.claims)
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("chartkey", "chartkey", f"{fake.base}/token")
    assert claims["exp"] - claims["iat"] <= 300
    assert json.loads(assertion.header) == {"alg": "ES384", "typ": "JWT", "kid": "k1"}


def test_a_token_that_ended_early_is_renewed_once(fake, smart):
    source, _ = smart
    give(fake, "one")
    upstream.of(source).send(READ)
    give(fake, "two")

    assert upstream.of(source).send(READ).status == 404
    assert len(fake.seen("/token")) == 2


def test_a_token_that_is_never_taken_is_not_asked_for_again_and_again(fake, smart):
    source, _ = smart
    fake.control("authorize", {"authorization": "Bearer right", "token": {"access_token": "wrong"}})

    assert trouble(source) is Trouble.CREDENTIALS
    assert (len(fake.seen("/token")), len(fake.seen("/Patient"))) == (2, 2)


@pytest.mark.parametrize("token", [{"status": 400, "error": "invalid_client"}, {}, {"access_token": "a\nb"}])
def test_no_token_no_request(fake, smart, token):
    source, _ = smart
    fake.control("authorize", {"authorization": "Bearer x", "token": token})

    assert trouble(source) is Trouble.CREDENTIALS
    assert fake.seen("/Patient") == []


def test_many_threads_ask_for_one_token(fake, smart):
    source, _ = smart
    give(fake, "one")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: upstream.of(source).send(READ).status, range(8)))

    assert found == [404] * 8
    assert len(fake.seen("/token")) == 1


def test_a_changed_source_is_another_one(fake):
    source = fake.source()
    first = upstream.of(source)

    assert upstream.of(replace_source(source)) is first
    assert upstream.of(replace_source(source, deadline=3)) is not first


def replace_source(source, **changes):
    fields = {name: getattr(source, name) for name in upstream.CONFIGURED} | changes
    return type(source)(**fields, kind=source.kind, name=source.name)


@pytest.mark.parametrize("do", [{"status": 200, "body": "%PDF-1.7"}, {"send": "huge"}, {"status": 302}])
def test_what_one_address_answers_does_not_close_the_ehr_to_everybody(fake, do):
    """A document that is too large, or of a kind of its own, is not what others ask for."""
    source = fake.source(max_bytes=100_000)
    fake.load("plain", [{"resourceType": "Patient", "id": "1"}])
    fake.script({"match": "/Binary", "times": 0, "do": do})
    for _ in range(FAILURES):
        with suppress(UpstreamUnavailable):
            upstream.of(source).send(FhirRequest("GET", "Binary/mine"))

    assert upstream.of(source).send(READ).status == 200


@pytest.mark.parametrize(("time", "opens"), [(0.2, False), (2, True)])
def test_who_has_hardly_any_time_left_closes_the_ehr_to_nobody(fake, time, opens):
    source = fake.source(connect_timeout=1, concurrency=FAILURES)
    fake.script({"match": "/Patient", "times": FAILURES, "do": {"delay": 3}})

    def ask(_: int) -> Trouble:
        with within(time):
            return trouble(source)

    with ThreadPoolExecutor(FAILURES) as pool:
        assert set(pool.map(ask, range(FAILURES))) == {Trouble.TIMEOUT}

    assert upstream.of(source).guard.resting is opens


def test_F9_who_waits_for_a_token_waits_no_longer_than_may_be(fake, smart):
    source, _ = smart
    give(fake, "one")
    held, done = threading.Event(), threading.Event()
    credentials = upstream.of(source).credentials

    def hold() -> None:
        with credentials._lock:
            held.set()
            done.wait(60)

    def wait() -> Trouble:
        with within(0.2):
            return trouble(source)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(hold)
        held.wait()
        try:
            assert pool.submit(wait).result(timeout=30) is Trouble.TIMEOUT
        finally:
            done.set()
