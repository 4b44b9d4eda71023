"""P4, P12, P13 and A22: what tokens cost to check and to give, what a stranger can make us spend, and whether
the time that an answer takes tells what it does not say. Through the whole middleware, in this process."""

import base64
import gc
import logging
import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client as Browser
from django.test import RequestFactory
from oauth2_provider.decorators import protected_resource

from accounts.models import Patient
from consent import bearers
from consent.models import Consent
from smart import tokens
from smart.models import RefreshToken
from tests import factories
from tests.bench import people
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack
from tests.smart import signing

P4_RATIO, P12_MS, P13_MS, A22_APART = 0.25, 5.25, 5.0, 0.1
SECRET = "s" * 43
Act = Callable[[], Any]


def _host() -> str:
    return urlsplit(settings.BASE_URL).netloc


def _browser() -> Browser:
    return Browser(HTTP_HOST=_host())


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P12", "CPU-ms of one request: this process and PostgreSQL; the least of the rounds")
    reading = people.readings(1, name="Token")[0]
    count = max(20, sizes.calls // 400)
    with _logged_to_nowhere():
        _bearer(stack, sizes, report, reading.token, count)
        _refresh(stack, sizes, report, reading.patient, count)
        _strangers(stack, sizes, report, count)
        _apart(report, reading.token, max(50, sizes.calls // 10))
    return report


@contextmanager
def _logged_to_nowhere() -> Iterator[None]:
    """Refusals are written, which costs what it costs, where nobody has to read them."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    with Path(os.devnull).open("w") as nowhere:
        before = [(handler, handler.setStream(nowhere)) for handler in handlers]
        try:
            yield
        finally:
            for handler, stream in before:
                handler.setStream(stream or sys.stderr)


def _bearer(stack: Stack, sizes: Sizes, report: Report, token: str, count: int) -> None:
    @protected_resource()
    def theirs(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    request = RequestFactory(HTTP_HOST=_host()).get("/", headers={"Authorization": f"Bearer {token}"})
    ours = _cost(stack, sizes, report, "P4, our bearer check", lambda: bearers.from_bearer(token), count)
    toolkit = _cost(stack, sizes, report, "P4, the toolkit's", lambda: theirs(request), count)
    report.check("P4: our bearer check, × the toolkit's", ours / toolkit, P4_RATIO, Kind.RATIO)


def _refresh(stack: Stack, sizes: Sizes, report: Report, patient: Patient, count: int) -> None:
    consent = Consent.objects.select_related("client", "patient").get(kind="app", patient=patient)
    held = [secrets.token_urlsafe(30)]
    _first_token(consent, held[0])
    body = {"grant_type": "refresh_token", "client_id": consent.client.client_id}

    def refresh() -> None:
        answer = _browser().post("/o/token/", body | {"refresh_token": held[0]})
        held[0] = answer.json()["refresh_token"]

    cost = _cost(stack, sizes, report, "P12, a refresh", refresh, count)
    report.check("P12: a refresh, ms (times of this machine)", cost, P12_MS, Kind.TIME)


def _first_token(consent: Consent, value: str) -> None:
    access = tokens.find(people.issue(consent))
    assert access is not None
    RefreshToken.objects.create(
        user=access.user,
        application=consent.client,
        access_token=access,
        token_checksum=tokens.checksum(value),
        token_family="00000000-0000-4000-8000-0000000000aa",
        authorization_id=consent.pk,
        patient=access.patient,
        scope=f"{access.scope} offline_access",
        expires_at=consent.period_end,
    )


def _strangers(stack: Stack, sizes: Sizes, report: Report, count: int) -> None:
    key = signing.ec()
    asserting = factories.acme_client(client_type="confidential", jwks=signing.public(key))
    confidential = factories.acme_client(client_type="confidential", client_secret=SECRET)
    other, proving = signing.ec(), signing.ec(crv="P-256")
    endpoint = f"{settings.BASE_URL}/o/token/"
    system = {"grant_type": "client_credentials"}
    forged = [system | signing.asserted(other, asserting.client_id, aud=endpoint) for _ in range(2 * count)]
    proofs = [{"DPoP": signing.proof(proving, "POST", endpoint)} for _ in range(2 * count)]
    junk = {"client_id": confidential.client_id, "client_secret": "w" * 43, "scope": "x" * 4000}

    def post(path: str, body: dict[str, str], headers: dict[str, str] | None = None) -> None:
        assert _browser().post(path, body, headers=headers).status_code in (400, 401)

    acts: dict[str, Act] = {
        "wrong secret": lambda: post("/o/token/", system | junk),
        "wrong signature": lambda: post("/o/token/", forged[secrets.randbelow(len(forged))]),
        "good proof, no such client": lambda: post(
            "/o/token/", system | {"client_id": "nobody"}, proofs[secrets.randbelow(len(proofs))]
        ),
        "junk pushed": lambda: post("/o/par/", junk),
        "made-up token": lambda: post("/o/introspect/", {"token": "x" * 43}),
    }
    for name, act in acts.items():
        cost = _cost(stack, sizes, report, f"P13, {name}", act, count)
        report.check(f"P13: {name}, ms (times of this machine)", cost, P13_MS, Kind.TIME)


def _apart(report: Report, foreign: str, count: int) -> None:
    """How well the CPU time of an answer tells a token that is not ours from one that never was: the chance
    that one of a kind took longer than one of the other, less a half."""
    client = factories.acme_client(client_type="confidential", client_secret=SECRET)
    basic = {"Authorization": "Basic " + base64.b64encode(f"{client.client_id}:{SECRET}".encode()).decode()}
    took: dict[str, list[float]] = {foreign: [], "x" * len(foreign): []}
    for _ in range(count):
        for value, times in took.items():
            began = time.process_time()
            answer = _browser().post("/o/introspect/", {"token": value}, headers=basic)
            times.append(time.process_time() - began)
            assert answer.content == b'{"active": false}'
    there, never = took.values()
    apart = abs(_longer(there, never) - 0.5)
    medians = {"ms": statistics.median(there) * 1e3, "ms of the other": statistics.median(never) * 1e3}
    report.rows.append({"what": f"A22, 2 x {count} introspections", **medians})
    report.check("A22: how far two kinds of unknown token are apart", apart, A22_APART, Kind.RATIO)


def _longer(one: list[float], other: list[float]) -> float:
    ranked = sorted([(value, 1) for value in one] + [(value, 0) for value in other])
    ranks = sum(rank for rank, (_, mine) in enumerate(ranked, 1) if mine)
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


def _cost(stack: Stack, sizes: Sizes, report: Report, name: str, act: Act, count: int) -> float:
    """CPU-ms of one call, the least of the rounds."""
    for _ in range(3):
        act()
    costs = []
    for _ in range(sizes.rounds):
        gc.collect()
        own, all_others = time.process_time(), stack.cpu()
        for _ in range(count):
            act()
        spent = time.process_time() - own
        there = {k: v - all_others[k] for k, v in stack.cpu().items() if "postgres" in k.lower()}
        costs.append((spent * 1e3 / count, sum(there.values()) * 1e3 / count))
    here, database = min(costs, key=sum)
    report.rows.append({"what": name, "ms": here, "ms of PostgreSQL": database, "requests": count})
    return here + database
