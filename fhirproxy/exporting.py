"""One patient's part of an export of many: asked, labelled and decided on as the gate does it for one.

The one difference to a search is the log. A read of many patients writes one event for each of them, after
the last look at what they chose; `record_all` writes those of a batch in one transaction, and only then lines
leave.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.events import EventType, Outcome
from audit.log import Entry, record, record_each
from consent.decision import Access, Reason, decide
from consent.organisation import policy_hash
from consent.requester import Requester
from consent.vocabulary import categories_of_scope
from fhirproxy import answers, asking, including, inlined
from fhirproxy.checks import Passed, decide_on, see
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.portions import Held
from fhirproxy.release import LONGEST_RULES, Call
from fhirproxy.searches import narrow
from fhirproxy.stamps import Facts
from fhirproxy.upstream import Params

PAGE = (("_count", "200"),)
AT_ONCE = 50  # matches whose references are followed together
# Search parameters that lead to people, places and medicines.
FOLLOWED = frozenset(
    {"actor", "author", "insurer", "location", "medication", "participant", "payor", "performer"}
) | {"provider", "requester", "service-provider"}
NOTHING_LEFT_OUT = Interaction("search-type", "Patient")
TRIES = 3  # where a patient changes what they chose while we read


@dataclass(frozen=True, slots=True)
class Wanted:
    """One type, as it is to be searched: any of the searches, each of which is on the gate's allow-list."""

    resource_type: str
    searches: tuple[Params, ...] = ((),)
    elements: frozenset[str] = frozenset()  # all, where empty
    provenance: bool = False  # with the Provenance of what passed
    follows: frozenset[str] = frozenset()  # types that come along where it refers to them

    @property
    def is_plain(self) -> bool:
        """Whether it is all of the type as it stands, so that a portion of the store's can be it."""
        return self == Wanted(self.resource_type)


@dataclass(frozen=True, slots=True)
class Block:
    """Resources that leave as the store has them, by line; the last line has no end."""

    bodies: bytes
    count: int


@dataclass(slots=True)
class Part:
    """What of one patient may be exported, and what the log says of it."""

    requester: Requester
    lines: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))  # type → id → JSON
    blocks: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))  # type → more of it
    reasons: dict[str, tuple[Reason, ...]] = field(default_factory=dict)  # type → why nothing of it
    rules: set[str] = field(default_factory=set)
    categories: set[str] = field(default_factory=set)
    withheld: int = 0

    @property
    def count(self) -> int:
        blocks = sum(block.count for blocks in self.blocks.values() for block in blocks)
        return blocks + sum(map(len, self.lines.values()))

    @property
    def types(self) -> set[str]:
        return {kind for kind, found in (*self.lines.items(), *self.blocks.items()) if found}


def read(
    requester: Requester,
    source: Source,
    wanted: Sequence[Wanted],
    handed: Sequence[bytes] | None = None,
    *,
    held: Held | None = None,
) -> Part:
    """All that this patient lets be exported of these types. Nothing of it may leave before `record_all`.

    `handed`: of the one type that is wanted, what the EHR's own export gave already, so that it is not
    searched for. `held`: what the store has of the types that are wanted as they stand, read after the
    requester was; else the EHR is asked.

    Raises EhrFailure where the EHR does not give all that was asked for.
    """
    part = Part(requester)
    authority = requester.authority("search-type")
    for want in wanted:
        kind = want.resource_type
        asked = Interaction("search-type", kind, elements=want.elements, provenance=want.provenance)
        if want.follows:
            asked = replace(asked, includes=FOLLOWED & set(asked.rule.includes))
        call = Call(requester, asked, authority, source, EventType.EXPORT_GIVE)
        if not source.serves(kind) or not call.patient_id:
            continue
        if reasons := _refusal(call, held):
            part.reasons[kind] = reasons
            continue
        passed = Passed()
        if handed is not None:
            _pass(call, handed, passed)
        elif held and want.is_plain:
            _look_through(call, held, part, passed)
        else:
            for params in want.searches:
                _search(call, replace(asked, params=params), passed)
        _follow(call, passed, want.follows)
        _take(part, call, passed)
    return part


def _refusal(call: Call, held: Held | None) -> tuple[Reason, ...]:
    """Why nothing of this type could be let out, before the EHR is asked; empty where something could."""
    kind = call.interaction.resource_type

    def access() -> Access:
        return Access(
            "search-type",
            kind,
            at=call.requester.now,
            purpose=call.requester.purpose,
            categories=categories_of_scope(kind),
            actors=call.requester.actors,
            beforehand=True,
        )

    return (held.decide(call, kind, access) if held else decide(access(), call.authority)).reasons


def _search(call: Call, asked: Interaction, passed: Passed) -> None:
    params = narrow(call, asked)
    if params is None:  # never a search that is not the patient's
        return
    _pass(call, list(asking.pages(call.source, asked.resource_type, (*params, *PAGE))), passed)


def _pass(call: Call, bodies: Sequence[bytes], passed: Passed) -> None:
    for seen in see(call, bodies):
        if not isinstance(seen.resource.get("id"), str):
            raise asking.failure(call.source)  # nobody could tell it from the next one
        if seen.type == call.interaction.resource_type:
            passed.take(seen, decide_on(call, seen))


def _look_through(call: Call, held: Held, part: Part, passed: Passed) -> None:
    """Decide on each portion as a whole, and on each resource where one decision is not enough."""
    kind = call.interaction.resource_type
    for portion in held.portions[call.requester.patient_id]:
        if portion.type != kind:
            continue
        facts = None if call.particular else portion.facts
        decision = held.decide(call, facts, partial(_access, call, facts)) if facts else None
        if facts is None or decision is None or any(each.startswith(f"{kind}.") for each in decision.redact):
            for seen in see(call, portion.lines):
                passed.take(seen, decide_on(call, seen))
        elif decision.permitted:
            part.blocks[kind].append(Block(portion.bodies, portion.count))
            part.rules |= {*decision.policy_ids, *decision.provision_ids}
            part.categories |= facts.categories
        else:
            passed.withheld += portion.count
            passed.decision = decision


def _access(call: Call, facts: Facts) -> Access:
    """As of `checks.decide_on`, for resources that are the patient's and have no other inside."""
    return Access(
        call.interaction.code,
        facts.type,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=facts.categories,
        actors=call.requester.actors,
        security_labels=frozenset() if call.requester.sees_every_label else facts.labels,
        codings=facts.codings,
    )


def _follow(call: Call, passed: Passed, kinds: Collection[str]) -> None:
    """What the matches refer to, of these types; a few matches at a time, as the gate follows so many."""
    matches = list(passed.matches.items())
    for start in range(0, len(matches) if call.interaction.includes else 0, AT_ONCE):
        some = Passed(matches=dict(matches[start : start + AT_ONCE]))
        including.include(call, some)
        passed.included |= {name: pair for name, pair in some.included.items() if pair[0].type in kinds}
    if call.interaction.provenance:
        including.include_provenance(call, passed)


def _take(part: Part, call: Call, passed: Passed) -> None:
    for seen, decision in passed.all:
        asked = call.interaction if seen.type == call.interaction.resource_type else NOTHING_LEFT_OUT
        body = answers.body_of(asked, seen, decision)
        part.lines[seen.type][seen.id] = inlined.attachments(call, seen.type, body)
        part.rules |= {*decision.policy_ids, *decision.provision_ids}
    if passed.withheld and not passed.all and not part.blocks.get(call.interaction.resource_type):
        part.reasons[call.interaction.resource_type] = passed.decision.reasons
    part.categories |= set(passed.categories)
    part.withheld += passed.withheld


def record_all(parts: Sequence[Part], again: Callable[[UUID], Part | None], *, target: str) -> list[Part]:
    """Write one event for each patient of a batch, in one transaction; give those whose lines may leave.

    `again` reads a patient anew who changed what they chose in the meantime. Raises EhrFailure.
    """
    with transaction.atomic():
        recorded = record_each([_said(part, target) for part in parts])
        tried = zip(parts, recorded, strict=True)
        kept = [part if done else _again(part, again, target) for part, done in tried]
    return [part for part in kept if part and part.count]


def record_failure(requester: Requester, *, target: str) -> None:
    """The EHR gave nothing of a patient, however often it was asked."""
    record(_of(Part(requester), Outcome.FAILED, target, types=[], reasons=("ehr.no-answer",)))


def _again(first: Part, read: Callable[[UUID], Part | None], target: str) -> Part | None:
    for _ in range(TRIES - 1):
        part = read(first.requester.patient_id)
        if part is None:
            return None
        entry, only_if = _said(part, target)
        if record(entry, only_if=only_if):
            return part
    record(_refused(Part(first.requester, reasons={"Patient": (Reason.CHANGED,)}), target))
    return None


def _said(part: Part, target: str) -> tuple[Entry, tuple[str, list[Any]] | None]:
    """The event of a part; where something of it leaves, with the condition under which it may."""
    if part.count:
        return _entry(part, target), part.requester.still_in_force()
    return _refused(part, target), None


def _entry(part: Part, target: str) -> Entry:
    detail: dict[str, str | int | bool] = {"policy": policy_hash()}
    if part.rules:
        detail["rules"] = "|".join(sorted(part.rules))[:LONGEST_RULES]
    if part.withheld:
        detail["withheld"] = part.withheld
    return _of(
        part,
        Outcome.PERMIT,
        target,
        types=part.types,
        categories=tuple(sorted(part.categories)),
        count=part.count,
        detail=detail,
    )


def _refused(part: Part, target: str) -> Entry:
    """Nothing of this patient's left: because of what they chose, or because there is nothing."""
    reasons = tuple(dict.fromkeys(reason for said in part.reasons.values() for reason in said))
    if not reasons:
        return _of(part, Outcome.PERMIT, target, types=[], count=0)
    return _of(part, Outcome.DENY, target, types=list(part.reasons), reasons=reasons)


def _of(part: Part, outcome: Outcome, target: str, *, types: Collection[str], **more: Any) -> Entry:
    requester = part.requester
    return Entry(
        type=EventType.EXPORT_GIVE,
        outcome=outcome,
        actor=requester.actor,
        role=requester.role,
        patient=f"Patient/{requester.patient_id}",
        client=requester.client,
        interaction="export",
        purpose=requester.purpose,
        resource_types=tuple(sorted(types)),
        target=target,
        **more,
    )
