"""One patient's part of an export of many: asked, labelled and decided on as the gate does it for one.

The one difference to a search is the log. A read of many patients writes one event for each of them, after
the last look at what they chose; `record_all` writes those of a batch in one transaction, and only then lines
leave.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.events import EventType, Outcome
from audit.log import Entry, record
from consent.decision import Access, Reason, decide
from consent.organisation import policy_hash
from consent.requester import Requester
from consent.vocabulary import categories_of_scope
from fhirproxy import answers, asking, including, inlined
from fhirproxy.checks import Passed, decide_on, see
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.release import LONGEST_RULES, Call
from fhirproxy.searches import narrow
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


@dataclass(slots=True)
class Part:
    """What of one patient may be exported, and what the log says of it."""

    requester: Requester
    lines: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))  # type → id → JSON
    reasons: dict[str, tuple[Reason, ...]] = field(default_factory=dict)  # type → why nothing of it
    rules: set[str] = field(default_factory=set)
    categories: set[str] = field(default_factory=set)
    withheld: int = 0

    @property
    def count(self) -> int:
        return sum(map(len, self.lines.values()))


def read(
    requester: Requester, source: Source, wanted: Sequence[Wanted], handed: Sequence[bytes] | None = None
) -> Part:
    """All that this patient lets be exported of these types. Nothing of it may leave before `record`.

    `handed`: of the one type that is wanted, what the EHR's own export gave already, so that it is not
    searched for. Raises EhrFailure where the EHR does not give all that was asked for.
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
        if reasons := _refusal(call):
            part.reasons[kind] = reasons
            continue
        passed = Passed()
        if handed is not None:
            _pass(call, handed, passed)
        else:
            for params in want.searches:
                _search(call, replace(asked, params=params), passed)
        _follow(call, passed, want.follows)
        _take(part, call, passed)
    return part


def _refusal(call: Call) -> tuple[Reason, ...]:
    """Why nothing of this type could be let out, before the EHR is asked; empty where something could."""
    kind = call.interaction.resource_type
    access = Access(
        "search-type",
        kind,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=categories_of_scope(kind),
        actors=call.requester.actors,
        beforehand=True,
    )
    return decide(access, call.authority).reasons


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
    if not passed.all and passed.withheld:
        part.reasons[call.interaction.resource_type] = passed.decision.reasons
    part.categories |= set(passed.categories)
    part.withheld += passed.withheld


def record_all(parts: Sequence[Part], again: Callable[[UUID], Part | None], *, target: str) -> list[Part]:
    """Write one event for each patient of a batch, in one transaction; give those whose lines may leave.

    `again` reads a patient anew who changed what they chose in the meantime. Raises EhrFailure.
    """
    with transaction.atomic():
        return [kept for part in parts if (kept := _recorded(part, again, target))]


def record_failure(requester: Requester, *, target: str) -> None:
    """The EHR gave nothing of a patient, however often it was asked."""
    record(_of(Part(requester), Outcome.FAILED, target, types=[], reasons=("ehr.no-answer",)))


def _recorded(first: Part, again: Callable[[UUID], Part | None], target: str) -> Part | None:
    part: Part | None = first
    for _ in range(TRIES):
        if part is None:
            return None
        if not part.count:
            record(_refused(part, target))
            return None
        if record(_entry(part, target), only_if=part.requester.still_in_force()):
            return part
        part = again(part.requester.patient_id)
    record(_refused(Part(first.requester, reasons={"Patient": (Reason.CHANGED,)}), target))
    return None


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
        types=[kind for kind, lines in part.lines.items() if lines],
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
