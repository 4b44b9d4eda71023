"""The gate: every read of a record, by whomever, goes through `serve`.

decide on the interaction → narrow to the patient → ask the EHR → label and check each
resource that came back → record the access → only then let the bytes go. The record and
the last look at the consent are one statement (`audit.log.record(only_if=…)`), so nothing is let
out after a revoke. Whatever fails after the EHR answered is a 5xx, never the unfiltered body.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError

from audit.events import EventType
from audit.log import ANONYMOUS, Entry, Outcome, record
from consent.authority import Requester
from consent.decision import Access, Authority, Decision, Reason, decide
from consent.labels import labels_of
from consent.organisation import policy_hash
from consent.vocabulary import Category, categories_of, codings
from fhirproxy import cursors, upstream
from fhirproxy.compartment import belongs_to
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, LOG_DOWN, NOT_FOUND, Refusal
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse, Params

log = structlog.get_logger("chartkey.gate")

# What a caller may be told. Anything else would say that something is there and hidden.
SAID_TO_CALLER = {Reason.SCOPE: "scope-not-granted"}


class Match(msgspec.Struct):
    """One entry of a searchset; the resource stays the bytes that the EHR sent."""

    resource: msgspec.Raw
    search: dict[str, Any] = msgspec.field(default_factory=dict)


class Link(msgspec.Struct):
    relation: str = ""
    url: str = ""


class SearchSet(msgspec.Struct):
    entry: list[Match] = msgspec.field(default_factory=list)
    link: list[Link] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class Released:
    """What one answer let out, for its audit row."""

    raw: list[bytes] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    categories: set[Category] = field(default_factory=set)
    withheld: int = 0


def serve(requester: Requester, interaction: Interaction, source: Source | None = None) -> FhirResponse:
    """Answer one interaction. Raises Refusal; an answer that returns was recorded before."""
    source = source or Source.primary()
    try:
        if not requester.alive:
            raise _refuse(requester, interaction, (requester.missing or Reason.TOKEN,), 401)
        authority = requester.authority(interaction.code)
        _decide_interaction(requester, interaction, authority)
        if interaction.code == "read":
            return _read(requester, interaction, authority, source)
        return _search(requester, interaction, authority, source)
    except DatabaseError as error:
        log.exception("gate could not record", reason=type(error).__name__)
        raise Refusal(503, LOG_DOWN, {"Retry-After": "5"}) from error


def _decide_interaction(requester: Requester, interaction: Interaction, authority: Authority) -> None:
    """Before the EHR is asked: could any resource of this type be let out at all?"""
    access = Access(interaction.code, interaction.resource_type, at=requester.now, purpose=requester.purpose)
    decision = decide(access, authority)
    # Which labels a record carries is not known yet: SENSITIVE alone is no ground to refuse.
    reasons = tuple(r for r in decision.reasons if r is not Reason.SENSITIVE)
    if reasons:
        raise _refuse(requester, interaction, reasons, 403)


def _read(
    requester: Requester, interaction: Interaction, authority: Authority, source: Source
) -> FhirResponse:
    path = f"{interaction.resource_type}/{interaction.id}"
    answer = _ask(source, FhirRequest("GET", path))
    if answer.status in (404, 410):
        _record(requester, interaction, Outcome.DENY, reasons=("record.not-found",))
        raise Refusal(404, NOT_FOUND)
    if answer.status != 200:
        raise Refusal(502, EHR_DOWN)
    resource = _decode(answer.body)
    if (resource.get("resourceType"), resource.get("id")) != (
        interaction.resource_type,
        interaction.id,
    ):
        log.error("upstream answered with another resource", source=source.slug)
        raise Refusal(502, EHR_DOWN)
    decision = _check(requester, interaction, authority, resource, source)
    if not decision.permitted:
        raise _refuse(requester, interaction, decision.reasons, 404)
    released = Released([answer.body], [resource], set(categories_of(resource)))
    _release(requester, interaction, decision, released)
    headers = {"Content-Type": FHIR_JSON}
    for name in ("ETag", "Last-Modified"):
        if value := {k.lower(): v for k, v in answer.headers.items()}.get(name.lower()):
            headers[name] = value
    return FhirResponse(200, headers, answer.body)


def _search(
    requester: Requester, interaction: Interaction, authority: Authority, source: Source
) -> FhirResponse:
    if interaction.cursor:
        params = cursors.follow(interaction.cursor, requester, interaction.resource_type)
    else:
        params = narrow(requester, interaction, source)
    if params is None:
        # Someone else's record, or none here: the same answer as for a patient who does not exist.
        _record(requester, interaction, Outcome.DENY, reasons=(Reason.NOT_YOURS,))
        return _bundle(interaction, Released(), "")
    answer = _ask(source, FhirRequest("GET", interaction.resource_type, params))
    if answer.status == 400:
        raise Refusal(400, "The health record system did not understand a search value.")
    if answer.status != 200:
        raise Refusal(502, EHR_DOWN)
    try:
        found = msgspec.json.decode(answer.body, type=SearchSet)
    except msgspec.MsgspecError as error:
        raise Refusal(502, EHR_DOWN) from error
    released, decision = _filter(requester, interaction, authority, found, source)
    next_url = next((link.url for link in found.link if link.relation == "next"), "")
    cursor = cursors.make(next_url, requester, interaction.resource_type, source) if next_url else ""
    _release(requester, interaction, decision, released)
    return _bundle(interaction, released, cursor)


def narrow(requester: Requester, interaction: Interaction, source: Source) -> Params | None:
    """The search with this patient written in; None where it asks for another patient.

    What the caller said of the patient is compared and then replaced by our own parameter.
    """
    patient_id = requester.identities.get(source.slug)
    if patient_id is None:
        return None
    own = {patient_id, f"Patient/{patient_id}", f"{settings.FHIR_BASE_URL}/Patient/{patient_id}"}
    rule = interaction.rule
    patient_names = {rule.patient_param, *(p for p in rule.owner_paths[:1] if p != "id")}
    kept = []
    for name, value in interaction.params:
        if name not in patient_names:
            kept.append((name, value))
        elif value not in own:
            return None
    return ((rule.patient_param, patient_id), *kept)


def _filter(
    requester: Requester,
    interaction: Interaction,
    authority: Authority,
    found: SearchSet,
    source: Source,
) -> tuple[Released, Decision]:
    released = Released()
    decided = Decision(True, ())
    for entry in found.entry:
        raw = bytes(entry.resource)
        resource = _decode(raw)
        if resource.get("resourceType") != interaction.resource_type:
            continue  # an OperationOutcome beside the matches, or what nobody asked for
        decision = _check(requester, interaction, authority, resource, source)
        if not decision.permitted:
            released.withheld += 1
            continue
        decided = decision
        released.raw.append(raw)
        released.resources.append(resource)
        released.categories |= categories_of(resource)
    return released, decided


def _check(
    requester: Requester,
    interaction: Interaction,
    authority: Authority,
    resource: dict[str, Any],
    source: Source,
) -> Decision:
    """Decide on one resource that came back."""
    rule = interaction.rule
    patient_id = requester.identities.get(source.slug, "")
    access = Access(
        interaction.code,
        interaction.resource_type,
        at=requester.now,
        purpose=requester.purpose,
        categories=categories_of(resource),
        security_labels=labels_of(resource),
        codings=frozenset(f"{s}|{c}" for s, c in codings(resource.get("category"))),
        belongs_to_patient=rule.shared or (bool(patient_id) and belongs_to(resource, rule, patient_id)),
    )
    return decide(access, authority)


def _release(requester: Requester, interaction: Interaction, decision: Decision, released: Released) -> None:
    """Record what is about to leave. Raises Refusal if the consent ended in the meantime."""
    row = _record(
        requester,
        interaction,
        Outcome.PERMIT,
        categories=tuple(sorted(released.categories)),
        count=len(released.raw),
        detail={
            "policy": policy_hash(),
            "rules": "|".join((*decision.policy_ids, *decision.provision_ids)) or "none",
            **({"withheld": released.withheld} if released.withheld else {}),
        },
        conditional=True,
    )
    if row is None:
        raise _refuse(requester, interaction, (Reason.REVOKED,), 403)


def _refuse(
    requester: Requester, interaction: Interaction, reasons: Sequence[Reason], status: int
) -> Refusal:
    _record(requester, interaction, Outcome.DENY, reasons=tuple(reasons))
    if status == 401:
        header = 'Bearer error="invalid_token"'
        return Refusal(401, "The access token has ended.", {"WWW-Authenticate": header})
    if status == 404:
        return Refusal(404, NOT_FOUND)
    said = next((SAID_TO_CALLER[r] for r in reasons if r in SAID_TO_CALLER), "no-consent")
    return Refusal(403, said)


def _record(
    requester: Requester,
    interaction: Interaction,
    outcome: Outcome,
    *,
    conditional: bool = False,
    **fields: Any,
) -> object:
    searching = interaction.code == "search-type"
    return record(
        Entry(
            type=EventType.RECORD_SEARCH if searching else EventType.RECORD_READ,
            outcome=outcome,
            actor=requester.actor,
            on_behalf_of=requester.on_behalf_of,
            role=requester.role,
            patient=f"Patient/{requester.patient_id}",
            client=requester.client,
            interaction=interaction.code,
            resource_types=(interaction.resource_type,),
            purpose=requester.purpose,
            consent=f"Consent/{requester.consent_id}" if requester.consent_id else "",
            consent_number=requester.consent_number,
            **fields,
        ),
        only_if=requester.still_in_force() if conditional else None,
    )


def refuse_unserved(requester: Requester | None, status: int) -> None:
    """Record what was turned away before it was known what, or whose, was asked for."""
    try:
        record(
            Entry(
                type=EventType.RECORD_REFUSE,
                outcome=Outcome.DENY,
                actor=requester.actor if requester else ANONYMOUS,
                role=requester.role if requester else "",
                patient=f"Patient/{requester.patient_id}" if requester else "",
                client=requester.client if requester else "",
                reasons=(f"request.{status}" if requester else "token.unknown",),
            )
        )
    except DatabaseError as error:
        log.exception("gate could not record", reason=type(error).__name__)
        raise Refusal(503, LOG_DOWN, {"Retry-After": "5"}) from error


def _ask(source: Source, request: FhirRequest) -> FhirResponse:
    try:
        return upstream.of(source).send(request)
    except upstream.UpstreamUnavailable as error:
        raise Refusal(502, EHR_DOWN, {"Retry-After": "30"}) from error


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refusal(502, EHR_DOWN) from error


def _bundle(interaction: Interaction, released: Released, cursor: str) -> FhirResponse:
    """A searchset without `total`: what was left out must not be countable."""
    base = settings.FHIR_BASE_URL
    links = []
    if cursor:
        url = f"{base}/{interaction.resource_type}?_cursor={cursor}"
        links.append({"relation": "next", "url": url})
    entries = [
        {
            "fullUrl": f"{base}/{interaction.resource_type}/{resource.get('id')}",
            "resource": msgspec.Raw(raw),
            "search": {"mode": "match"},
        }
        for raw, resource in zip(released.raw, released.resources, strict=True)
    ]
    body: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if links:
        body["link"] = links
    if entries:
        body["entry"] = entries
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, msgspec.json.encode(body))
