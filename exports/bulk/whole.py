"""Of a group that a rule finds, an EHR that has a Bulk Data export of its own gives all patients at once.

Its files are read line by line; what is in them is held against the group and decided on, chunk by chunk,
as if each patient had been searched for. What cannot be had so, or not to its end, is searched for after all,
from the beginning. A list's patients are always searched for: of others nothing is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Patient, PatientIdentity
from consent.requester import Requester
from exports.formats.about import Why
from exports.models import ExportFile, ExportJob, Group
from exports.sources import Chunk, Gap, Later, Place, Position, Unanswered
from exports.writing import Lost
from fhirproxy import asking, exporting, health, upstream
from fhirproxy.compartment import owners_of
from fhirproxy.exporting import Block, Part, Wanted
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.served import SERVED
from fhirproxy.upstream import File, NotWhole, Pending, UpstreamUnavailable, WholeExport

LINES, BYTES = 1000, 8 * 1024 * 1024  # of one chunk
LONGEST = 6 * 3600  # seconds that an EHR may take for its export
TRIES = 3
log = structlog.get_logger("chartkey.exports")


class Export(Protocol):
    """What of a bulk export is needed here (`source.Bulk`)."""

    job: ExportJob

    @property
    def source(self) -> Source: ...

    @property
    def wanted(self) -> Sequence[Wanted]: ...

    @property
    def members(self) -> QuerySet[Patient]: ...

    @property
    def group(self) -> Group: ...

    def check(self) -> None: ...

    def requester(self, patient_id: UUID) -> Requester: ...

    def lines(self, ids: Any, read: Any) -> Mapping[Place, Sequence[bytes | Block]]: ...


def begin(bulk: Export) -> Position:
    """Where such an export begins, or nothing where patients are searched for one by one."""
    job = bulk.job
    narrowed = job.patients or job.until or job.type_filters
    if job.position.get("searched") or narrowed or bulk.group.kind != Group.Kind.RULE:
        return {"searched": True}
    if bulk.source.kind == Source.Kind.EMBEDDED or not health.offers_export(bulk.source):
        return {"searched": True}
    return {"whole": {"status": "", "since": timezone.now().timestamp()}}


def chunks(bulk: Export) -> Iterator[Chunk]:
    """From the job's position on. Raises Blocked, Unanswered, Later, and Lost to begin anew by searching."""
    try:
        while not (at := bulk.job.position["whole"]).get("over"):
            bulk.check()
            export = _export(bulk.source)
            if not at["status"]:
                types = [each.resource_type for each in bulk.wanted]
                yield _step(bulk, status=export.start(types, bulk.job.since))
            elif "files" not in at:
                yield _step(bulk, files=_files(export, at), file=0, line=0)
            elif at["file"] < len(at["files"]):
                yield from _file(bulk, export, File(*at["files"][at["file"]]))
            else:
                export.end(at["status"])
                yield _step(bulk, over=True)
    except NotWhole as problem:
        raise _search_instead(bulk) from problem
    except (UpstreamUnavailable, EhrFailure) as failure:
        if bulk.job.position.get("tries", 0) >= TRIES:
            raise _search_instead(bulk) from failure
        nowhere = Place(ExportFile.Kind.ERROR, "OperationOutcome", 0)
        raise Unanswered(Gap(nowhere, Why.MISSING, bulk.job.position)) from failure


def _export(source: Source) -> WholeExport:
    export = upstream.whole_export(source)
    if export is None:
        raise NotWhole
    return export


def _search_instead(bulk: Export) -> Lost:
    log.warning("export of the EHR not used", job=str(bulk.job.pk), source=bulk.source.slug)
    bulk.job.position = {"searched": True}
    return Lost()


def _step(
    bulk: Export, lines: Mapping[Place, Sequence[bytes | Block]] | None = None, **changes: Any
) -> Chunk:
    position = bulk.job.position
    at = {**position["whole"], **changes}
    batch = uuid5(bulk.job.pk, f"{at.get('file')}:{at.get('line')}")
    return Chunk(lines or {}, {**position, "whole": at, "after": str(batch), "tries": 0})


def _files(export: WholeExport, at: Mapping[str, Any]) -> list[list[Any]]:
    found = export.files(at["status"])
    if isinstance(found, Pending):
        if timezone.now().timestamp() - at["since"] > LONGEST:
            export.end(at["status"])
            raise NotWhole
        raise Later(found.seconds)
    return [[file.type, file.url, file.count] for file in found]


def _file(bulk: Export, export: WholeExport, file: File) -> Iterator[Chunk]:
    """A file from the line on that the position has. A type that nobody asked for is passed over."""
    number, line = bulk.job.position["whole"]["file"], bulk.job.position["whole"]["line"]
    want = next((each for each in bulk.wanted if each.resource_type == file.type), None)
    bodies = export.lines(file, line) if want else iter(())
    while some := _some(bodies):
        assert want
        bulk.check()
        line += len(some)
        yield _step(bulk, _decided(bulk, want, some), file=number, line=line)
    yield _step(bulk, file=number + 1, line=0)


def _some(bodies: Iterator[bytes]) -> list[bytes]:
    """As many lines as one chunk takes."""
    found, size = [], 0
    for body in islice(bodies, LINES):
        found.append(body)
        if (size := size + len(body)) > BYTES:
            break
    return found


def _decided(bulk: Export, want: Wanted, bodies: Sequence[bytes]) -> Mapping[Place, Sequence[bytes | Block]]:
    """What of these lines may leave: of members, as each of them chose at this moment."""
    theirs: dict[str, list[bytes]] = {}
    for body in bodies:
        if owner := _owner(bulk.source, want, body):
            theirs.setdefault(owner, []).append(body)
    known = PatientIdentity.objects.filter(source=bulk.source.slug, fhir_id__in=theirs)
    ours = known.filter(patient__in=bulk.members.values("pk")).order_by("patient_id")
    members = {patient: theirs[fhir_id] for patient, fhir_id in ours.values_list("patient_id", "fhir_id")}

    def read(patient: UUID) -> Part:
        return exporting.read(bulk.requester(patient), bulk.source, [want], members[patient])

    return bulk.lines(members, read)


def _owner(source: Source, want: Wanted, body: bytes) -> str:
    """FHIR id of the one patient whose it is; empty where it is nobody's, or of another type."""
    resource = asking.decode(body)
    if resource.get("resourceType") != want.resource_type:
        return ""
    base = source.base_url or settings.FHIR_BASE_URL
    owners = set(owners_of(resource, SERVED[want.resource_type], base))
    return owners.pop().removeprefix("Patient/") if len(owners) == 1 else ""
