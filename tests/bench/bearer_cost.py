"""P4: to know a bearer and all that speaks for or against it, against the toolkit's own check of a token."""

import statistics

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from oauth2_provider.decorators import protected_resource

from consent import bearers
from tests.bench import calls, people
from tests.bench.report import Kind, Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

RATIO, MS = 0.25, 0.5
OURS, THEIRS = "our bearer check", "the toolkit's protected_resource"


def run(stack: Stack, sizes: Sizes) -> Report:
    report = Report(
        "P4", "CPU-ms of one check: this process and PostgreSQL; the least of the rounds, in turn"
    )
    token = people.readings(1, name="Bearer")[0].token
    request = RequestFactory(HTTP_HOST=calls.host()).get("/", headers={"Authorization": f"Bearer {token}"})

    @protected_resource()  # with the toolkit's validator, not with ours
    def theirs(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert theirs(request).status_code == 200
    assert bearers.from_bearer(token)
    acts = {OURS: lambda: bearers.from_bearer(token), THEIRS: lambda: theirs(request)}
    found = calls.costs(stack, sizes, report, acts, max(20, sizes.calls // 20))
    ratios = [ours.sum / theirs.sum for ours, theirs in zip(found[OURS], found[THEIRS], strict=True)]
    report.check(
        "P4: our bearer check, × the toolkit's, median of the rounds",
        statistics.median(ratios),
        RATIO,
        Kind.RATIO,
    )
    report.check("P4: ms (times of this machine)", min(cost.sum for cost in found[OURS]), MS, Kind.TIME)
    return report
