"""What the gate asks an EHR: one page, some resources by their ids."""

import json
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from fhirproxy import cursors, upstream
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, EhrFailure
from fhirproxy.upstream import FhirRequest, FhirResponse, Params

AT_ONCE = 100  # ids in one search,
LONGEST = 4000  # and characters, so that the address stays one that servers take
MOST_PAGES = 200  # of one search: an EHR whose pages never end says nothing


class Match(msgspec.Struct):
    """One entry of a Bundle; the resource stays the bytes that the EHR sent."""

    resource: msgspec.Raw = msgspec.Raw(b"")  # empty: none


class Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class Page(msgspec.Struct):
    """A Bundle, as far as the gate reads one."""

    entry: list[Match] = msgspec.field(default_factory=list)
    link: list[Link] = msgspec.field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [body for match in self.entry if (body := bytes(match.resource))]

    @property
    def next(self) -> str:
        return next((link.url for link in self.link if link.relation == "next"), "")


def ask(source: Source, path: str, query: Params = ()) -> FhirResponse:
    """Raises EhrFailure where the EHR does not answer."""
    try:
        return upstream.of(source).send(FhirRequest("GET", path, query))
    except upstream.UpstreamUnavailable as error:
        raise EhrFailure(502, EHR_DOWN, {"Retry-After": "30"}) from error


def page(source: Source, path: str, query: Params) -> Page:
    """One page of a search or a history. Raises EhrFailure."""
    answer = ask(source, path, query)
    if answer.status == 400:
        raise EhrFailure(400, "The health record system did not understand a search value.")
    if answer.status != 200:
        raise EhrFailure(502, EHR_DOWN)
    try:
        return msgspec.json.decode(answer.body, type=Page)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise EhrFailure(502, EHR_DOWN) from error


def pages(source: Source, path: str, query: Params) -> Iterator[bytes]:
    """Resources of all pages. Raises EhrFailure where they never end, lead elsewhere, or lack one."""
    params: Params | None = query
    for _ in range(MOST_PAGES):
        found = page(source, path, params or ())
        if len(found.bodies) < len(found.entry):
            break  # an entry that says nothing of what it stands for
        yield from found.bodies
        params = cursors.next_params(found.next, source)
        if params is None and not found.next:
            return
        if params is None:
            break
    raise EhrFailure(502, EHR_DOWN)


def by_ids(source: Source, resource_type: str, ids: Collection[str]) -> list[bytes]:
    """The resources of a type with these ids, as far as the EHR has them."""
    return [
        body
        for part in _parts(sorted(ids))
        for body in pages(source, resource_type, (("_id", part), ("_count", str(AT_ONCE))))
    ]


def _parts(ids: list[str]) -> Iterator[str]:
    """The ids as lists for `_id`, each short enough for one search."""
    part: list[str] = []
    for one in ids:
        if len(part) == AT_ONCE or sum(map(len, part)) + len(part) + len(one) > LONGEST:
            yield ",".join(part)
            part = []
        part.append(one)
    if part:
        yield ",".join(part)


def decode(body: bytes) -> dict[str, Any]:
    """A resource. Raises EhrFailure for what is none, and for what says one thing twice.

    The bytes are what leaves: whoever reads the first of two subjects must not read another than we did.
    """
    try:
        resource = msgspec.json.decode(body, type=dict[str, Any])
        if msgspec.json.encode(resource) != body:  # most EHRs write as we do, and this is quick
            json.loads(body, object_pairs_hook=_once)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise EhrFailure(502, EHR_DOWN) from error
    return resource


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("an element is there twice")
