"""The gate: every read of a record, by whomever, goes through `serve`.

decide on the interaction → narrow to the patient → ask the EHR → label and check each
resource that came back → record the access → only then let the bytes go. The record and
the last look at the consent are one statement (`fhirproxy.release`), so nothing is let out
after a revoke. Whatever fails after the EHR answered is a 5xx, never the unfiltered body.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError

from audit.events import EventType
from consent.authority import Requester
from consent.decision import Access, Decision, Reason, decide
from consent.labels import labels_of
from consent.vocabulary import Category, categories_of, codings
from fhirproxy import cursors, inheritance, release, upstream
from fhirproxy.compartment import belongs_to
from fhirproxy.cursors import Place
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, LOG_DOWN, EhrFailure, Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse, Params

log = structlog.get_logger("chartkey.gate")
DEFAULT_PAGE = 50


class Match(msgspec.Struct):
    """One entry of a searchset; the resource stays the bytes that the EHR sent."""

    resource: msgspec.Raw


class Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class SearchSet(msgspec.Struct):
    entry: list[Match] = msgspec.field(default_factory=list)
    link: list[Link] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class Passed:
    """The resources of one answer that may leave, and what its audit row says of them."""

    bodies: dict[str, bytes] = field(default_factory=dict)  # by id, as the EHR sent them
    categories: set[Category] = field(default_factory=set)
    # The last that permitted, or the last denial where nothing passed.
    decision: Decision = field(default_factory=lambda: Decision(True, ()))
    withheld: int = 0

    def take(self, body: bytes, resource: dict[str, Any], decision: Decision) -> None:
        if decision.permitted:
            self.bodies[str(resource.get("id"))] = body
            self.categories |= categories_of(resource)
        else:
            self.withheld += 1
        if decision.permitted or not self.bodies:
            self.decision = decision


def serve(
    requester: Requester,
    interaction: Interaction,
    source: Source | None = None,
    event: EventType | None = None,
) -> FhirResponse:
    """Answer one interaction. Raises Refusal; an answer that returns was recorded before.

    `event` is what the log calls it, where that is not a plain read or search.
    """
    authority = requester.authority(interaction.code)
    call = Call(requester, interaction, authority, source or Source.primary(), event)
    try:
        if not requester.alive:
            reasons = (requester.missing or Reason.TOKEN,)
            raise release.refuse(call, reasons, 401, interaction.categories)
        _decide_interaction(call)
        try:
            return _read(call) if interaction.code == "read" else _search(call)
        except EhrFailure as failure:
            release.fail(call, failure)
            raise
    except DatabaseError as error:
        log.exception("gate could not record", reason=type(error).__name__)
        raise Refusal(503, LOG_DOWN, {"Retry-After": "5"}) from error


def _decide_interaction(call: Call) -> None:
    """Before the EHR is asked: could any resource of this type be let out at all?"""
    access = Access(
        call.interaction.code,
        call.interaction.resource_type,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=call.interaction.categories,
        beforehand=True,
    )
    decision = decide(access, call.authority)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 403, call.interaction.categories)


def _read(call: Call) -> FhirResponse:
    asked = call.interaction
    answer = _ask(call, FhirRequest("GET", f"{asked.resource_type}/{asked.id}"))
    if answer.status in (404, 410):
        raise release.refuse(call, ("record.not-found",), 404)
    if answer.status != 200:
        raise EhrFailure(502, EHR_DOWN)
    resource = _decode(answer.body)
    if (resource.get("resourceType"), resource.get("id")) != (asked.resource_type, asked.id):
        log.error("upstream answered with another resource", source=call.source.slug)
        raise EhrFailure(502, EHR_DOWN)
    passed = Passed()
    passed.take(answer.body, resource, _decide_resource(call, resource, _members(call, [resource])))
    if not passed.bodies:
        raise release.refuse(call, passed.decision.reasons, 404, categories_of(resource))
    release.let_out(call, passed.decision, passed.categories, 1, 0)
    kept = {"etag": "ETag", "last-modified": "Last-Modified"}
    headers = {kept[k.lower()]: v for k, v in answer.headers.items() if k.lower() in kept}
    return FhirResponse(200, {"Content-Type": FHIR_JSON, **headers}, answer.body)


def _search(call: Call) -> FhirResponse:
    asked = call.interaction
    if asked.cursor:
        place = cursors.unseal(asked.cursor, call.requester, asked.resource_type)
        if place is None:
            raise release.refuse(call, ("cursor.invalid",), 400)
    else:
        params = narrow(call)
        if params is None:
            # Someone else's record, or none here: the same answer as for a patient who does not exist.
            release.refuse(call, (Reason.NOT_YOURS,), 404)
            return _bundle(asked, Passed(), "")
        count = int(dict(asked.params).get("_count", DEFAULT_PAGE))
        place = Place((*params, ("_count", str(count + 1))), count=count)
    passed, following = _collect(call, place)
    cursor = cursors.seal(following, call.requester, asked.resource_type) if following else ""
    release.let_out(call, passed.decision, passed.categories, len(passed.bodies), passed.withheld)
    return _bundle(asked, passed, cursor)


def _collect(call: Call, place: Place) -> tuple[Passed, Place | None]:
    """A page of what may be seen, and where the next one starts if there is more that may be seen.

    The EHR is asked on until the page is full and one more is found, or there is no more: pages
    that were shorter for what is hidden, or links to pages with nothing on them, would count it.
    """
    passed, wanted = Passed(), place.count
    params: Params | None = place.params
    after, following = place.after, place
    while params is not None:
        found = _page(call, params)
        bodies = [bytes(match.resource) for match in found.entry]
        resources = [_decode(body) for body in bodies]
        members = _members(call, resources)
        ids = [str(resource.get("id")) for resource in resources]
        skipped = ids.index(after) + 1 if after in ids else 0
        for body, resource in list(zip(bodies, resources, strict=True))[skipped:]:
            if resource.get("resourceType") != call.interaction.resource_type:
                continue  # an OperationOutcome beside the matches, or what nobody asked for
            decision = _decide_resource(call, resource, members)
            if decision.permitted and len(passed.bodies) == wanted:
                return passed, following
            passed.take(body, resource, decision)
            if decision.permitted:
                following = Place(params, str(resource.get("id")), wanted)
        link = next((link.url for link in found.link if link.relation == "next"), "")
        params, after = cursors.next_params(link, call.source), ""
    return passed, None


def _page(call: Call, params: Params) -> SearchSet:
    answer = _ask(call, FhirRequest("GET", call.interaction.resource_type, params))
    if answer.status == 400:
        raise EhrFailure(400, "The health record system did not understand a search value.")
    if answer.status != 200:
        raise EhrFailure(502, EHR_DOWN)
    try:
        return msgspec.json.decode(answer.body, type=SearchSet)
    except msgspec.MsgspecError as error:
        raise EhrFailure(502, EHR_DOWN) from error


def narrow(call: Call) -> Params | None:
    """The search with this patient written in; None where it asks for another patient.

    What the caller said of the patient is compared and then replaced by our own parameter.
    """
    patient_id = call.patient_id
    if not patient_id:
        return None
    own = {patient_id, f"Patient/{patient_id}", f"{settings.FHIR_BASE_URL}/Patient/{patient_id}"}
    rule = call.interaction.rule
    patient_names = {rule.patient_param, *(p for p in rule.owner_paths[:1] if p != "id")}
    if any(n in patient_names and v not in own for n, v in call.interaction.params):
        return None
    rest = [(n, v) for n, v in call.interaction.params if n not in {*patient_names, "_count"}]
    return ((rule.patient_param, patient_id), *rest)


def _members(call: Call, resources: list[dict[str, Any]]) -> Mapping[str, frozenset[str]]:
    """Labels of what these resources consist of; not asked for where every label may be seen anyway."""
    if all(provision.every_label for provision in call.requester.provisions):
        return {}
    return inheritance.labels_of_members(resources, call.source)


def _decide_resource(call: Call, resource: dict[str, Any], members: Mapping[str, frozenset[str]]) -> Decision:
    """Decide on one resource that came back, with what it and its members say of themselves."""
    asked = call.interaction
    whose = call.patient_id, call.base_url
    inherited = (members.get(i, frozenset()) for i in inheritance.member_ids(resource))
    access = Access(
        asked.code,
        asked.resource_type,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=categories_of(resource),
        security_labels=labels_of(resource).union(*inherited),
        codings=frozenset(f"{s}|{c}" for s, c in codings(resource.get("category"))),
        belongs_to_patient=asked.rule.shared or belongs_to(resource, asked.rule, *whose),
    )
    return decide(access, call.authority)


def _ask(call: Call, request: FhirRequest) -> FhirResponse:
    try:
        return upstream.of(call.source).send(request)
    except upstream.UpstreamUnavailable as error:
        raise EhrFailure(502, EHR_DOWN, {"Retry-After": "30"}) from error


def _decode(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise EhrFailure(502, EHR_DOWN) from error


def _bundle(asked: Interaction, passed: Passed, cursor: str) -> FhirResponse:
    """A searchset without `total`: what was left out must not be countable."""
    address = f"{settings.FHIR_BASE_URL}/{asked.resource_type}"
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if cursor:
        bundle["link"] = [{"relation": "next", "url": f"{address}?_cursor={cursor}"}]
    if passed.bodies:
        bundle["entry"] = [
            {
                "fullUrl": f"{address}/{resource_id}",
                "resource": msgspec.Raw(body),
                "search": {"mode": "match"},
            }
            for resource_id, body in passed.bodies.items()
        ]
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, msgspec.json.encode(bundle))
