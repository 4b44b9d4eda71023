"""Results put together: reports with their results, and one measure through time. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise

from fhirproxy import reading as fhir
from fhirproxy.dates import date_words
from fhirproxy.reading import Moment
from portal.observations import PROGRESS, Progress, Result
from portal.plain_names import plain_name
from portal.where_from import ALONE, Other, WhereFrom, each


@dataclass(frozen=True, slots=True)
class Report:
    """A DiagnosticReport with its results that may be shown; without an id, the results of one day."""

    id: str
    name: str | Promise
    when: Moment | None
    progress: Progress
    source: str
    conclusion: str
    results: tuple[Result, ...]
    origin: WhereFrom = ALONE

    @property
    def outside_count(self) -> int:
        return sum(result.is_outside for result in self.results)

    @property
    def held_count(self) -> int:
        return sum(result.is_held for result in self.results)

    @property
    def urgent_count(self) -> int:
        return sum(result.is_urgent for result in self.results)


def report(resource: Any, results: Iterable[Result], origin: WhereFrom = ALONE) -> Report:
    """Read one DiagnosticReport (FHIR R4); `results` are those found, of which it takes its own.

    Its own may be shown as another EHR's that says the same.
    """
    named = [
        origin.address(fhir.text(item, "reference").rpartition("/")[2])
        for item in fhir.objects(resource, "result")
    ]
    by_id = {address: result for result in results for address in result.addresses}
    concept = fhir.first(resource, "code")
    plain = next(filter(None, map(plain_name, fhir.codes(concept, fhir.LOINC))), None)
    when = fhir.moment(fhir.text(resource, "effectiveDateTime")) or fhir.moment(
        fhir.text(fhir.first(resource, "effectivePeriod"), "start")
    )
    return Report(
        id=origin.address(fhir.text(resource, "id")),
        name=plain.name if plain else fhir.words(concept),
        when=when or fhir.moment(fhir.text(resource, "issued")),
        progress=PROGRESS.get(fhir.text(resource, "status"), Progress.UNKNOWN),
        source=fhir.display(fhir.first(resource, "performer")),
        conclusion=fhir.text(resource, "conclusion"),
        results=tuple(by_id[name] for name in named if name in by_id),
        origin=origin,
    )


def grouped(reports: Iterable[Any], results: Sequence[Result]) -> list[Report]:
    """Reports newest first, and between them, by day, the results that belong to none."""
    read = [report(resource, results, origin) for resource, _, origin in each(reports)]
    groups = _each_once(one for one in read if one.results and one.progress != Progress.WITHDRAWN)
    taken = {result.id for one in groups for result in one.results}
    days: dict[str, list[Result]] = {}
    for result in results:
        if result.id not in taken:
            days.setdefault(date_words(result.when), []).append(result)
    groups += [
        Report("", "", rest[0].when, Progress.UNKNOWN, rest[0].source, "", tuple(rest))
        for rest in days.values()
    ]
    return fhir.newest_first(groups)


def _each_once(reports: Iterable[Report]) -> list[Report]:
    """Reports of several EHRs: what was shown in one is not shown again in another one's.

    A report of which nothing is left is named on the one that has its first result.
    """
    found: list[Report] = []
    for one in sorted(reports, key=lambda one: not one.origin.is_primary):
        rest = tuple(
            result
            for result in one.results
            if not any(o.origin.slug != one.origin.slug and result in o.results for o in found)
        )
        if rest:
            found.append(replace(one, results=rest))
            continue
        index = next(i for i, o in enumerate(found) if one.results[0] in o.results)
        other = Other(one.origin.kept_by, reverse("portal:report", args=[one.id]))
        origin = replace(found[index].origin, also=(*found[index].origin.also, other))
        found[index] = replace(found[index], origin=origin)
    return found


def series(results: Iterable[Result], code: str) -> list[Result]:
    """All results of one code, newest first as they came; a part of a panel takes the panel's date."""
    found = []
    for result in results:
        if result.code == code and not result.is_held:
            found.append(result)
        found += [
            replace(
                part,
                id=result.id,
                when=result.when,
                progress=result.progress,
                source=result.source,
                origin=result.origin,
            )
            for part in result.parts
            if part.code == code
        ]
    return found


def newest_of_each(results: Iterable[Result]) -> list[Result]:
    """The newest result of each code, in the order in which codes first appear."""
    newest: dict[str, Result] = {}
    for result in results:
        newest.setdefault(result.code or result.id, result)
    return list(newest.values())
