"""Reads of one resource: read, vread and history (FHIR R4, 3.1.0.1, 3.1.0.2, 3.1.0.11)."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import structlog

from consent.decision import Decision
from fhirproxy import answers, asking, release
from fhirproxy.checks import Passed, Seen, decide_on, see
from fhirproxy.interactions import Known
from fhirproxy.models import Source
from fhirproxy.outcomes import Refusal
from fhirproxy.reached import REACHED, decide_reached
from fhirproxy.release import Call
from fhirproxy.upstream import FHIR_JSON, FhirResponse

MOST_VERSIONS = 200
KEPT = {"etag": "ETag", "last-modified": "Last-Modified"}
log = structlog.get_logger("chartkey.gate")


Ask = Callable[[Source, str], FhirResponse]


def read(call: Call, ask: Ask = asking.ask) -> FhirResponse:
    """`ask` gives what is decided on, and leaves."""
    answer, seen, decision = _current(call, ask)
    if not decision.permitted:
        raise _hidden(call, seen, decision)
    passed = Passed()
    passed.take(seen, decision)
    release.let_out(call, passed)
    asked = call.interaction
    if not answers.is_whole(asked, seen, decision):
        # Not the resource that the EHR's ETag names: neither sent with it, nor answered for by it.
        return FhirResponse(200, {"Content-Type": FHIR_JSON}, answers.body_of(asked, seen, decision))
    headers = {KEPT[k.lower()]: v for k, v in answer.headers.items() if k.lower() in KEPT}
    if _is_known(asked.known, headers):
        return FhirResponse(304, headers, b"")
    return FhirResponse(200, {"Content-Type": FHIR_JSON, **headers}, seen.body)


def vread(call: Call) -> FhirResponse:
    """An older version is let out if that version and the current one may be seen.

    What is private now was private before anybody said so; what was private then was so for a reason.
    """
    asked = call.interaction
    _, current, decision = _current(call)
    if not decision.permitted:
        raise _hidden(call, current, decision)
    _, seen, decision = _fetch(call, f"{asked.resource_type}/{asked.id}/_history/{asked.version}")
    if not decision.permitted:
        raise _hidden(call, seen, decision)
    passed = Passed()
    passed.take(seen, decision)
    release.let_out(call, passed)
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, answers.body_of(asked, seen, decision))


def history(call: Call) -> FhirResponse:
    """The newest MOST_VERSIONS versions, as far as they may be seen; none if the current one may not."""
    asked = call.interaction
    _, current, decision = _current(call)
    if not decision.permitted:
        raise _hidden(call, current, decision)
    path = f"{asked.resource_type}/{asked.id}/_history"
    found = see(call, asking.page(call.source, path, (("_count", str(MOST_VERSIONS)),)).bodies)
    versions, passed = [], Passed()
    for seen in found:
        if seen.reference != current.reference:
            raise asking.failure(call.source)
        decision = decide_on(call, seen)
        passed.take(seen, decision)
        if decision.permitted:
            versions.append((seen, decision))
    release.let_out(call, passed, count=len(versions))
    return answers.history(asked, versions, call.fhir_url)


def _current(call: Call, ask: Ask = asking.ask) -> tuple[FhirResponse, Seen, Decision]:
    return _fetch(call, f"{call.interaction.resource_type}/{call.interaction.id}", ask)


def _fetch(call: Call, path: str, ask: Ask = asking.ask) -> tuple[FhirResponse, Seen, Decision]:
    """The resource at a path, with its decision. Raises Refusal 404 where there is none."""
    asked = call.interaction
    answer = ask(call.source, path)
    if answer.status in (404, 410):
        raise release.refuse(call, ("record.not-found",), 404)
    if answer.status != 200:
        raise asking.failed(call.source, answer)
    [seen] = see(call, [answer.body])
    if (seen.type, seen.id) != (asked.resource_type, asked.id):
        log.error("upstream answered with another resource", source=call.source.slug)
        raise asking.failure(call.source)
    if seen.type in REACHED:
        return answer, *decide_reached(call, seen)
    return answer, seen, decide_on(call, seen)


def _hidden(call: Call, seen: Seen, decision: Decision) -> Refusal:
    return release.refuse(call, decision.reasons, 404, seen.categories)


def _is_known(known: Known, headers: dict[str, Any]) -> bool:
    """Whether the caller has this version already (RFC 9110, 13.1: an ETag goes before a date)."""
    if known.etag:
        return headers.get("ETag") in {tag.strip() for tag in known.etag.split(",")}
    try:
        since = parsedate_to_datetime(known.since)
        return parsedate_to_datetime(headers.get("Last-Modified", "")) <= since
    except (ValueError, TypeError):
        return False
