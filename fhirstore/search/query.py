"""A search as it was asked for: parameters read, checked, and kept for the self link."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fhirstore import terms
from fhirstore.definitions import PARAMETERS, TYPES, Parameter
from fhirstore.outcome import Refused
from fhirstore.search import chains, values, where
from fhirstore.search.shown import SUMMARIES
from fhirstore.search.where import Where

DEFAULT_COUNT, MAX_COUNT = 50, 1000
MAX_PARAMETERS = 200
MAX_VALUES = 1000  # in all lists of a search together: each is a condition of its own

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of `_sort`: an SQL expression that is never null, and its direction."""

    sql: str
    descending: bool
    cast: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Include:
    """`_include` or `_revinclude`: the references of `parameter`, to `target` only where it is named."""

    parameter: Parameter
    target: str = ""


@dataclass(slots=True)
class Query:
    type: str
    used: list[tuple[str, str]] = field(default_factory=list)  # what is in force, for the links
    where: Where = field(default_factory=Where)
    count: int = DEFAULT_COUNT
    sort: list[SortKey] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    revincludes: list[Include] = field(default_factory=list)
    elements: frozenset[str] = frozenset()
    summary: str = ""  # true, text or data
    address: str = ""  # relative to the base; the type, if nothing else is said
    count_only: bool = False
    with_total: bool = False
    after: tuple[Any, ...] = ()  # sort values and key of the last resource of the page before

    def within_patient(self, fhir_id: str) -> None:
        """Only what is in the compartment of this Patient."""
        self.where.terms.add(terms.compartment(fhir_id))
        self.where.in_one_record = True
        self.address = f"Patient/{fhir_id}/{self.type}"


def read(kind: str, pairs: Pairs, *, strict: bool) -> Query:
    """Raises Refused (400). An unknown parameter is refused where `strict`, ignored otherwise; a known
    one with a modifier or a value that cannot be honoured is always refused."""
    if len(pairs) > MAX_PARAMETERS:
        raise Refused(400, "too-costly", f"A search takes at most {MAX_PARAMETERS} parameters.")
    if sum(1 + value.count(",") for _, value in pairs) > MAX_VALUES:
        raise Refused(400, "too-costly", f"A search takes at most {MAX_VALUES} values, in all its lists.")
    query = Query(kind)
    cursor = ""
    for name, value in pairs:
        _check_text(name, value)
        if name == "_cursor":
            cursor = value
        elif name in {"_format", "_pretty"}:
            continue  # settled by the server before it comes here
        elif reader := _CONTROLS.get(name):
            reader(query, value)
            query.used.append((name, str(query.count) if name == "_count" else value))
        elif chains.is_chain(kind, name):
            chains.add(query.where, kind, name, value)
            query.used.append((name, value))
        elif _is_ours(kind, name, strict=strict):
            where.add(query.where, kind, name, value)
            query.used.append((name, value))
    if cursor:
        query.after = _read_cursor(query, cursor)
    return query


def _check_text(name: str, value: str) -> None:
    if len(name) > 200 or not (name + value).isprintable():
        raise Refused(
            400, "value", "A search parameter has a name over 200 characters, or holds control characters."
        )


def _is_ours(kind: str, name: str, *, strict: bool) -> bool:
    if where.is_known(kind, name):
        return True
    if strict:
        raise Refused(400, "not-supported", f"{kind} has no search parameter `{name}` here.")
    return False


def _count(query: Query, value: str) -> None:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise values.bad_value("_count", "a whole number")
    query.count = min(int(value), MAX_COUNT)
    query.count_only = query.count_only or query.count == 0


def _sort(query: Query, value: str) -> None:
    if query.sort or value.count(",") > 2:
        raise Refused(400, "not-supported", "`_sort` is given once, with at most three keys.")
    query.sort = [_sort_key(query.type, each) for each in value.split(",")]


def _sort_key(kind: str, text: str) -> SortKey:
    code, descending = text.removeprefix("-"), text.startswith("-")
    if code == "_lastUpdated":
        return SortKey("r.last_updated", descending, "timestamptz")
    if code == "_id":
        return SortKey("r.fhir_id", descending, "text")
    parameter = PARAMETERS[kind].get(code)
    if parameter is None or parameter.kind not in {"date", "string"}:
        told = "`_sort` takes _id, _lastUpdated and parameters that are dates or strings."
        raise Refused(400, "not-supported", told)
    if parameter.kind == "string":
        least = (
            "COALESCE((SELECT min(i.value) FROM fhirstore_stringrow i"
            " WHERE i.resource_id = r.key AND i.param = %s), '')"
        )
        return SortKey(least, descending, "text", (parameter.name,))
    if parameter.is_main_date:
        return SortKey("r.date_low", descending, "timestamptz")
    least = (
        "COALESCE((SELECT min(i.low) FROM fhirstore_daterow i"
        " WHERE i.resource_id = r.key AND i.param = %s), '0001-01-01Z'::timestamptz)"
    )
    return SortKey(least, descending, "timestamptz", (parameter.name,))


def _include(query: Query, value: str) -> None:
    include = _read_include("_include", value)
    if include.parameter.type != query.type:
        raise values.bad_value("_include", f"a parameter of {query.type}, as {query.type}:subject")
    query.includes.append(include)


def _revinclude(query: Query, value: str) -> None:
    include = _read_include("_revinclude", value)
    if include.target not in {"", query.type}:
        raise values.bad_value("_revinclude", f"{query.type} as its target, or none")
    query.revincludes.append(include)


def _read_include(name: str, value: str) -> Include:
    kind, code, target = (*value.split(":"), "", "")[:3]
    parameter = PARAMETERS.get(kind, {}).get(code)
    if parameter is None or parameter.kind != "reference" or value.count(":") > 2:
        raise values.bad_value(name, "Type:parameter or Type:parameter:Target, of a reference parameter")
    if target and target not in TYPES:
        raise values.bad_value(name, "a target that is a resource type")
    return Include(parameter, target)


def _refuse_iterate(query: Query, value: str) -> None:
    raise Refused(400, "not-supported", "`:iterate` is not supported: includes go one level.")


def _elements(query: Query, value: str) -> None:
    query.elements |= frozenset(value.split(","))


def _summary(query: Query, value: str) -> None:
    if value not in SUMMARIES:
        raise values.bad_value("_summary", "true, text, data, count or false")
    query.count_only = query.count_only or value == "count"
    query.summary = "" if value in {"count", "false"} else value


def _total(query: Query, value: str) -> None:
    if value not in {"none", "estimate", "accurate"}:
        raise values.bad_value("_total", "none, estimate or accurate")
    query.with_total = value != "none"


_CONTROLS = {
    "_count": _count,
    "_sort": _sort,
    "_include": _include,
    "_revinclude": _revinclude,
    "_include:iterate": _refuse_iterate,
    "_revinclude:iterate": _refuse_iterate,
    "_elements": _elements,
    "_summary": _summary,
    "_total": _total,
}


def write_cursor(position: Sequence[Any]) -> str:
    """An opaque place to go on from: sort values as text, and the key, of the last resource shown."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(position))).decode().rstrip("=")


def _read_cursor(query: Query, text: str) -> tuple[Any, ...]:
    try:
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        *sort_values, key = msgspec.json.decode(raw, type=list[str | int])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise values.bad_value("_cursor", "what a next link of this server gave") from None
    fits = len(sort_values) == len(query.sort) and isinstance(key, int) and abs(key) < 2**63
    if not fits or not all(_is_sort_value(v, s) for v, s in zip(sort_values, query.sort, strict=True)):
        raise values.bad_value("_cursor", "what a next link of this server gave, for the same `_sort`")
    return (*sort_values, key)


def _is_sort_value(value: str | int, key: SortKey) -> bool:
    if not isinstance(value, str) or not value.isprintable():
        return False
    return key.cast == "text" or values.is_moment(value)
