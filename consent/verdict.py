"""What a patient's choices say to somebody whom another system asks about, as one answer.

`decide` is asked about every kind of record at once, before any record is seen. So the answer is a yes with
obligations: what must be left out. Where it cannot be told without a record it is left out.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from consent import fhir
from consent.contents import contents_of
from consent.decision import Access, Authority, Decision, Provision, ProvisionType, Reason, decide
from consent.labels import Codes, labels_of
from consent.requester import Requester
from consent.vocabulary import LABELS, Category, categories_of

ANY_OTHER = "*"  # every type that no provision names
# A denial said so, or something failed that could have.
SAID_NO = frozenset({Reason.DENIED, Reason.TEEN, Reason.POLICY_DOWN, Reason.ROLE})


class Answer(StrEnum):
    """As the LEAP and SHIFT consent decision services name them."""

    PERMIT = "CONSENT_PERMIT"
    DENY = "CONSENT_DENY"
    NO_CONSENT = "NO_CONSENT"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`redact` is what must be left out: a record goes that meets any one of its parameters."""

    answer: Answer
    redact: Mapping[str, list[Any]]
    entries: tuple[Answer, ...] = ()  # for the records that came along, in their order


NOTHING_SAID = Verdict(Answer.NO_CONSENT, {})


def on_kinds(about: Requester, categories: Collection[Category], types: Collection[str] = ()) -> Verdict:
    """The verdict on kinds of record; `types` are FHIR types, all where it is empty."""
    authority = about.authority("read")
    narrow = [p for p in authority.provisions if _is_narrow(p) and _counts(p, about)]
    asked = _Asked(about, _without(authority, narrow))
    main = tuple(sorted(types)) or (ANY_OTHER,)
    kinds = main if types else (*main, *sorted(_named_types(authority.provisions)))
    shown = [c for c in categories if any(asked.about_kind(kind, c).permitted for kind in main)]
    if not shown:
        return _no(asked.about_kind(kind, category) for kind in kinds for category in categories)
    cells = {(kind, category): asked.about_kind(kind, category) for kind in kinds for category in shown}
    hidden_types = {kind for (kind, _), decision in cells.items() if not decision.permitted}
    open_cells = [cell for cell, decision in cells.items() if decision.permitted]
    codes = [
        *(fhir.label_coding(label) for label in sorted(LABELS - asked.labels_shown(open_cells))),
        *({"system": fhir.DATA_CATEGORY, "code": c} for c in sorted(set(categories) - set(shown))),
        *({"system": fhir.RESOURCE_TYPES, "code": kind} for kind in sorted(hidden_types)),
        *(_coding(code) for p in narrow for code in sorted(p.codes)),
    ]
    elements = frozenset().union(*(cells[cell].redact for cell in open_cells))
    return Verdict(Answer.PERMIT, _parameters(codes, elements, narrow))


def on_records(about: Requester, records: Iterable[Mapping[str, Any]], codes: Codes) -> Verdict:
    """The verdict on each of some records, by what they say of themselves."""
    asked = _Asked(about, about.authority("read"))
    decisions = [asked.about_record(record, codes) for record in records]
    entries = tuple(Answer.PERMIT if d.permitted else _no([d]).answer for d in decisions)
    if Answer.PERMIT not in entries:
        return Verdict(_no(decisions).answer, {}, entries)
    elements = frozenset().union(*(d.redact for d in decisions if d.permitted))
    return Verdict(Answer.PERMIT, _parameters([], elements, ()), entries)


@dataclass(frozen=True, slots=True)
class _Asked:
    about: Requester
    authority: Authority

    def about_kind(self, kind: str, category: Category, labels: frozenset[str] = frozenset()) -> Decision:
        return self._decide(kind, frozenset({category}), labels)

    def about_record(self, record: Mapping[str, Any], codes: Codes) -> Decision:
        kind = str(record.get("resourceType"))
        contents = contents_of(record)
        return self._decide(kind, categories_of(record), labels_of(record, codes), contents=contents)

    def _decide(
        self, kind: str, categories: frozenset[Category], labels: frozenset[str], **more: Any
    ) -> Decision:
        about = self.about
        access = Access(
            "read", kind, about.now, about.purpose, categories, about.actors, security_labels=labels, **more
        )
        return decide(access, self.authority)

    def labels_shown(self, cells: Collection[tuple[str, Category]]) -> frozenset[str]:
        """Labels of which a record may have any, and any together, whichever of these kinds it is."""
        shown: frozenset[str] = frozenset()
        for label in sorted(LABELS):
            more = shown | {label}
            if all(self.about_kind(*cell, labels=more).permitted for cell in cells):
                shown = more
        return shown


def _no(decisions: Iterable[Decision]) -> Verdict:
    reasons = frozenset(chain.from_iterable(decision.reasons for decision in decisions))
    return Verdict(Answer.DENY, {}) if reasons & SAID_NO else NOTHING_SAID


def _without(authority: Authority, provisions: Collection[Provision]) -> Authority:
    kept = tuple(p for p in authority.provisions if p not in provisions)
    return Authority(authority.ruling, kept, authority.scopes, authority.missing)


def _is_narrow(provision: Provision) -> bool:
    """Whether it denies only records that say something of themselves, so that most are left alone."""
    return provision.type is ProvisionType.DENY and bool(
        provision.codes or provision.data or provision.data_period
    )


def _counts(provision: Provision, about: Requester) -> bool:
    access = Access("read", ANY_OTHER, about.now, about.purpose, frozenset(), about.actors)
    return provision.in_force(access) and provision.concerns(access) and provision.serves(access)


def _named_types(provisions: Iterable[Provision]) -> Iterator[str]:
    for provision in provisions:
        yield from provision.resource_types
        yield from _named_types(provision.exceptions)


def _parameters(
    codes: list[dict[str, str]], elements: Collection[str], narrow: Iterable[Provision]
) -> dict[str, list[Any]]:
    narrow = list(narrow)
    found: dict[str, list[Any]] = {
        "codes": codes,
        "elements": sorted(elements),
        "data": [{"meaning": m, "reference": r} for p in narrow for m, r in sorted(p.data)],
        "periods": [
            {"start": p.data_period[0].isoformat(), "end": p.data_period[1].isoformat()}
            for p in narrow
            if p.data_period
        ],
    }
    return {name: values for name, values in found.items() if values}


def _coding(code: str) -> dict[str, str]:
    system, _, value = code.rpartition("|")
    return {"system": system, "code": value}


def concerning(provisions: Iterable[Provision], about: Requester) -> bool:
    """Whether any of these speaks of those who are asked about, and of why."""
    return any(_counts(provision, about) for provision in provisions)
