"""What a link shows: an International Patient Summary, read through the gate by the link's own authority."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
from django.conf import settings

from audit.events import EventType
from consent import authority, explain
from consent.authority import why_missing
from consent.decision import Provision, ProvisionType, Reason
from consent.models import Consent
from consent.organisation import policy_hash
from consent.requester import Requester
from consent.vocabulary import Category, Purpose
from exports.formats import ips
from exports.formats.about import About, LeftOut, Resource, Source, Why
from exports.formats.held import HOLDS, Format
from exports.formats.parts import CATEGORIES as CATEGORY_OF_PART
from exports.link_models import HealthLink
from fhirproxy import gate, interactions
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source as Ehr
from fhirproxy.outcomes import EhrFailure
from fhirproxy.served import SERVED

# Who a summary is about goes along with every one of them.
ALWAYS = frozenset({Category.DEMOGRAPHICS})
CATEGORIES = ALWAYS | {
    Category.CONTACT,
    *(CATEGORY_OF_PART[part] for section in ips.SECTIONS for part in section.parts),
}
TYPES = tuple(
    sorted(kind for kind, held in HOLDS[Format.IPS].items() if held.is_in and SERVED[kind].searchable)
)
COMES_ALONG = ("medication",)  # the reference without whose target a record says nothing
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def requester_of(link: HealthLink) -> Requester:
    """Whoever has the link, with all that speaks for and against it at this moment.

    Who made it for somebody else lets nobody see more than they see themself, as of now.
    """
    consent = Consent.objects.select_related("patient__user").get(pk=link.consent_id)
    patient, user = consent.patient, link.made_by
    anyone = authority.for_other_system(patient.pk, {consent.recipient}, Purpose.PATRQT)
    now = anyone.now
    missing = why_missing(consent.pk, consent.status, consent.period_end, consent.revoked_at, now)
    allowed = anyone.provisions
    if link.helper is not None:
        missing, allowed = _as_far_as_the_helper(link, anyone.provisions, missing)
    active = user.is_active and (patient.user is None or patient.user.is_active)
    return replace(
        anyone,
        actor=f"HealthLink/{link.pk}",
        role="",
        facts=replace(anyone.facts, active=active, testPatient=patient.is_test),
        provisions=() if missing else allowed,
        missing=missing,
        consent_id=consent.pk,
        consent_number=consent.current_number,
        user_id=user.pk,
    )


def _as_far_as_the_helper(
    link: HealthLink, allowed: tuple[Provision, ...], missing: Reason | None
) -> tuple[Reason | None, tuple[Provision, ...]]:
    relation = link.helper
    assert relation is not None
    relation.refresh_from_db()
    helper = authority.for_helper(link.made_by, relation.patient)
    if f"RelatedPerson/{relation.pk}" not in helper.actors or not relation.may_share:
        return missing or helper.missing or Reason.NO_CONSENT, ()
    permits = [p for p in helper.provisions if p.type is ProvisionType.PERMIT]
    seen = frozenset().union(*(p.categories for p in permits))
    narrowed = [
        replace(p, categories=p.categories & seen, security_labels=frozenset())
        for p in allowed
        if p.type is ProvisionType.PERMIT and p.categories & seen
    ]
    kept_from_all = [p for p in allowed if p.type is ProvisionType.DENY]
    kept_from_helper = [
        replace(p, actors=frozenset(), purposes=frozenset())
        for p in helper.provisions
        if p.type is ProvisionType.DENY
        and (not p.actors or p.actors & helper.actors)
        and (not p.purposes or helper.purpose in p.purposes)
    ]
    return missing or helper.missing, (*narrowed, *kept_from_all, *kept_from_helper)


def basis_of(requester: Requester) -> str:
    """What a file is decided by, as one hash. Nobody looks into an encrypted file again: where this has
    changed since it was made, it is not shown any more."""
    concerning = [p for p in requester.provisions if not p.actors or p.actors & requester.actors]
    rules = sorted(msgspec.json.encode(p, order="deterministic") for p in concerning)
    told = [policy_hash(), str(requester.valuesets), requester.facts, sorted(requester.identities.items())]
    return hashlib.sha256(msgspec.json.encode(told) + b"\n".join(rules)).hexdigest()


def document(link: HealthLink, requester: Requester) -> bytes:
    """The Bundle of now. Raises Refusal where nothing may be seen, EhrFailure where no EHR answers."""
    found: list[dict[str, Any]] = []
    answered: list[Source] = []
    failed: EhrFailure | None = None
    ehrs = Ehr.objects.filter(slug__in=requester.identities).order_by("-is_primary", "slug")
    types = explain.possible_types(requester, TYPES)
    for ehr in ehrs:
        uri = ehr.base_url or settings.FHIR_BASE_URL
        try:
            records = [one for kind in types for one in _of_type(requester, ehr, kind)]
        except EhrFailure as failure:
            failed = failure
            continue
        found += [{**one, "meta": {**one.get("meta", {}), "source": uri}} for one in records]
        answered.append(Source(uri, ehr.name, requester.now))
    if not answered:
        raise failed or EhrFailure(503, "No health record system has records of this person.")
    return ips.file(found, _about(link, requester, found, tuple(answered), is_whole=failed is None))


def _of_type(requester: Requester, ehr: Ehr, kind: str) -> Iterator[dict[str, Any]]:
    """All of one type that the gate lets out; what they cannot do without comes along."""
    along = [("_include", f"{kind}:{name}") for name in COMES_ALONG if name in SERVED[kind].includes]
    interaction = interactions.search(kind, [("_count", "200"), *along])
    while True:
        answer = gate.serve(requester, interaction, ehr, event=EventType.EXPORT_READ)
        page = _decoder.decode(answer.body)
        entries = page.get("entry", [])
        if any(entry.get("search", {}).get("mode") == "outcome" for entry in entries):
            raise EhrFailure(502, "The EHR gave a part only.")
        yield from (entry["resource"] for entry in entries)
        following = next((x["url"] for x in page.get("link", []) if x["relation"] == "next"), "")
        if not following:
            return
        interaction = Interaction("search-type", kind, cursor=following.split("_cursor=", 1)[1])


def _about(
    link: HealthLink,
    requester: Requester,
    found: list[dict[str, Any]],
    sources: tuple[Source, ...],
    *,
    is_whole: bool,
) -> About:
    permit = link.consent.current.permit
    nobody: Resource = {"resourceType": "Patient", "id": str(requester.patient_id)}
    left_out = [LeftOut(c, Why.CHOSEN) for c in sorted(CATEGORIES - permit.categories)]
    if not permit.security_labels:  # said of every kind, whether there is a private record or not
        left_out += [LeftOut(c, Why.PRIVATE) for c in sorted(permit.categories)]
    if not is_whole:
        left_out += [LeftOut(c, Why.MISSING) for c in sorted(permit.categories)]
    return About(
        patient=next((one for one in found if one["resourceType"] == "Patient"), nobody),
        sources=sources,
        custodian=settings.CLINIC_NAME,
        made_at=requester.now,
        language=link.made_by.language,
        time_zone=link.made_by.time_zone or settings.TIME_ZONE,
        left_out=tuple(left_out),
    )
