"""What a client asks for when it starts a bulk export. Pure: no database, no clock.

Bulk Data Access 2.0.0, "Bulk Data Kick-off Request", with `_until` of 3.0.0. What is not understood is
refused, never ignored; with `Prefer: handling=lenient` it is left out, and said in an error file.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from fhirproxy import interactions
from fhirproxy.interactions import FHIR_ID
from fhirproxy.outcomes import Refusal
from fhirproxy.served import RECORD, SHAPING
from smart.scopes import Scope

PROVENANCE = "Provenance"  # comes with what it tells of; nobody searches it
# Come where an exported record refers to them: by themselves they are nobody's.
REFERRED = ("Location", "Medication", "Organization", "Practitioner", "PractitionerRole")
TYPES = (*RECORD, *REFERRED, PROVENANCE)
FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
ASSOCIATED = frozenset({"RelevantProvenanceResources"})
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
ELEMENT = re.compile(r"(?:([A-Z][A-Za-z]+)\.)?([a-z][A-Za-z]*)")
ONE_VALUE = re.compile(r"value(?:String|Instant|DateTime|Code|Uri|Reference)")
MOST_FILTERS, MOST_ELEMENTS, MOST_PATIENTS = 20, 60, 5_000
NOT_FOR_THE_EHR = SHAPING | {"_count", "_sort", "_cursor"}
RESPOND_ASYNC = "Send Prefer: respond-async. An export is not answered at once."
Pairs = Sequence[tuple[str, str]]


class Level(StrEnum):
    """At which address it was asked for."""

    SYSTEM = "system"
    PATIENT = "patient"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Kickoff:
    """One request, checked. All that it leaves open is decided here, once."""

    level: Level
    types: tuple[str, ...]  # the effective `_type`
    since: datetime | None = None
    until: datetime | None = None
    type_filters: tuple[str, ...] = ()  # "Observation?category=laboratory"; any of those of a type
    elements: tuple[str, ...] = ()  # "Observation.code", or "code" of every type
    patients: tuple[str, ...] = ()  # FHIR ids; empty: all
    destination: str = ""  # where it is to be sent; empty: nowhere
    ignored: tuple[str, ...] = ()  # sentences, for the error file


@dataclass(frozen=True, slots=True)
class Preference:
    """The header Prefer (RFC 7240), as far as it is of use here."""

    respond_async: bool = False
    lenient: bool = False

    @classmethod
    def parse(cls, header: str) -> "Preference":
        said = {part.strip().lower().replace('"', "") for part in re.split("[,;]", header)}
        return cls("respond-async" in said, "handling=lenient" in said)


@dataclass(slots=True)
class _Reading:
    """What was read so far, and what was passed over for a lenient client."""

    lenient: bool
    ignored: list[str] = field(default_factory=list)

    def wrong(self, said: str, status: int = 400) -> None:
        """Raises Refusal, or notes that it was left out."""
        if not self.lenient:
            raise Refusal(status, said)
        self.ignored.append(said)


def parse(
    level: Level,
    given: Pairs,
    *,
    scopes: Collection[Scope],
    now: datetime,
    lenient: bool = False,
    posted: bool = False,
) -> Kickoff:
    """`given` are parameters as they came, repeated ones too; `scopes` those of the token. Raises Refusal."""
    reading = _Reading(lenient)
    asked: dict[str, list[str]] = {}
    for name, value in given:
        if name in PARAMETERS:
            asked.setdefault(name, []).append(value)
        elif name != "_format":
            reading.wrong(f"The parameter {_plain(name)} is not supported.")
    for name in ONCE & set(asked):
        if len(asked[name]) > 1:
            raise Refusal(400, f"{name} is given once.")
    _check_format(asked, reading)
    since, until = _instant(asked, "_since"), _instant(asked, "_until")
    if since and since > now:
        raise Refusal(400, "_since is in the future.")
    if since and until and until <= since:
        raise Refusal(400, "_until is not after _since.")
    types = _types(asked, scopes, reading)
    types = _with_provenance(types, asked, scopes, reading)
    return Kickoff(
        level,
        types,
        since,
        until,
        _filters(asked, types, reading),
        _elements(asked, types, reading),
        _patients(asked, level, posted, reading),
        asked.get("_destination", [""])[0],
        tuple(reading.ignored),
    )


def from_parameters(body: bytes) -> list[tuple[str, str]]:
    """The pairs of a FHIR Parameters resource, as a form would have them. Raises Refusal."""
    try:
        resource = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.") from None
    if not isinstance(resource, dict) or resource.get("resourceType") != "Parameters":
        raise Refusal(400, "A kick-off is posted as a Parameters resource.")
    parts = resource.get("parameter", [])
    if not isinstance(parts, list):
        raise Refusal(400, "Parameters.parameter is not a list.")
    return [_pair(part) for part in parts]


def _pair(part: Any) -> tuple[str, str]:
    if not isinstance(part, dict) or not isinstance(part.get("name"), str):
        raise Refusal(400, "Each parameter has a name and a value.")
    values = [value for key, value in part.items() if ONE_VALUE.fullmatch(key)]
    value = values[0] if len(values) == 1 else None
    if isinstance(value, dict):
        value = value.get("reference")
    if not isinstance(value, str) or not value:
        raise Refusal(400, f"The parameter {_plain(part['name'])} has no value that is taken here.")
    return part["name"], value


def _check_format(asked: Mapping[str, list[str]], reading: _Reading) -> None:
    for value in asked.get("_outputFormat", ()):
        if value.replace(" ", "+") not in FORMATS:  # a plus sign that was not encoded comes as a space
            reading.wrong("_outputFormat takes application/fhir+ndjson, and nothing else.")


def _instant(asked: Mapping[str, list[str]], name: str) -> datetime | None:
    if name not in asked:
        return None
    value = asked[name][0].replace(" ", "+")
    try:
        if not INSTANT.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise Refusal(400, f"{name} takes a FHIR instant, as 2026-01-31T08:00:00Z.") from None


def _types(asked: Mapping[str, list[str]], scopes: Collection[Scope], reading: _Reading) -> tuple[str, ...]:
    """The types of the answer. All that the token reaches, where none was named."""
    wanted = list(dict.fromkeys(_listed(asked, "_type")))
    if "_type" not in asked:
        reached = tuple(kind for kind in TYPES if reaches(scopes, kind))
        if not reached:
            raise Refusal(403, "scope-not-granted")
        return reached
    for kind in wanted:
        if kind not in TYPES:
            reading.wrong(f"_type: {_plain(kind)} cannot be exported.")
        elif not reaches(scopes, kind):
            reading.wrong(f"scope-not-granted: {kind}", 403)
    types = tuple(kind for kind in TYPES if kind in wanted and reaches(scopes, kind))
    if not set(types) & set(RECORD):
        raise Refusal(400, "_type names no type of a patient's own that can be exported.")
    return types


def reaches(scopes: Collection[Scope], kind: str) -> bool:
    """Whether a system scope lets resources of this type out, or some of them."""
    interaction = "search-type" if kind in RECORD else "read"
    return any(scope.level == "system" and scope.allows(interaction, kind, None) for scope in scopes)


def _with_provenance(
    types: tuple[str, ...], asked: Mapping[str, list[str]], scopes: Collection[Scope], reading: _Reading
) -> tuple[str, ...]:
    """With Provenance where it was asked for beside a `_type` that leaves it out."""
    values = _listed(asked, "includeAssociatedData")
    for value in set(values) - ASSOCIATED:
        reading.wrong(f"includeAssociatedData: {_plain(value)} is not supported.")
    if not ASSOCIATED & set(values) or PROVENANCE in types:
        return types
    if not reaches(scopes, PROVENANCE):
        reading.wrong(f"scope-not-granted: {PROVENANCE}", 403)
        return types
    return (*types, PROVENANCE)


def _filters(asked: Mapping[str, list[str]], types: tuple[str, ...], reading: _Reading) -> tuple[str, ...]:
    """Each a search that the gate would serve of a type that is exported, without what shapes an answer."""
    kept = []
    for text in _listed(asked, "_typeFilter"):
        kind, mark, query = text.partition("?")
        if not mark or kind not in types or kind not in RECORD:
            reading.wrong(f"_typeFilter: {_plain(kind)} is not among the types of this export.")
            continue
        try:
            _check_search(kind, parse_qsl(query, keep_blank_values=True, strict_parsing=True))
        except (Refusal, ValueError) as problem:
            said = problem.diagnostics if isinstance(problem, Refusal) else "The query cannot be read."
            reading.wrong(f"_typeFilter of {kind}: {said}")
            continue
        kept.append(text)
    return _at_most(MOST_FILTERS, "_typeFilter", tuple(dict.fromkeys(kept)))


def _check_search(kind: str, query: Pairs) -> None:
    for name, _ in query:
        if name in NOT_FOR_THE_EHR or name == interactions.SERVED[kind].patient_param:
            raise Refusal(400, f"{_plain(name)} cannot be used here.")
    interactions.search(kind, query)


def _elements(asked: Mapping[str, list[str]], types: tuple[str, ...], reading: _Reading) -> tuple[str, ...]:
    kept = []
    for text in _listed(asked, "_elements"):
        match = ELEMENT.fullmatch(text)
        if match is None or (match[1] and match[1] not in types):
            reading.wrong("_elements takes root elements, as id or Patient.name, of types of this export.")
        else:
            kept.append(text)
    return _at_most(MOST_ELEMENTS, "_elements", tuple(dict.fromkeys(kept)))


def _patients(
    asked: Mapping[str, list[str]], level: Level, posted: bool, reading: _Reading
) -> tuple[str, ...]:
    if "patient" not in asked:
        return ()
    if level is Level.SYSTEM or not posted:
        reading.wrong("patient is for a kick-off by POST, of a Group or of Patient.")
        return ()
    ids = [text.removeprefix("Patient/") for text in _listed(asked, "patient")]
    if not ids or not all(map(FHIR_ID.match, ids)):
        raise Refusal(400, "patient takes references, as Patient/123.")
    return _at_most(MOST_PATIENTS, "patient", tuple(dict.fromkeys(ids)))


def _listed(asked: Mapping[str, list[str]], name: str) -> list[str]:
    """Repeated values are as one with commas (2.0.0, "Query Parameters")."""
    return [part.strip() for value in asked.get(name, ()) for part in value.split(",") if part.strip()]


def _at_most(most: int, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > most:
        raise Refusal(400, f"{name} takes up to {most} values.")
    return values


def _plain(text: str) -> str:
    """A caller's word, fit to be said back to it."""
    return re.sub(r"[^A-Za-z0-9_:.\-]", "?", text[:60])


ONCE = frozenset({"_since", "_until", "_outputFormat", "_destination"})  # the last is our own
PARAMETERS = ONCE | {"_type", "_typeFilter", "_elements", "patient", "includeAssociatedData"}
