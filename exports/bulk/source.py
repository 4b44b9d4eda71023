"""What a client is given: patient by patient, each decided on with what they chose at this moment.

The members of a group are walked by their ids, so that a run that was killed goes on behind the last batch
that is on disk. Of a batch each type goes into the file of that type.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Patient
from consent import authority
from consent.requester import Requester
from exports.bulk import approvals, deleted, groups, messages, whole
from exports.bulk.kickoff import PROVENANCE, REFERRED
from exports.formats.about import Why
from exports.models import ExportFile, ExportJob, Group, GroupApproval, SharedLine
from exports.sources import Blocked, Chunk, Gap, Place, Position, Unanswered
from fhirproxy import exporting, portions
from fhirproxy.exporting import Block, Part, Wanted
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.portions import Held
from fhirproxy.served import RECORD
from smart.scopes import Scope

BATCH = 200  # patients whose records are in memory at once, at most
FIRST = 20  # of the first batch, and wherever the EHR is asked patient by patient
BYTES = 4 * 2**20  # of a batch, as far as the one before it tells
NOBODY = UUID(int=0)
Kind = ExportFile.Kind
TRIES = 3  # that the engine asks a source again (`exports.runs.PAUSES`); then patient by patient
NOWHERE = Place(Kind.ERROR, "OperationOutcome", 0)  # a gap of no file: the others stay as they are


class Bulk:
    """The source of a client's export (`exports.sources.Source`)."""

    def __init__(self, job: ExportJob) -> None:
        self.job = job
        self._target = f"ExportJob/{job.pk}"
        self._missing = job.position.get("missing", 0)
        self._size = FIRST

    def prepare(self) -> Position:
        self.check()
        SharedLine.objects.filter(job=self.job).delete()
        begin: dict[str, Any] = {"after": str(NOBODY), "done": 0, "missing": 0, "of": self.members.count()}
        begin |= whole.begin(self)
        return begin | ({"gone": deleted.kinds(self.job, self.source)} if self.job.since else {})

    def chunks(self) -> Iterator[Chunk]:
        """A batch each. Raises Blocked, Unanswered and Later."""
        yield from whole.chunks(self) if "whole" in self.job.position else self._batches()
        yield from deleted.chunks(self)
        if (said := messages.of(self.job)) and not self.job.position.get("said"):
            place = Place(Kind.ERROR, "OperationOutcome")
            yield Chunk({place: said}, {**self.job.position, "said": True})

    def _batches(self) -> Iterator[Chunk]:
        while True:
            self.check()
            if not (ids := self._next()):
                return
            lines = self._lines(ids)
            position = self.job.position
            done = {"after": str(ids[-1]), "done": position["done"] + len(ids), "missing": self._missing}
            yield Chunk(lines, {**position, **done, "tries": 0})

    def steps(self) -> tuple[int, int]:
        return self.job.position.get("done", 0), self.job.position.get("of", 0)

    def package(self) -> Sequence[ExportFile]:
        """The files as they are."""
        SharedLine.objects.filter(job=self.job).delete()
        return list(self.job.files.all())

    def check(self) -> None:
        """Look at the approval of this moment. Raises Blocked."""
        approval = GroupApproval.objects.select_related("group", "client").filter(jobs=self.job).first()
        if approval is None:
            raise Blocked("approval.ended")
        self._approval = approval
        if why := approvals.why_not(self._approval):
            raise Blocked(why)

    @property
    def group(self) -> Group:
        return self._approval.group

    @property
    def members(self) -> QuerySet[Patient]:
        members = groups.members(self._approval.group)
        if self.job.patients:
            members = members.filter(pk__in=self.job.patients)
        return members

    def _next(self) -> list[UUID]:
        """The next batch of patients, by id. Who joins behind is in; who left is not."""
        rest = self.members.filter(pk__gt=self.job.position["after"]).order_by("pk")
        return list(rest.values_list("pk", flat=True)[: min(BATCH, self._size)])

    def _lines(self, ids: Sequence[UUID]) -> Mapping[Place, Sequence[bytes | Block]]:
        """Each is read out of what is held of all; who chose something meanwhile, once more and alone."""
        first = {requester.patient_id: requester for requester in self._requesters(ids)}
        held = self._held(list(first.values()))
        if held:
            self._size = max(1, min(BATCH, BYTES * len(ids) // (held.size or 1)))

        def read(patient_id: UUID) -> Part | None:
            requester = first.pop(patient_id, None)
            return self._part(requester, held) if requester else self._part(self.requester(patient_id))

        return self.lines(ids, read)

    def lines(
        self, ids: Iterable[UUID], read: Callable[[UUID], Part | None]
    ) -> Mapping[Place, Sequence[bytes | Block]]:
        """What may leave of these patients, by type; each patient's event is in the log then."""
        parts = [part for part in map(read, ids) if part]
        kept = exporting.record_all(parts, read, target=self._target)
        found: dict[str, dict[str, bytes]] = {}
        blocks: dict[str, list[Block]] = {}
        for part in kept:
            for kind, bodies in part.lines.items():
                found.setdefault(kind, {}).update(bodies)
            for kind, some in part.blocks.items():
                blocks.setdefault(kind, []).extend(some)
        for kind in set(found) & set(REFERRED):
            found[kind] = self._new(kind, found[kind])
        single = {kind: [body.replace(b"\n", b" ") for body in found[kind].values()] for kind in found}
        return {
            Place(Kind.OUTPUT, kind): [*blocks.get(kind, ()), *single.get(kind, ())]
            for kind in sorted({*blocks, *single})
            if blocks.get(kind) or single.get(kind)
        }

    def _new(self, kind: str, bodies: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those that no batch before this one had: many patients have one practitioner."""
        batch = self.job.position["after"]
        shared = SharedLine.objects.filter(job=self.job, resource_type=kind)
        shared.filter(batch=batch).delete()  # of a run that was killed before they were on disk
        known = set(shared.filter(fhir_id__in=list(bodies)).values_list("fhir_id", flat=True))
        new = {fhir_id: body for fhir_id, body in bodies.items() if fhir_id not in known}
        SharedLine.objects.bulk_create(
            SharedLine(job=self.job, resource_type=kind, fhir_id=fhir_id, batch=batch) for fhir_id in new
        )
        return new

    def requester(self, patient_id: UUID) -> Requester:
        (requester,) = self._requesters([patient_id])
        return requester

    def _requesters(self, ids: Sequence[UUID]) -> list[Requester]:
        approval = self._approval
        return authority.for_service(approval.client, ids, approval.purpose, self._scopes)

    def _held(self, requesters: Sequence[Requester]) -> Held | None:
        plain = [each.resource_type for each in self.wanted if each.is_plain]
        return portions.of(requesters, self.source, plain) if plain else None

    def _part(self, requester: Requester, held: Held | None = None) -> Part | None:
        """None for a patient of whom the EHR gives nothing, however often it is asked. Raises Unanswered."""
        try:
            return exporting.read(requester, self.source, self.wanted, held=held)
        except EhrFailure as failure:
            if self.job.position.get("tries", 0) < TRIES:
                raise Unanswered(Gap(NOWHERE, Why.MISSING, self.job.position)) from failure
            exporting.record_failure(requester, target=self._target)
            self._missing += 1
            return None

    @cached_property
    def source(self) -> Source:
        return Source.primary()

    @cached_property
    def _scopes(self) -> tuple[Scope, ...]:
        return tuple(Scope.parse_all(self.job.scope))

    @property
    def _types(self) -> list[str]:
        return list(self.job.resource_types)

    @cached_property
    def wanted(self) -> list[Wanted]:
        provenance, follows = PROVENANCE in self._types, frozenset(REFERRED) & set(self._types)
        return [
            Wanted(kind, self._searches(kind), self._elements(kind), provenance, follows)
            for kind in self._types
            if kind in RECORD
        ]

    def _searches(self, kind: str) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The type's own filters, or one search of all, within the time that was asked for."""
        times = []
        if self.job.since:
            times.append(("_lastUpdated", f"gt{self.job.since.isoformat()}"))
        if self.job.until:
            times.append(("_lastUpdated", f"lt{self.job.until.isoformat()}"))
        queries = [text.partition("?") for text in self.job.type_filters]
        own = [tuple(parse_qsl(query)) for of, _, query in queries if of == kind]
        return tuple((*query, *times) for query in own or [()])

    def _elements(self, kind: str) -> frozenset[str]:
        """`_elements` that speak of this type: where none does, it comes whole."""
        named = [text.rpartition(".") for text in self.job.elements]
        return frozenset(element for of, _, element in named if of in ("", kind))
