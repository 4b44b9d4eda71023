"""P13 and A22: what a stranger can make us spend, and whether the time that an answer takes tells what it
does not say. Through the whole middleware, in this process."""

import base64
import secrets
import statistics
import time

from django.conf import settings

from tests import factories
from tests.bench import calls, people
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack
from tests.smart import signing

MS, APART = 5.0, 0.1
SECRET = "s" * 43


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report(
        "P13", "CPU-ms of one request: this process and PostgreSQL; the least of the rounds, in turn"
    )
    with calls.logged_to_nowhere():
        _strangers(stack, sizes, report, max(20, sizes.calls // 400))
        _apart(report, people.readings(1, name="Stranger")[0].token, max(50, sizes.calls // 10))
    return report


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

    def refused(path: str, body: dict[str, str], headers: dict[str, str] | None = None) -> None:
        assert calls.post(path, body, headers).status_code in (400, 401)

    acts: dict[str, calls.Act] = {
        "wrong secret": lambda: refused("/o/token/", system | junk),
        "wrong signature": lambda: refused("/o/token/", secrets.choice(forged)),
        "good proof, no such client": lambda: refused(
            "/o/token/", system | {"client_id": "nobody"}, secrets.choice(proofs)
        ),
        "junk pushed": lambda: refused("/o/par/", junk),
        "made-up token": lambda: refused("/o/introspect/", {"token": "x" * 43}),
    }
    for name, found in calls.costs(stack, sizes, report, acts, count).items():
        least = min(cost.sum for cost in found)
        report.check(f"P13: {name}, ms (times of this machine)", least, MS, Kind.TIME)


def _apart(report: Report, foreign: str, count: int) -> None:
    """How well the CPU time of an answer tells a token that is not ours from one that never was: the chance
    that one of a kind took longer than one of the other, less a half."""
    client = factories.acme_client(client_type="confidential", client_secret=SECRET)
    basic = {"Authorization": "Basic " + base64.b64encode(f"{client.client_id}:{SECRET}".encode()).decode()}
    took: dict[str, list[float]] = {foreign: [], "x" * len(foreign): []}
    for _ in range(count):
        for value, times in took.items():
            began = time.process_time()
            answer = calls.post("/o/introspect/", {"token": value}, basic)
            times.append(time.process_time() - began)
            assert answer.content == b'{"active": false}'
    there, never = took.values()
    apart = abs(_longer(there, never) - 0.5)
    medians = {"ms": statistics.median(there) * 1e3, "ms of the other": statistics.median(never) * 1e3}
    report.rows.append({"what": "A22, introspections", "calls": 2 * count} | medians)
    report.check("A22: how far two kinds of unknown token are apart", apart, APART, Kind.RATIO)


def _longer(one: list[float], other: list[float]) -> float:
    ranked = sorted([(value, 1) for value in one] + [(value, 0) for value in other])
    ranks = sum(rank for rank, (_, mine) in enumerate(ranked, 1) if mine)
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))
