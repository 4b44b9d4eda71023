"""P12: what a refresh costs at the token endpoint, through the whole middleware, in this process."""

import secrets

from consent.models import Consent
from smart import tokens
from smart.models import RefreshToken
from tests.bench import calls, people
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

MS = 5.25


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report("P12", "CPU-ms of one request: this process and PostgreSQL; the least of the rounds")
    patient = people.readings(1, name="Token")[0].patient
    consent = Consent.objects.select_related("client", "patient").get(kind="app", patient=patient)
    held = [secrets.token_urlsafe(32)]
    _first_token(consent, held[0])
    body = {"grant_type": "refresh_token", "client_id": consent.client.client_id}

    def refresh() -> None:
        answer = calls.post("/o/token/", body | {"refresh_token": held[0]})
        held[0] = answer.json()["refresh_token"]

    found = calls.costs(stack, sizes, report, {"a refresh": refresh}, max(20, sizes.calls // 200))
    least = min(cost.sum for cost in found["a refresh"])
    report.check("P12: a refresh, ms (times of this machine)", least, MS, Kind.TIME)
    return report


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
