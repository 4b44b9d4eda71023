"""Provisions: compiled from a FHIR R4 Consent, kept with its version, read back for `decide`.

One nesting level, as IHE PCF 1.1 has it: the root says what holds in general, the provisions in it
are the exceptions. What a person lets in starts from a root that denies, which is what holds anyway;
an operational choice may deny what the organisation otherwise does, so its root is compiled too.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from consent import contents
from consent.decision import NORMAL, Meaning, Provision, ProvisionType, Reason
from consent.fhir import (
    CLIENT_ID,
    CONSENT_ACTION,
    DATA_CATEGORY,
    PARTICIPATION,
    REDACTS,
    RESOURCE_TYPES,
    left_out,
)
from consent.vocabulary import ACT_REASON, LABELS, Category, Purpose, codings
from smart.resource_types import R4

# What the gate can hold somebody to; of FHIR's consentaction, to collect is not.
ACTIONS = frozenset({"access", "use", "disclose", "correct"})
FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
PARTS = {"actor": {"id", "role", "reference"}, "data": {"id", "meaning", "reference"}}
RECIPIENTS = ("CareTeam", "Group", "Organization", "Practitioner", "PractitionerRole", "RelatedPerson")
MEANINGS = {
    "instance": Meaning.INSTANCE,
    "related": Meaning.RELATED,
    "dependents": Meaning.RELATED,
    "authoredby": Meaning.AUTHORED_BY,
}
ELEMENTS = frozenset(
    {
        *("id", "extension", "type", "period", "actor", "action", "securityLabel", "purpose", "class"),
        *("code", "dataPeriod", "data", "provision"),
    }
)
NOT_UNDERSTOOD = "This element is not understood here. Leave it out."
# What a person may see of their own record: all of it.
OWN_RECORD = (Provision("own-record", ProvisionType.PERMIT, every_label=True, writes=True),)

Row = dict[str, Any]  # one provision as JSON; what it does not say is left out


class InvalidConsent(ValueError):
    """A consent that cannot be. `field` says which part: a form's field, or a path into the resource."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def compile_consent(resource: Mapping[str, Any], *, operational: bool) -> list[Row]:
    """The rows of one version, out of `Consent.provision`. Raises InvalidConsent.

    `operational`: the organisation may act without this consent, so a root that denies is a denial.
    """
    root = resource.get("provision")
    if not isinstance(root, dict):
        raise InvalidConsent("provision", "Say what is permitted or denied.")
    whole = _row(root, "provision", "root", {})
    parts = _each(root, "provision", "provision", lambda part, at: (part, at))
    nested = [_row(part, at, f"provision-{i}", whole) for i, (part, at) in enumerate(parts, 1)]
    if whole["type"] == "permit":
        return [whole, *nested]
    if operational:
        # FHIR nests exceptions: what the root denies, a permit inside it leaves alone.
        permits = [row for row in nested if row["type"] == "permit"]
        return [whole | {"exceptions": permits}, *nested]
    return nested


def _row(part: Mapping[str, Any], at: str, row_id: str, root: Row) -> Row:
    """One provision, checked. An exception stays within a root that permits: what it leaves unsaid holds."""
    if unknown := set(part) - ELEMENTS:
        raise InvalidConsent(f"{at}.{min(unknown)}", NOT_UNDERSTOOD)
    if root and "provision" in part:
        raise InvalidConsent(f"{at}.provision", "Provisions nest one level deep, and no deeper.")
    if part.get("type") not in ("permit", "deny"):
        raise InvalidConsent(f"{at}.type", "Say permit or deny.")
    start, end = _period(part, "period", at)
    actions = set(_each(part, "action", at, _action))
    if actions == {"correct"}:
        raise InvalidConsent(f"{at}.action", "Who may correct records must see them. Add access.")
    row: Row = {
        "id": row_id,
        "type": part["type"],
        "period_start": start,
        "period_end": end,
        "actors": _each(part, "actor", at, _actor),
        "writes": "correct" in actions,
        "purposes": _each(part, "purpose", at, _purpose),
        "security_labels": _each(part, "securityLabel", at, _label),
        "resource_types": _each(part, "class", at, _resource_type),
        "data_period": [m for m in _period(part, "dataPeriod", at) if m],
        "data": _each(part, "data", at, _datum),
        "redacts": _each(part, "extension", at, _redacts),
        **_codes(part, at),
    }
    if row["type"] == "permit" and row["categories"]:
        row["redacts"] = sorted({*row["redacts"], *left_out(row["categories"])})
    if root.get("type") == "permit":
        row |= {
            k: root[k]
            for k in ("period_start", "period_end", "actors", "purposes")
            if k in root and not row[k]
        }
    return {name: value for name, value in row.items() if value}


def _each(
    part: Mapping[str, Any], name: str, at: str, read: Callable[[Mapping[str, Any], str], Any]
) -> list[Any]:
    if name not in part:
        return []
    values = part[name]
    # None of a list is none in FHIR, and would be read as any.
    if not isinstance(values, list) or not values or not all(isinstance(v, dict) for v in values):
        raise InvalidConsent(f"{at}.{name}", "This is a list of elements.")
    for i, value in enumerate(values):
        if unknown := set(value) - PARTS.get(name, set(value)):
            raise InvalidConsent(f"{at}.{name}[{i}].{min(unknown)}", NOT_UNDERSTOOD)
    return [read(value, f"{at}.{name}[{i}]") for i, value in enumerate(values)]


def _period(part: Mapping[str, Any], name: str, at: str) -> tuple[str | None, str | None]:
    """A Period as two moments in ISO 8601. A period of data is closed: an open end is the furthest date."""
    if name not in part:
        return None, None
    period = part[name]
    # A misspelt end would be no end at all.
    if not isinstance(period, dict) or not period or set(period) - {"start", "end"}:
        raise InvalidConsent(f"{at}.{name}", "A period has a start, an end, or both.")
    try:
        start = contents.span(period["start"])[0].astimezone(UTC) if "start" in period else None
        end = contents.span(period["end"])[1].astimezone(UTC) if "end" in period else None
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidConsent(f"{at}.{name}", "Write dates as 2026-05-03 or 2026-05-03T14:23:00Z.") from None
    if start and end and end <= start:
        raise InvalidConsent(f"{at}.{name}", "It ends before it starts.")
    if name == "dataPeriod":
        start, end = start or contents.FIRST, end or contents.FURTHEST
    return start.isoformat() if start else None, end.isoformat() if end else None


def _actor(actor: Mapping[str, Any], at: str) -> str:
    if set(codings(actor.get("role"))) != {(PARTICIPATION, "IRCP")}:
        raise InvalidConsent(f"{at}.role", "The role of an actor is IRCP: who receives the records.")
    reference = actor.get("reference")
    reference = reference if isinstance(reference, dict) else {}
    identifier = reference.get("identifier")
    if (
        isinstance(identifier, dict)
        and identifier.get("system") == CLIENT_ID
        and "reference" not in reference
    ):
        client_id = identifier.get("value")
        if isinstance(client_id, str) and client_id:
            return f"Client/{client_id}"
    text = str(reference.get("reference", ""))
    kind, _, rest = text.partition("/")
    if kind not in RECIPIENTS or not FHIR_ID.fullmatch(rest):
        raise InvalidConsent(f"{at}.reference", f"An actor is a client, or one of {', '.join(RECIPIENTS)}.")
    return text


def _known(found: tuple[str, str], system: str, codes: Collection[str], at: str) -> str:
    """The code, if the system has it. The message does not say back what was sent."""
    if found[0] != system or found[1] not in codes:
        raise InvalidConsent(at, f"Give one code of {system} that is known here: {', '.join(sorted(codes))}.")
    return found[1]


def _coding(value: object) -> tuple[str, str]:
    return next(iter(codings({"coding": [value]})), ("", ""))


def _action(concept: object, at: str) -> str:
    found = list(codings(concept))
    return _known(found[0] if len(found) == 1 else ("", ""), CONSENT_ACTION, ACTIONS, at)


def _purpose(coding: object, at: str) -> str:
    return _known(_coding(coding), ACT_REASON, set(Purpose), at)


def _label(coding: object, at: str) -> str:
    """By its code alone: the systems of labels are many, and a code that is known is known."""
    system, code = _coding(coding)
    return _known((system, code), system, LABELS | {NORMAL}, at)


def _resource_type(coding: object, at: str) -> str:
    system, code = _coding(coding)
    if system != RESOURCE_TYPES or code not in R4:
        raise InvalidConsent(at, f"Give a FHIR R4 resource type, with the system {RESOURCE_TYPES}.")
    return code


def _codes(part: Mapping[str, Any], at: str) -> dict[str, list[str]]:
    """`code` holds our data categories, and any other codes of what a record is about."""
    found: dict[str, list[str]] = {"categories": [], "codes": []}
    for i, concept in enumerate(_each(part, "code", at, lambda value, _: value)):
        here = f"{at}.code[{i}]"
        pairs = list(codings(concept))
        if not pairs or not all(system and code for system, code in pairs):
            raise InvalidConsent(here, "Give a coding with a system and a code.")
        for system, code in pairs:
            if system == DATA_CATEGORY:
                found["categories"].append(_known((system, code), system, set(Category), here))
            else:
                found["codes"].append(f"{system}|{code}")
    if found["categories"] and found["codes"]:
        raise InvalidConsent(f"{at}.code", "Name data categories, or codes, in a provision of their own.")
    return found


def _datum(datum: Mapping[str, Any], at: str) -> list[str]:
    meaning = MEANINGS.get(str(datum.get("meaning")))
    reference = datum.get("reference")
    text = str(reference.get("reference", "")) if isinstance(reference, dict) else ""
    if meaning is None:
        raise InvalidConsent(f"{at}.meaning", f"Say one of {', '.join(sorted(MEANINGS))}.")
    kind, _, rest = text.partition("/")
    if kind not in R4 or not FHIR_ID.fullmatch(rest):
        raise InvalidConsent(f"{at}.reference", "Name one record as Type/id.")
    return [meaning, text]


def _redacts(extension: Mapping[str, Any], at: str) -> str:
    element = str(extension.get("valueCode", ""))
    kind, _, rest = element.partition(".")
    if extension.get("url") != REDACTS or kind not in R4 or not rest:
        raise InvalidConsent(
            at, f"The extension understood here is {REDACTS}, with Type.element as its code."
        )
    return element


def read_back(rows: Collection[Mapping[str, Any]]) -> tuple[Provision, ...]:
    """Raises KeyError, TypeError or ValueError for what `compile_consent` does not write: never guess."""
    return tuple(Provision(**dict(_fields(row))) for row in rows)


@lru_cache(maxsize=2048)
def read_text(text: str) -> tuple[Provision, ...]:
    """The same from JSON, as a version holds it. What it says is a matter of the text alone, and nothing of
    it can be changed: the same text is read once."""
    return read_back(json.loads(text))


def _fields(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        yield name, READ[name](value)


READ: Mapping[str, Callable[[Any], Any]] = {
    "id": str,
    "type": ProvisionType,
    "period_start": datetime.fromisoformat,
    "period_end": datetime.fromisoformat,
    "actors": frozenset,
    "writes": bool,
    "purposes": frozenset,
    "categories": frozenset,
    "resource_types": frozenset,
    "codes": frozenset,
    "data_period": lambda pair: tuple(map(datetime.fromisoformat, pair)),
    "data": lambda pairs: frozenset((Meaning(meaning), reference) for meaning, reference in pairs),
    "security_labels": frozenset,
    "redacts": frozenset,
    "exceptions": read_back,
    "reason": Reason,
}
