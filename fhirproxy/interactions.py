"""A request as one FHIR interaction on the allow-list (`fhirproxy.served`), or a refusal."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from consent.vocabulary import Category, categories_of_scope
from fhirproxy.outcomes import Refusal
from fhirproxy.served import COMMON, RECORD, REVINCLUDES, SERVED, SHAPING, TypeRule
from fhirproxy.upstream import Params

# FHIR's own limit is 64, and some EHRs give longer ids out. They go through as they are: everything that
# refers to a resource, here and at the EHR, knows it by that id.
FHIR_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9\-.]{1,255}\Z")
LARGEST_PAGE = 200
DEFAULT_PAGE = 50
LONGEST_VALUE = 500
COUNT = re.compile(r"[0-9]{1,6}")
ELEMENTS = re.compile(r"[A-Za-z]{1,40}(,[A-Za-z]{1,40}){0,29}")
EVERYTHING = "operation"  # FHIR's code; $everything is the one operation we serve
ONCE = frozenset({"_count", "_cursor", "_elements", "_since", "_sort", "_summary", "_total", "_type"})
NOT_SERVED = "This is not served here. See /fhir/r4/metadata."


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller has already, of a conditional read (FHIR R4, 3.1.0.1.5)."""

    etag: str = ""  # If-None-Match
    since: str = ""  # If-Modified-Since


@dataclass(frozen=True, slots=True)
class Interaction:
    """One interaction, parsed and on the allow-list. `code` is FHIR's restful-interaction code."""

    code: str
    resource_type: str
    id: str = ""
    version: str = ""
    params: Params = ()  # for the EHR
    cursor: str = ""
    count: int = DEFAULT_PAGE
    types: tuple[str, ...] = ()  # of a whole record
    includes: frozenset[str] = frozenset()  # search parameters of the type whose references come along
    provenance: bool = False
    elements: frozenset[str] = frozenset()  # all, where empty
    known: Known = field(default_factory=Known)

    @property
    def rule(self) -> TypeRule:
        return SERVED[self.resource_type]

    @property
    def categories(self) -> frozenset[Category]:
        """Every category that the answer could be of, by its type and a `category` that was asked for."""
        wanted = [value for name, value in self.params if name == "category" and "," not in value]
        reach = (categories_of_scope(self.resource_type, value) for value in wanted)
        return frozenset.intersection(categories_of_scope(self.resource_type), *reach)


def parse(
    method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None
) -> Interaction:
    """The interaction that a request asks for. Raises Refusal for all that is not served.

    `headers` by lower-case name: only those of a conditional read are looked at.
    """
    parts = path.strip("/").split("/")
    if parts[1:] == ["_search"] and method == "POST":
        parts, method = parts[:-1], "GET"
    if parts[0] in ("AuditEvent", "Consent"):
        raise Refusal(404, f"{parts[0]} is served at its own address, and not in a batch.")
    if parts[0] not in SERVED:
        raise Refusal(404, "This resource type is not served here. See /fhir/r4/metadata.")
    if method != "GET":
        raise Refusal(
            405, "Only reading is served here, and create and update of single resources.", {"Allow": "GET"}
        )
    query = [(name, value) for name, value in query if name != "_format"]
    _refuse_twice(query)
    match parts:
        case [resource_type]:
            return search(resource_type, query)
        case ["Patient", patient_id, "$everything"] if FHIR_ID.match(patient_id):
            return everything(patient_id, query)
        case [resource_type, resource_id, *rest] if FHIR_ID.match(resource_id):
            return _instance(resource_type, resource_id, rest, query, headers or {})
    raise Refusal(404, NOT_SERVED)


def writing(method: str, path: str) -> Interaction | None:
    """The create or update that a request asks for; None for all else, which `parse` reads or refuses."""
    match method, path.strip("/").split("/"):
        case "POST", [resource_type] if resource_type in SERVED:
            return Interaction("create", resource_type)
        case "PUT", [resource_type, resource_id] if resource_type in SERVED and FHIR_ID.match(resource_id):
            return Interaction("update", resource_type, resource_id)
    return None


def _instance(
    resource_type: str,
    resource_id: str,
    rest: list[str],
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
) -> Interaction:
    elements = _elements(dict(query).get("_elements", ""))
    if [name for name, _ in query if name != "_elements"]:
        raise Refusal(400, "A read takes no parameter but _elements.")
    match rest:
        case []:
            known = Known(headers.get("if-none-match", ""), headers.get("if-modified-since", ""))
            return Interaction("read", resource_type, resource_id, elements=elements, known=known)
        case ["_history"] if SERVED[resource_type].searchable:
            return Interaction("history-instance", resource_type, resource_id, elements=elements)
        case ["_history", version] if FHIR_ID.match(version) and SERVED[resource_type].searchable:
            return Interaction("vread", resource_type, resource_id, version, elements=elements)
    raise Refusal(404, NOT_SERVED)


def search(resource_type: str, query: Sequence[tuple[str, str]]) -> Interaction:
    """A search of one type. Raises Refusal for a parameter or a value that is not served."""
    rule = SERVED[resource_type]
    if not rule.searchable:
        raise Refusal(403, f"{resource_type} is read by its id, not searched.")
    if [name for name, _ in query] == ["_cursor"]:
        return Interaction("search-type", resource_type, cursor=query[0][1])
    allowed = COMMON | SHAPING | rule.search_params | {rule.patient_param, *rule.owner_paths[:1]}
    for name, value in query:
        if name not in allowed:
            raise Refusal(400, f"The search parameter {_plain(name)} is not served for {resource_type}.")
        _check_value(name, value)
    plain = Interaction(
        "search-type",
        resource_type,
        params=tuple((n, v) for n, v in query if n not in SHAPING and n != "_count"),
        count=_count(query),
    )
    return _shaped(plain, query)


def everything(patient_id: str, query: Sequence[tuple[str, str]]) -> Interaction:
    """A whole record (Patient/$everything, FHIR R4): `_type`, `_since` and `_count` narrow it."""
    asked = dict(query)
    if list(asked) == ["_cursor"]:
        return Interaction(EVERYTHING, "Patient", patient_id, cursor=asked["_cursor"])
    for name, value in query:
        if name not in {"_type", "_since", "_count"}:
            raise Refusal(400, f"The parameter {_plain(name)} is not served for $everything.")
        _check_value(name, value)
    types = tuple(asked.get("_type", "").split(",")) if "_type" in asked else RECORD
    if unknown := set(types) - set(RECORD):
        raise Refusal(400, f"{_plain(min(unknown))} is not a type of this record.")
    since = (("_lastUpdated", f"ge{asked['_since']}"),) if "_since" in asked else ()
    return Interaction(
        EVERYTHING, "Patient", patient_id, params=since, count=_count(query), types=types, provenance=True
    )


def _refuse_twice(query: Sequence[tuple[str, str]]) -> None:
    """Of two that cannot both hold, none is chosen for the caller."""
    names = [name for name, _ in query]
    if twice := ONCE & {name for name in names if names.count(name) > 1}:
        raise Refusal(400, f"{min(twice)} is given once.")


def _count(query: Sequence[tuple[str, str]]) -> int:
    return int(dict(query).get("_count", DEFAULT_PAGE))


def _check_value(name: str, value: str) -> None:
    if name == "_count" and not (COUNT.fullmatch(value) and 0 < int(value) <= LARGEST_PAGE):
        raise Refusal(400, f"_count takes a number from 1 to {LARGEST_PAGE}.")
    if len(value) > LONGEST_VALUE or "\x00" in value:
        raise Refusal(400, f"The value of {name} is too long, or has a character that none has.")


def _shaped(asked: Interaction, query: Sequence[tuple[str, str]]) -> Interaction:
    """With how the answer is to look. Counts and summaries would tell of what is hidden: they are refused."""
    resource_type, rule = asked.resource_type, asked.rule
    includes, provenance, elements = set(), False, frozenset[str]()
    for name, value in query:
        if name == "_include":
            source, _, param = value.partition(":")
            if source != resource_type or param not in rule.includes:
                raise Refusal(400, f"The include {_plain(value)} is not served.")
            includes.add(param)
        elif name == "_revinclude":
            if value not in REVINCLUDES:
                raise Refusal(400, f"The include {_plain(value)} is not served.")
            provenance = True
        elif name == "_elements":
            elements = _elements(value)
        elif (name, value) not in {("_total", "none"), ("_summary", "false")} and name in SHAPING:
            raise Refusal(400, f"{name} is served as {'none' if name == '_total' else 'false'} only.")
        elif name == "_sort" and not _sorts(value) <= rule.search_params | {"_lastUpdated", "_id"}:
            raise Refusal(400, f"_sort takes search parameters of {resource_type} that are served.")
    return replace(asked, includes=frozenset(includes), provenance=provenance, elements=elements)


def _sorts(value: str) -> set[str]:
    return {name.removeprefix("-") for name in value.split(",")}


def _elements(value: str) -> frozenset[str]:
    if value and not ELEMENTS.fullmatch(value):
        raise Refusal(400, "_elements takes names of elements, with commas between them.")
    return frozenset(value.split(",")) if value else frozenset()


def _plain(name: str) -> str:
    """A caller's word, fit to be said back to it."""
    return re.sub(r"[^A-Za-z0-9_:.\-]", "?", name[:40])
