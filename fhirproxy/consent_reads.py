"""How reads and searches of FHIR Consent are answered, once the gate has let them in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils.http import http_date

from consent import fhir, resources
from consent.contents import contents_of, span
from consent.decision import Access, Decision, Reason, decide
from consent.labels import labels_of
from consent.models import ConsentVersion
from consent.vocabulary import categories_of, codings
from fhirproxy import answers, cursors, release
from fhirproxy.checks import NOTHING, Passed, Seen
from fhirproxy.cursors import Place
from fhirproxy.outcomes import Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FHIR_JSON, FhirResponse

STATUSES = "http://hl7.org/fhir/consent-state-codes"
# FHIR's statuses as ours; the last two are FHIR's and never stand here.
STATUS_OF = {
    "active": ["active"],
    "inactive": ["inactive", "paused"],
    "proposed": ["proposed"],
    "rejected": ["rejected"],
    "draft": [],
    "entered-in-error": [],
}
# Prefixes of a date, against its first and last moment (FHIR R4, 3.1.1.5.4); `ap` is not served.
COMPARED: Mapping[str, Callable[[datetime, datetime], Q]] = {
    "eq": lambda first, last: Q(made_at__gte=first, made_at__lte=last),
    "ne": lambda first, last: ~Q(made_at__gte=first, made_at__lte=last),
    "gt": lambda _, last: Q(made_at__gt=last),
    "ge": lambda first, _: Q(made_at__gte=first),
    "lt": lambda first, _: Q(made_at__lt=first),
    "le": lambda _, last: Q(made_at__lte=last),
    "sa": lambda _, last: Q(made_at__gt=last),
    "eb": lambda first, _: Q(made_at__lt=first),
}
NONE = Q(pk__in=[])


def own_references(call: Call) -> frozenset[str]:
    """What a caller may write for this patient; empty where they are not known in the source."""
    fhir_id = call.patient_id
    return frozenset(f"{before}Patient/{fhir_id}" for before in ("", f"{settings.FHIR_BASE_URL}/") if fhir_id)


def decide_on(call: Call, resource: Mapping[str, Any]) -> Decision:
    """The gate's decision on one Consent of the patient's. It is as private as the topics it speaks of."""
    access = Access(
        call.interaction.code,
        "Consent",
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=categories_of({"resourceType": "Consent"}),
        actors=call.requester.actors,
        security_labels=labels_of(resource, call.codes),
        codings=frozenset(f"{s}|{c}" for s, c in codings(resource.get("category"))),
        contents=contents_of(resource, call.base_url) if call.particular else NOTHING,
    )
    return decide(access, call.authority)


def body_of(call: Call, version: ConsentVersion) -> bytes:
    return json.dumps(resources.out(version, f"Patient/{call.patient_id}")).encode()


def headers_of(version: ConsentVersion) -> dict[str, str]:
    return {"ETag": f'W/"{version.number}"', "Last-Modified": http_date(version.made_at.timestamp())}


def as_uuid(text: str) -> UUID | None:
    """The id of a consent as we write it, and in no other spelling."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def read(call: Call) -> FhirResponse:
    return _one(call, _of_id(call, _standing(call)))


def vread(call: Call) -> FhirResponse:
    return _one(call, _of_id(call, _all(call)).filter(number=int(call.interaction.version)))


def _one(call: Call, versions: QuerySet[ConsentVersion]) -> FhirResponse:
    version = versions.first()
    if version is None:
        raise release.refuse(call, ("record.not-found",), 404)
    seen, decision = _look(call, version)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 404, seen.categories)
    passed = Passed()
    passed.take(seen, decision)
    release.let_out(call, passed)
    return FhirResponse(200, {"Content-Type": FHIR_JSON, **headers_of(version)}, seen.body)


def history(call: Call) -> FhirResponse:
    """All versions, newest first, as far as they may be seen."""
    looked_at = [_look(call, version) for version in _of_id(call, _all(call))]
    allowed = [(seen, decision) for seen, decision in looked_at if decision.permitted]
    if not allowed:
        reasons = looked_at[0][1].reasons if looked_at else ("record.not-found",)
        raise release.refuse(call, reasons, 404)
    passed = Passed(withheld=len(looked_at) - len(allowed))
    passed.take(*allowed[0])
    release.let_out(call, passed, count=len(allowed))
    return answers.history(call.interaction, allowed)


def search(call: Call) -> FhirResponse:
    """Newest first, without a total; no page is shorter for what is left out: that must not be countable."""
    asked, place = call.interaction, Place(("Consent",), None, count=call.interaction.count)
    if asked.cursor:
        opened = cursors.unseal(asked.cursor, call.requester, asked)
        if opened is None:
            raise release.refuse(call, ("cursor.invalid",), 400)
        asked, place = opened
        call = replace(call, interaction=asked)
    own = own_references(call)
    if not own or any(n == "patient" and v not in {*own, call.patient_id} for n, v in asked.params):
        release.refuse(call, (Reason.NOT_YOURS,), 404)
        return answers.searchset(asked, Passed(), "")
    passed, after = _page(call, place)
    cursor = cursors.seal(replace(place, after=after), call.requester, asked) if after else ""
    release.let_out(call, passed)
    return answers.searchset(asked, passed, cursor)


def _page(call: Call, place: Place) -> tuple[Passed, str]:
    """A page of what may be seen, and the last on it if there is more that may be seen."""
    versions = _standing(call).filter(*(condition(n, v) for n, v in call.interaction.params if n in FILTERS))
    passed, last, after = Passed(), place.after, ""
    while chunk := list(_after(versions, last)[: place.count + 1]):
        for version in chunk:
            seen, decision = _look(call, version)
            if decision.permitted and len(passed.matches) == place.count:
                return passed, after
            passed.take(seen, decision)
            last = f"{version.made_at.isoformat()}|{version.consent_id}"
            after = last if decision.permitted else after
    return passed, ""


def _look(call: Call, version: ConsentVersion) -> tuple[Seen, Decision]:
    resource = version.as_fhir()
    seen = Seen(body_of(call, version), resource, labels_of(resource, call.codes), categories_of(resource))
    return seen, decide_on(call, resource)


def _all(call: Call) -> QuerySet[ConsentVersion]:
    """The patient's own, and nobody's where this source does not know them."""
    patient_id = call.requester.patient_id if call.patient_id else None
    return ConsentVersion.objects.filter(consent__patient=patient_id).order_by("-number")


def _standing(call: Call) -> QuerySet[ConsentVersion]:
    """The version of each consent that stands now."""
    return _all(call).filter(number=F("consent__current_number")).order_by("-made_at", "-consent_id")


def _of_id(call: Call, versions: QuerySet[ConsentVersion]) -> QuerySet[ConsentVersion]:
    return versions.filter(consent=as_uuid(call.interaction.id))


def _after(versions: QuerySet[ConsentVersion], last: str) -> QuerySet[ConsentVersion]:
    if not last:
        return versions
    moment, _, consent_id = last.partition("|")
    at = datetime.fromisoformat(moment)
    return versions.filter(Q(made_at__lt=at) | Q(made_at=at, consent_id__lt=consent_id))


def condition(name: str, value: str) -> Q:
    """One search parameter: any of the values between its commas. Raises Refusal for one that is none."""
    found = NONE
    for part in value.split(","):
        found |= FILTERS[name](part)
    return found


def _by_status(value: str) -> Q:
    system, _, code = value.rpartition("|")
    if system not in ("", STATUSES) or code not in STATUS_OF:
        raise Refusal(400, f"status takes codes of {STATUSES}.")
    return Q(status__in=STATUS_OF[code])


def _by_date(value: str) -> Q:
    prefix, text = (value[:2], value[2:]) if value[:2] in COMPARED else ("eq", value)
    try:
        return COMPARED[prefix](*span(text))
    except (ValueError, TypeError, OverflowError):
        raise Refusal(400, "Write dates as ge2026-05-03 or lt2026-05-03T14:23:00Z.") from None


def _by_actor(value: str) -> Q:
    return Q(provisions__contains=[{"actors": [value]}])


def _by_client(value: str) -> Q:
    system, _, client_id = value.rpartition("|")
    return _by_actor(f"Client/{client_id}") if system == fhir.CLIENT_ID else NONE


FILTERS: Mapping[str, Callable[[str], Q]] = {
    "_id": lambda value: Q(consent=as_uuid(value)),
    "_lastUpdated": _by_date,
    "actor": _by_actor,
    "actor:identifier": _by_client,
    "date": _by_date,
    "status": _by_status,
}
