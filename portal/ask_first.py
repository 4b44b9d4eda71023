"""Results that no clinician has looked at yet, for those who want to be asked before they see them.

Four in five want their results at once, and some do not want to learn bad news alone: so that all is shown
at once unless the person chose to be asked (/settings/notices/). What the lab marked to look at soon is said
all the same.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from fhirproxy import reading as fhir
from portal import observations
from portal.observations import Result, Standing
from portal.where_from import each

NEW = timedelta(days=14)  # older ones are shown: the clinic has had its time
_AGREED = "results_agreed"  # in the session: the addresses that the person asked to see


def read_all(request: HttpRequest, resources: Iterable[Any], reports: Iterable[Any] = ()) -> list[Result]:
    """As `observations.read_all`, and without the values that the person wants to be asked about.

    `reports`: DiagnosticReports (FHIR R4), of which some may say that somebody looked.
    """
    results, looked_at = observations.read_all(resources), signed(reports)
    return [result if looked_at & {*result.addresses} else as_asked(request, result) for result in results]


def as_asked(request: HttpRequest, result: Result) -> Result:
    is_held = getattr(request.user, "asks_first", False) and is_unreviewed(result)
    return held(result) if is_held and not _agreed(request, result) else result


def signed(reports: Iterable[Any]) -> set[str]:
    """The results of reports that have a conclusion or an interpreter."""
    return {
        origin.address(fhir.text(item, "reference").rpartition("/")[2])
        for report, _, origin in each(reports)
        if fhir.text(report, "conclusion") or fhir.objects(report, "resultsInterpreter")
        for item in fhir.objects(report, "result")
    }


def is_unreviewed(result: Result) -> bool:
    """A lab's result of the last 14 days in which no person of the clinic is named, and no note of theirs.

    FHIR R4 has no field for it on an Observation; its report may know more.
    """
    is_new = result.when is None or result.when.at > timezone.now() - NEW
    return is_new and result.is_of_a_lab and not result.is_signed


def held(result: Result) -> Result:
    """The result's name and day, and whether it is to be looked at soon; nothing else."""
    return replace(
        result,
        value=None,
        value_text="",
        exact_text="",
        range=None,
        range_text="",
        goals=(),
        standing=Standing.UNKNOWN,
        is_flagged=False,
        lab_disagrees=False,
        note="",
        parts=(),
        is_held=True,
    )


def agree(request: HttpRequest, addresses: Iterable[str]) -> None:
    """Show these until the person signs out."""
    request.session[_AGREED] = sorted({*request.session.get(_AGREED, ()), *addresses})


def _agreed(request: HttpRequest, result: Result) -> bool:
    return bool({*request.session.get(_AGREED, ())} & {*result.addresses})
