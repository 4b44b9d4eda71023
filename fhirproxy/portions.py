"""Whole records of many patients at once, out of the embedded store and as it stamped them (`stamps`)."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from consent import valuesets
from consent.decision import Access, Decision, decide
from consent.requester import Requester
from fhirproxy import asking, stamps
from fhirproxy.models import Source
from fhirproxy.release import Call
from fhirproxy.stamps import Facts

Row = tuple[str, str, int | None, int, bytes]  # patient, type, stamp, how many, their bodies by line
MOST_LEARNED = 10_000


@dataclass(frozen=True, slots=True)
class Portion:
    """Resources of one patient and type, by line. With `facts` they are decided on alike."""

    type: str
    count: int
    bodies: bytes
    facts: Facts | None

    @property
    def lines(self) -> list[bytes]:
        return self.bodies.split(b"\n")


@dataclass(frozen=True, slots=True)
class Held:
    """What the store has of some patients, and what was decided on it for those who chose alike."""

    portions: Mapping[UUID, list[Portion]]
    decided: dict[Hashable, tuple[Decision, Requester]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(each.bodies) for some in self.portions.values() for each in some)

    def decide(self, call: Call, key: Facts | str, access: Callable[[], Access]) -> Decision:
        """By what holds for the call, once for all for whom the same provisions hold at the same moment.

        `key` stands for the access. The requester is kept, so that its provisions stay who they are.
        """
        who = call.requester
        whole = (key, who.now, *map(id, who.provisions))
        if whole not in self.decided:
            self.decided[whole] = decide(access(), call.authority), who
        return self.decided[whole][0]


def of(requesters: Sequence[Requester], source: Source, kinds: Collection[str]) -> Held | None:
    """Of each patient what the store has of these types, in its order; None for an EHR that is another.

    The requesters are of one client and purpose.

    Nothing is decided here. What has no stamp, or an old one, gets one for the next time.
    """
    if source.kind != Source.Kind.EMBEDDED:
        return None
    whose = {r.identities[source.slug]: r for r in requesters if source.slug in r.identities}
    found: dict[UUID, list[Portion]] = {requester.patient_id: [] for requester in requesters}
    stale: list[tuple[str, str, int, int]] = []
    for patient, kind, stamp, count, bodies in _portions()(list(whose), sorted(kinds)):
        requester = whose[patient]
        facts = _facts(stamp, bodies, patient, requester.valuesets) if stamp else None
        portion = Portion(kind, count, bodies, facts)
        found[requester.patient_id].append(portion)
        if facts is None and stamp != stamps.ALONE:
            stale += _stamped(portion, patient, requester.valuesets)
    _set_stamps()(stale)
    return Held(found)


_learned: dict[tuple[int, str], Facts] = {}  # by stamp and edition


def _facts(stamp: int, bodies: bytes, patient: str, release: int) -> Facts | None:
    """What a stamp stands for, as the first resource that has it shows; None for an old one."""
    key = stamp, stamps.edition(release)
    facts = _learned.get(key)
    if facts is None:
        body, _, _ = bodies.partition(b"\n")
        facts = stamps.facts_of(asking.decode(body), body, patient, valuesets.codes(release))
        if facts is None or stamps.stamp(facts, release) != stamp:
            return None
        if len(_learned) >= MOST_LEARNED:
            _learned.clear()
        _learned[key] = facts
    return facts


def _stamped(portion: Portion, patient: str, release: int) -> Iterator[tuple[str, str, int, int]]:
    """(type, id, version, stamp) of each resource."""
    for body in portion.lines:
        resource = asking.decode(body)
        facts = stamps.facts_of(resource, body, patient, valuesets.codes(release))
        version = int(resource["meta"]["versionId"])
        yield portion.type, resource["id"], version, stamps.stamp(facts, release)


@cache
def _portions() -> Callable[[Sequence[str], Sequence[str]], list[Row]]:
    return import_string(settings.FHIRSTORE_PORTIONS)


@cache
def _set_stamps() -> Callable[[Sequence[tuple[str, str, int, int]]], None]:
    return import_string(settings.FHIRSTORE_SET_STAMPS)
