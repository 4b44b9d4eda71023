"""Search run: a page of matches, what is included with it, and the searchset Bundle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.conf import settings
from django.db import connection

from fhirstore import documents, terms
from fhirstore.cursors import planned_anew
from fhirstore.outcome import operation_outcome
from fhirstore.paths import compile_path
from fhirstore.references import targets_of
from fhirstore.search.query import Include, Query, SortKey, write_cursor
from fhirstore.search.shown import subset

MAX_INCLUDED = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """One resource of a result."""

    type: str
    fhir_id: str
    body: str
    position: tuple[Any, ...] = ()  # sort values and key, for the cursor


@dataclass(frozen=True, slots=True)
class Page:
    matches: list[Found]
    has_more: bool


def page(query: Query) -> Page:
    """Matches behind `query.after`, at most `query.count`. One statement."""
    condition, params = query.where.sql()
    sorts = "".join(f", {key.sql}::text" for key in query.sort)
    sort_params = [param for key in query.sort for param in key.params]
    behind, behind_params = _behind(query.sort, query.after)
    # The statement is put together from constants of ours; whatever comes from outside is a parameter.
    order = _order(query.sort, by_index=not (query.where.in_one_record or query.where.is_short))
    statement = (
        f"SELECT r.fhir_id, r.body{sorts}, r.key FROM fhirstore_resource r"  # noqa: S608
        f" WHERE {query.where.of_type()} AND NOT r.deleted AND {condition} AND {behind}"
        f" ORDER BY {order} LIMIT %s"
    )
    with planned_anew() as cursor:
        cursor.execute(
            statement,
            [*sort_params, query.type, *params, *behind_params, *sort_params, query.count + 1],
        )
        found = [Found(query.type, fhir_id, body, tuple(rest)) for fhir_id, body, *rest in cursor.fetchall()]
    return Page(found[: query.count], len(found) > query.count)


def _order(sort: Sequence[SortKey], *, by_index: bool) -> str:
    """For a record, `+ 0` keeps PostgreSQL from walking all resources in order of their keys until
    enough of the record have come by: it sorts those of the record, which are few."""
    if not sort:
        return "r.key" if by_index else "r.key + 0"
    keys = [f"{key.sql} {'DESC' if key.descending else 'ASC'}" for key in sort]
    last = "DESC" if sort[-1].descending else "ASC"
    return ", ".join([*keys, f"r.key {last}"])


def _behind(sort: Sequence[SortKey], after: Sequence[Any]) -> tuple[str, list[Any]]:
    """The condition for rows behind `after`: for keys a, b it is a > x OR (a = x AND (b > y))."""
    if not after:
        return "TRUE", []
    last = bool(sort) and sort[-1].descending
    keys = [*sort, SortKey("r.key", last, "bigint")]
    if len({key.descending for key in keys}) == 1:
        # One direction: a row comparison, which an index can answer.
        left, right = ", ".join(k.sql for k in keys), ", ".join(f"%s::{k.cast}" for k in keys)
        params = [param for key in keys for param in key.params]
        return f"({left}) {'<' if last else '>'} ({right})", [*params, *after]
    condition, params = "FALSE", []
    for key, value in zip(reversed(keys), reversed(after), strict=True):
        further = f"{key.sql} {'<' if key.descending else '>'} %s::{key.cast}"
        condition = f"({further} OR ({key.sql} = %s::{key.cast} AND {condition}))"
        params = [*key.params, value, *key.params, value, *params]
    return condition, params


def count(query: Query) -> int:
    condition, params = query.where.sql()
    with planned_anew() as cursor:
        cursor.execute(
            "SELECT count(*) FROM fhirstore_resource r"  # noqa: S608
            f" WHERE {query.where.of_type()} AND NOT r.deleted AND {condition}",
            [query.type, *params],
        )
        return int(cursor.fetchone()[0])


def answer(query: Query) -> bytes:
    """The searchset Bundle. One statement; one more each for _include, _revinclude and _total."""
    if query.count_only:
        return _bundle(query, [], total=count(query))
    found = page(query)
    entries = [_entry(each, "match", _shown(each, query)) for each in found.matches]
    entries += [_entry(each, "include", msgspec.Raw(each.body)) for each in _included(query, found.matches)]
    if len(entries) - len(found.matches) > MAX_INCLUDED:
        told = f"Only the first {MAX_INCLUDED} included resources of each kind are shown."
        entries.append(
            {"resource": operation_outcome("warning", "incomplete", told), "search": {"mode": "outcome"}}
        )
    total = None
    if query.with_total:
        total = count(query)
    elif not query.after and not found.has_more:
        total = len(found.matches)
    after = found.matches[-1].position if found.has_more else ()
    return _bundle(query, entries, total=total, after=after)


def _bundle(
    query: Query, entries: Sequence[dict[str, Any]], *, total: int | None, after: Sequence[Any] = ()
) -> bytes:
    links = [{"relation": "self", "url": _url(query.address or query.type, query.used)}]
    if after:
        onward = [*query.used, ("_cursor", write_cursor(after))]
        links.append({"relation": "next", "url": _url(query.address or query.type, onward)})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = links
    if entries:  # FHIR has no empty arrays
        bundle["entry"] = entries
    return documents.encode(bundle)


def _url(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Relative to the base: whoever stands before us has an address of its own."""
    return f"{address}?{urlencode(pairs, safe='/:,|')}" if pairs else address


def _shown(found: Found, query: Query) -> Any:
    if query.elements or query.summary:
        return subset(found.type, found.body, query.elements, query.summary)
    return msgspec.Raw(found.body)


def _entry(found: Found, mode: str, resource: Any) -> dict[str, Any]:
    url = f"{settings.FHIR_BASE_URL}/{found.type}/{found.fhir_id}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def _included(query: Query, matches: Sequence[Found]) -> Iterable[Found]:
    shown = {(each.type, each.fhir_id) for each in matches}
    wanted = {ref for include in query.includes for ref in _references(include, matches)} - shown
    if wanted:
        for each in fetch(sorted(wanted)):
            shown.add((each.type, each.fhir_id))
            yield each
    if query.revincludes and matches:
        for each in _referring(query.revincludes, matches):
            if (each.type, each.fhir_id) not in shown:
                yield each


def _references(include: Include, matches: Sequence[Found]) -> Iterable[tuple[str, str]]:
    path = compile_path(include.parameter.expression)
    for each in matches:
        for kind, fhir_id in targets_of(path, each.body):
            if include.target in {"", kind}:
                yield kind, fhir_id


def fetch(wanted: Sequence[tuple[str, str]]) -> list[Found]:
    """Resources by type and id, those that are there. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, fhir_id, body FROM fhirstore_resource"
            " WHERE (type, fhir_id) IN (SELECT * FROM unnest(%s::text[], %s::text[])) AND NOT deleted"
            " ORDER BY key LIMIT %s",
            [[kind for kind, _ in wanted], [fhir_id for _, fhir_id in wanted], MAX_INCLUDED + 1],
        )
        return [Found(*row) for row in cursor.fetchall()]


def _referring(revincludes: Sequence[Include], matches: Sequence[Found]) -> list[Found]:
    wanted = [
        terms.reference(include.parameter.name, f"{each.type}/{each.fhir_id}")
        for include in revincludes
        for each in matches
    ]
    with planned_anew() as cursor:
        cursor.execute(
            "SELECT type, fhir_id, body FROM fhirstore_resource r"
            " WHERE r.terms && %s::bigint[] AND NOT r.deleted ORDER BY r.key + 0 LIMIT %s",
            [wanted, MAX_INCLUDED + 1],
        )
        return [Found(*row) for row in cursor.fetchall()]
