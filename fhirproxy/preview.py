"""What somebody would see of a record, counted on the record itself: before they are let in, and after.

The patient's own record is read through the gate in the patient's name, as one event of the log; then
each resource is labelled and decided on by `fhirproxy.checks`, as for the real thing, but with a
requester who only might be. Nothing is sent to them.

Cost: one read of those types that they could see anything of (one search of the EHR for each, and one for
every 200 resources more), and one search for every 100 records that labels are taken from. With the embedded
EHR that is about half a millisecond a resource: 0.2 s for 280, 3 s for 5,000. Nothing is kept, so each
preview reads afresh.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from audit.events import EventType
from consent import explain
from consent.contents import contents_of
from consent.decision import Decision, ProvisionType, Reason
from consent.explain import Item
from consent.requester import Requester
from consent.vocabulary import ELEMENTS_OF, TOPICS, Category, codings
from fhirproxy import gate
from fhirproxy.asking import Page
from fhirproxy.checks import Seen, decide_on, see
from fhirproxy.interactions import EVERYTHING, Interaction
from fhirproxy.models import Source
from fhirproxy.release import Call
from fhirproxy.served import RECORD
from fhirproxy.upstream import FhirResponse

MOST = 5_000  # resources that are looked at
UNNAMED = "marked-private"  # the topic of a label that belongs to none


@dataclass(slots=True)
class Count:
    """Of one category: how many resources would be seen, and how many of it stay hidden."""

    category: Category
    seen: int = 0
    private: Counter[str] = field(default_factory=Counter)  # by topic; one of two topics is in both
    limited: int = 0  # kept back because the patient asked for a limit


@dataclass(slots=True)
class Preview:
    """The counts by category, in the order of the vocabulary; only categories that have anything."""

    counts: list[Count] = field(default_factory=list)
    seen: int = 0
    hidden: int = 0  # private, each resource once
    limited: int = 0
    private: Counter[str] = field(default_factory=Counter)  # by topic
    more: bool = False  # the record has more than MOST
    reason: Reason | None = None  # why nothing at all could be seen


def would_see(own: Requester, other: Requester) -> Preview:
    """Count on the record of `own`, who is its patient, what `other` would see of it.

    What `other` was never meant to see (other categories, beyond its scopes) is not counted at all.
    Raises Refusal where the record cannot be read now.
    """
    source = Source.primary()
    types = explain.possible_types(other, RECORD)
    if not types:
        return Preview(reason=explain.sees(other, None, RECORD).reasons[0])
    if not own.identities.get(source.slug):
        return Preview()
    bodies, more = _record(own, source, types)
    preview = Preview(more=more)
    calls = _calls(other, source)
    counts: dict[Category, Count] = {}
    for seen in see(calls["read"], bodies):
        decision = explain.by_any_reading({code: decide_on(call, seen) for code, call in calls.items()})
        _add(preview, counts, other, seen, decision)
    preview.counts = [counts[category] for category in Category if category in counts]
    return preview


def look_at(own: Requester, resource_type: str, resource_id: str) -> tuple[FhirResponse, Item]:
    """One resource of a patient's own record through the gate, and what decisions ask of it.

    Raises Refusal where it cannot be read.
    """
    source = Source.primary()
    answer = gate.serve(own, Interaction("read", resource_type, resource_id), source)
    # Own reading needs no labels; whoever else may ask does.
    call = _calls(replace(own, provisions=()), source)["read"]
    [seen] = see(call, [answer.body])
    item = Item(
        resource_type=seen.type,
        categories=seen.categories,
        labels=seen.labels,
        codings=frozenset(f"{s}|{c}" for s, c in codings(seen.resource.get("category"))),
        contents=contents_of(seen.resource, call.base_url),
    )
    return answer, item


def _record(own: Requester, source: Source, types: tuple[str, ...]) -> tuple[list[bytes], bool]:
    """The resources of a record, at most MOST, and whether there are more; one event in the log."""
    whole = Interaction(EVERYTHING, "Patient", own.identities[source.slug], count=MOST, types=types)
    answer = gate.serve(own, whole, source, event=EventType.RECORD_PREVIEW)
    page = msgspec.json.decode(answer.body, type=Page)
    return page.bodies, bool(page.next)


def _calls(requester: Requester, source: Source) -> Mapping[str, Call]:
    """The calls that the gate would make for them, by the way of reading."""
    return {
        code: Call(requester, Interaction(code, "Patient"), requester.authority(code), source)
        for code in explain.READING
    }


def _add(
    preview: Preview, counts: dict[Category, Count], other: Requester, seen: Seen, decision: Decision
) -> None:
    reasons = set(decision.reasons)
    if not reasons <= {Reason.SENSITIVE, Reason.DENIED}:
        return
    category = _category(other, seen.categories)
    count = counts.setdefault(category, Count(category))
    if decision.permitted:
        preview.seen += 1
        count.seen += 1
        for part in _parts(seen, decision):
            counts.setdefault(part, Count(part)).seen += 1
    elif Reason.DENIED in reasons:
        preview.limited += 1
        count.limited += 1
    else:
        topics = list(_topics(other, seen.labels))
        preview.hidden += 1
        preview.private.update(topics)
        count.private.update(topics)


def _category(other: Requester, categories: Collection[Category]) -> Category:
    """Where a resource is counted, once: under the first of its categories that they were let in for."""
    ordered = [category for category in Category if category in categories]
    named = frozenset().union(*(p.categories for p in other.provisions if p.type is ProvisionType.PERMIT))
    return next((category for category in ordered if category in named), ordered[0])


def _parts(seen: Seen, decision: Decision) -> Iterator[Category]:
    """The parts of records (addresses) that it has and that go along."""
    for part, types in ELEMENTS_OF.items():
        elements = types.get(seen.type, frozenset()) & seen.resource.keys() - {"text"}
        if any(f"{seen.type}.{element}" not in decision.redact for element in elements):
            yield part


def _topics(other: Requester, labels: Collection[str]) -> Iterator[str]:
    """The private topics that somebody would have to be let in for, to see what has these labels."""
    permits = [p for p in other.provisions if p.type is ProvisionType.PERMIT]
    missing = frozenset(labels).difference(*(p.security_labels for p in permits)) or frozenset(labels)
    known = [topic for topic in TOPICS if topic.labels & missing]
    yield from (topic.code for topic in known)
    if missing.difference(*(topic.labels for topic in known)) and UNNAMED not in {t.code for t in known}:
        yield UNNAMED
