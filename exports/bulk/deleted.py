"""What was deleted at the EHR since `_since`, as the manifest's `deleted` tells it (Bulk Data Access 2.0.0).

One page of an EHR's history is one chunk, behind all batches of patients. A type with a filter is left out:
whether what is gone fitted it, nobody can ask any more.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Patient, PatientIdentity
from consent.requester import Requester
from exports.formats.about import Why
from exports.models import ExportFile, ExportJob
from exports.sources import Chunk, Gap, Place, Unanswered
from fhirproxy import deletions, exporting
from fhirproxy.cursors import EhrPage
from fhirproxy.deletions import Gone
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.served import RECORD

DELETED = Place(ExportFile.Kind.DELETED, "Bundle")


class Asking(Protocol):
    """What of a bulk export is needed here (`source.Bulk`)."""

    job: ExportJob

    @property
    def source(self) -> Source: ...

    @property
    def members(self) -> QuerySet[Patient]: ...

    def check(self) -> None: ...

    def requester(self, patient_id: UUID) -> Requester: ...


def kinds(job: ExportJob, source: Source) -> list[str]:
    """The types whose deletions are looked for."""
    filtered = {text.partition("?")[0] for text in job.type_filters}
    told = deletions.told_of(source)
    return [k for k in job.resource_types if k in RECORD and k in told and k not in filtered]


def chunks(asking: Asking) -> Iterator[Chunk]:
    """From the job's position on. Raises Blocked and Unanswered."""
    while left := asking.job.position.get("gone"):
        asking.check()
        position = asking.job.position
        try:
            lines, onward = _page(asking, left[0], position.get("page"))
        except EhrFailure as failure:
            rest = {**position, "gone": left[1:], "page": None, "tries": 0}
            nowhere = Place(ExportFile.Kind.DELETED, left[0], 0)  # what is known of other types stays
            raise Unanswered(Gap(nowhere, Why.MISSING, rest)) from failure
        rest = {"gone": left if onward else left[1:], "page": onward, "tries": 0}
        yield Chunk({DELETED: [deletions.bundle(lines)]} if lines else {}, {**position, **rest})


def _page(asking: Asking, kind: str, page: list[Any] | None) -> tuple[list[bytes], list[Any] | None]:
    """Entries that may leave, and where to go on with this type."""
    job, source = asking.job, asking.source
    assert job.since
    there = deletions.first(kind, job.since)
    if page:
        there = EhrPage(page[0], tuple((name, value) for name, value in page[1]), page[2])
    # What is deleted from here on may be in the output already; the next export tells of it.
    until = min(job.until or job.created_at, job.created_at)
    gone, onward = deletions.page(source, kind, there, until)
    whose = _members(asking, {each.owner for each in gone})
    theirs: dict[UUID, list[Gone]] = {}
    for each in gone:
        if patient := whose.get(each.owner):
            theirs.setdefault(patient, []).append(each)

    def read(patient: UUID) -> exporting.Part:
        return deletions.read(asking.requester(patient), source, kind, theirs[patient])

    kept = exporting.record_all([read(patient) for patient in theirs], read, target=f"ExportJob/{job.pk}")
    lines = [line for part in kept for line in part.lines[kind].values()]
    return lines, [onward.path, onward.params, onward.onward] if onward else None


def _members(asking: Asking, owners: set[str]) -> Mapping[str, UUID]:
    """Our ids of those who are in the group, by their FHIR ids."""
    known = PatientIdentity.objects.filter(source=asking.source.slug, fhir_id__in=owners)
    found = known.filter(patient__in=asking.members.values("pk"))
    return dict(found.values_list("fhir_id", "patient_id"))
