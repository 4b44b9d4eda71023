"""What a person takes of one record: each EHR, type by type, through the gate like any other read.

Every page is decided and recorded with the authority of its moment, cut down to what was chosen. Private
topics come in a second pass, into files of their own: what the first pass let out is not there again.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from audit.events import EventType
from consent.decision import Reason
from consent.requester import Requester
from exports import packages, reading
from exports.formats.about import Why
from exports.models import ExportFile, ExportJob
from exports.requesters import requester
from exports.sources import Blocked, Chunk, Gap, Place, Position, Unanswered
from fhirproxy import gate, interactions
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure, Refusal
from fhirproxy.served import SERVED

PAGE = "200"
READS = 50  # in one chunk, of what can only be read by id
# What records refer to, and is read by its id; what one of these refers to comes after it.
REFERRED = ("Medication", "PractitionerRole", "Practitioner", "Location", "Organization")


class Page(msgspec.Struct):
    entry: list[dict[str, msgspec.Raw]] = msgspec.field(default_factory=list)
    link: list[dict[str, str]] = msgspec.field(default_factory=list)


class Step(NamedTuple):
    """One type of one EHR, in one pass."""

    number: int  # of the EHR, from 1: the files of each are its own
    resource_type: str
    is_private: bool

    @property
    def place(self) -> Place:
        return Place(ExportFile.Kind.OUTPUT, self.resource_type, self.number, self.is_private)


class Personal:
    """The source of a person's export (`exports.sources.Source`)."""

    def __init__(self, job: ExportJob) -> None:
        self.job = job

    def prepare(self) -> Position:
        asking = self._asking(is_private=False)
        known = Source.objects.filter(slug__in=asking.identities).order_by("-is_primary", "slug")
        slugs = [source.slug for source in known] or [Source.primary().slug]
        return {"sources": slugs, "epoch": asking.epoch, "step": 0, "cursor": ""}

    def chunks(self) -> Iterator[Chunk]:
        first, cursor = self.job.position["step"], self.job.position["cursor"]
        for index in range(first, len(self._steps)):
            step = self._steps[index]
            try:
                for lines, following, is_first in self._pages(step, cursor):
                    at, is_last = self._position(index, following), not following
                    yield Chunk({step.place: lines}, at, is_first=is_first, is_last=is_last)
            except EhrFailure as failure:
                gap = Gap(step.place, Why.MISSING, self._position(index, ""))
                raise Unanswered(gap) from failure
            cursor = ""

    def steps(self) -> tuple[int, int]:
        return self.job.position["step"], len(self._steps)

    def package(self) -> Sequence[ExportFile]:
        self._asking(is_private=False)
        made = packages.make(self.job, self._sources)
        self._asking(is_private=False)  # for the last time: whatever ends it from here on ends the job itself
        return made

    @cached_property
    def _sources(self) -> list[Source]:
        found = Source.objects.in_bulk(self.job.position["sources"])
        return [found[slug] for slug in self.job.position["sources"] if slug in found]

    @cached_property
    def _steps(self) -> list[Step]:
        types = [*self.job.resource_types, *REFERRED]
        return [
            Step(number, kind, is_private)
            for is_private in ((False, True) if self.job.include_sensitive else (False,))
            for number, source in enumerate(self._sources, 1)
            for kind in types
            if source.serves(kind)
        ]

    def _position(self, index: int, cursor: str) -> Position:
        kept = {name: self.job.position[name] for name in ("sources", "epoch")}
        return kept | {"step": index if cursor else index + 1, "cursor": cursor}

    def _asking(self, *, is_private: bool) -> Requester:
        """Raises Blocked, for a helper also where anything changed since the first page: what is in the
        files by then was let out by what does not hold any more."""
        asking = requester(self.job, is_private=is_private)
        if asking.missing or not asking.provisions:
            raise Blocked(asking.missing or Reason.NO_CONSENT)
        began_at = self.job.position.get("epoch", asking.epoch)
        if asking.on_behalf_of and began_at != asking.epoch:
            raise Blocked(Reason.CHANGED)
        return asking

    def _pages(self, step: Step, cursor: str) -> Iterator[tuple[list[bytes], str, bool]]:
        """(lines, cursor of the next page, whether the file begins). Raises Blocked and EhrFailure."""
        find = self._search if SERVED[step.resource_type].searchable else self._read
        is_first = not cursor
        try:
            for lines, following in find(step, cursor):
                yield lines, following, is_first
                is_first = False
        except Stale:  # too long ago, or what was decided by has changed: this type again, from its beginning
            yield from self._pages(step, "")

    def _search(self, step: Step, cursor: str) -> Iterator[tuple[list[bytes], str]]:
        known = self._in_first_pass(step)
        while True:
            if cursor:
                asked = Interaction("search-type", step.resource_type, cursor=cursor)
            else:
                asked = interactions.search(step.resource_type, [("_count", PAGE)])
            page = msgspec.json.decode(self._serve(step, asked), type=Page)
            if any(b'"outcome"' in bytes(entry.get("search", b"")) for entry in page.entry):
                raise EhrFailure(502, "The EHR gave a part only, and a part is no copy of a record.")
            following = next((link["url"] for link in page.link if link["relation"] == "next"), "")
            cursor = following.partition("_cursor=")[2]
            found = (self._line(step, bytes(entry["resource"])) for entry in page.entry)
            yield [line for line in found if reading.digest(line) not in known], cursor
            if not cursor:
                return

    def _read(self, step: Step, cursor: str) -> Iterator[tuple[list[bytes], str]]:
        """What the files so far refer to, by id, as far as it may be seen; the cursor is the last id."""
        known = self._in_first_pass(step)
        so_far = self.job.files.filter(number=step.number, is_private=step.is_private).exclude(sha256="")
        wanted = [one for one in reading.referred(so_far, self.job, step.resource_type) if one > cursor]
        for start in range(0, len(wanted), READS):
            ids, found = wanted[start : start + READS], []
            for one in ids:
                try:
                    body = self._serve(step, Interaction("read", step.resource_type, one))
                except Hidden:
                    continue
                found.append(self._line(step, body))
            is_last = start + READS >= len(wanted)
            yield [line for line in found if reading.digest(line) not in known], "" if is_last else ids[-1]
        if not wanted:
            yield [], ""

    def _serve(self, step: Step, asked: Interaction) -> bytes:
        """Raises Hidden, Stale, Blocked and EhrFailure."""
        source = self._sources[step.number - 1]
        asking = self._asking(is_private=step.is_private)
        try:
            return gate.serve(asking, asked, source, EventType.EXPORT_READ).body
        except EhrFailure:
            raise
        except Refusal as refusal:
            if refusal.status >= 500:
                raise EhrFailure(refusal.status, refusal.diagnostics) from refusal
            if asked.code == "read":
                raise Hidden from refusal
            if asked.cursor and refusal.status == 400:
                raise Stale from refusal
            raise Blocked(Reason.NO_CONSENT) from refusal

    def _line(self, step: Step, resource: bytes) -> bytes:
        """One line; with several EHRs it says which one it is of."""
        if len(self._sources) > 1:
            source = self._sources[step.number - 1]
            members = msgspec.json.decode(resource, type=dict[str, msgspec.Raw])
            meta = msgspec.json.decode(members.get("meta", b"{}"), type=dict[str, msgspec.Raw])
            meta["source"] = msgspec.Raw(msgspec.json.encode(source.fhir_url))
            members["meta"] = msgspec.Raw(msgspec.json.encode(meta))
            resource = msgspec.json.encode(members)
        return resource.replace(b"\n", b" ")

    def _in_first_pass(self, step: Step) -> frozenset[bytes]:
        """Of a private file: what stands in the file that is not private."""
        if not step.is_private:
            return frozenset()
        ordinary = self.job.files.filter(**step.place._replace(is_private=False)._asdict())
        return frozenset(reading.digest(line) for line in reading.lines(ordinary, self.job))


class Hidden(Exception):
    """One of the things that records refer to is not for whoever asks."""


class Stale(Exception):
    """The link to the next page leads nowhere any more."""
