"""What the gate asks an EHR: one page, some resources by their ids."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import structlog

from fhirproxy import adapters, cursors, upstream
from fhirproxy.cursors import EhrPage
from fhirproxy.messages import FhirRequest, FhirResponse, Params, Trouble, UpstreamUnavailable
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, EhrFailure
from fhirproxy.upstream.http import wait_of
from smart.resource_types import R4

AT_ONCE = 100  # ids in one search,
LONGEST = 4000  # and characters, so that the address stays one that servers take
AN_ID = re.compile(r"[A-Za-z0-9\-._]{1,255}")  # longer than FHIR's 64, and with "_": some EHRs' are
GONE = frozenset({400, 404, 410})  # what EHRs answer when a link of theirs is too old
NOT_HAD = frozenset({404, 405, 501})  # and to a search of a type that they do not have
log = structlog.get_logger("chartkey.upstream")


class NotUnderstood(EhrFailure):
    """The EHR does not take a search as it was put."""


class Match(msgspec.Struct):
    """One entry of a Bundle; the resource stays the bytes that the EHR sent."""

    resource: msgspec.Raw = msgspec.Raw(b"")  # empty: none


class Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class Issue(msgspec.Struct):
    severity: str = ""


class Kind(msgspec.Struct):
    resourceType: str = ""


class Said(msgspec.Struct):
    """An OperationOutcome among the matches (FHIR R4, 3.1.1.4.3)."""

    issue: list[Issue] = msgspec.field(default_factory=list)


class Page(msgspec.Struct):
    """A Bundle, as far as the gate reads one."""

    resourceType: str = ""
    entry: list[Match] = msgspec.field(default_factory=list)
    link: list[Link] = msgspec.field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [body for match in self.entry if (body := bytes(match.resource))]

    def without_outcomes(self) -> tuple["Page", bool]:
        """(the page without what the EHR says of it, whether it says that this is all there is).

        Warnings and information change nothing (FHIR R4, 3.1.1.4.3). Raises ValueError where it says that
        the search failed.
        """
        kept, severities = [], set[str]()
        for match in self.entry:
            body = bytes(match.resource)
            if body and msgspec.json.decode(body, type=Kind).resourceType == "OperationOutcome":
                severities |= {issue.severity for issue in msgspec.json.decode(body, type=Said).issue}
            else:
                kept.append(match)
        if "fatal" in severities:
            raise ValueError("the EHR says that the search failed")
        page = self if len(kept) == len(self.entry) else msgspec.structs.replace(self, entry=kept)
        return page, "error" not in severities

    @property
    def next(self) -> str:
        return next((link.url for link in self.link if link.relation == "next"), "")


def ask(source: Source, path: str, query: Params = (), *, onward: bool = False) -> FhirResponse:
    """Raises EhrFailure where the EHR does not answer."""
    try:
        return upstream.of(source).send(FhirRequest("GET", path, query, onward=onward))
    except UpstreamUnavailable as error:
        status = 504 if error.trouble is Trouble.TIMEOUT else 502
        raise failure(source, status, error.retry_after) from error


def page(source: Source, path: str, query: Params = (), *, onward: bool = False) -> Page:
    """One page of a search or a history; of a type that the EHR does not have, an empty one.

    Raises EhrFailure, also where the EHR says that this is only a part.
    """
    found, is_whole = part(source, path, query, onward=onward)
    if not is_whole:
        raise failure(source)
    return found


def part(source: Source, path: str, query: Params = (), *, onward: bool = False) -> tuple[Page, bool]:
    """(as `page`, whether it is whole): for those who tell whoever asked. Raises EhrFailure."""
    if path in R4 and not source.serves(path):
        return Page(), True
    answer = ask(source, path, query, onward=onward)
    if onward and answer.status in GONE:
        raise EhrFailure(400, "The page link is not valid any more. Start the search again.")
    if answer.status == 400:
        raise NotUnderstood(400, f"{source.name} did not understand a search value.")
    if source.types and answer.status in NOT_HAD and path in R4 and not onward:
        raise _lied(source, path)
    if answer.status != 200:
        raise failed(source, answer)
    try:
        found = msgspec.json.decode(answer.body, type=Page)
        if found.resourceType != "Bundle":
            raise failure(source)
        return found.without_outcomes()
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise failure(source) from error


def pages(source: Source, path: str, query: Params) -> Iterator[bytes]:
    """Resources of all pages. Raises EhrFailure where they never end, lead elsewhere, or lack one."""
    there = EhrPage(path, query)
    for _ in range(source.max_pages):
        found = page(source, there.path, there.params, onward=there.onward)
        if len(found.bodies) < len(found.entry):
            break  # an entry that says nothing of what it stands for
        yield from found.bodies
        following = cursors.next_page(found.next, source)
        if following is None:
            return
        if following == there:
            break
        there = following
    raise failure(source)


def failure(source: Source, status: int = 502, retry_after: int = 30) -> EhrFailure:
    """That an EHR gave no answer, or one that cannot be let out. Whoever asks it knows its name."""
    late = " in time" if status == 504 else ""
    return EhrFailure(
        status,
        f"{source.name} did not answer{late}. Try again in a few minutes.",
        {"Retry-After": str(retry_after)},
    )


def _lied(source: Source, kind: str) -> EhrFailure:
    """Its CapabilityStatement has a type that it has not: `manage.py ehr check` says so with the cure."""
    log.error("upstream has not what it says it has", source=source.slug, resource_type=kind)
    return EhrFailure(
        502,
        f"{source.name} says that it has {kind}, and it cannot be searched there. Tell the clinic.",
        {"Retry-After": "3600"},
    )


def failed(source: Source, answer: FhirResponse) -> EhrFailure:
    """What an answer with a status that is no success means to the caller."""
    return failure(source, 504 if answer.status == 504 else 502, wait_of(answer) or 30)


def by_ids(source: Source, resource_type: str, ids: Collection[str]) -> list[bytes]:
    """The resources of a type with these ids, as far as the EHR has them; what is no id it has not."""
    possible = sorted(filter(AN_ID.fullmatch, ids))
    return [
        body
        for part in _parts(possible, min(AT_ONCE, adapters.of(source.adapter).most_ids))
        for body in pages(source, resource_type, (("_id", part), ("_count", str(AT_ONCE))))
    ]


def _parts(ids: list[str], most: int) -> Iterator[str]:
    """The ids as lists for `_id`, each short enough for one search."""
    part: list[str] = []
    for one in ids:
        if len(part) == most or sum(map(len, part)) + len(part) + len(one) > LONGEST:
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
    except (ValueError, RecursionError) as error:
        raise EhrFailure(502, EHR_DOWN) from error
    return resource


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("an element is there twice")
