"""What an app must know of each FHIR base before it asks: whose it is, where it is, and who lets it in.

SMART App Launch 2.2, "User-access Brands and Endpoints"; RFC 9728.
"""

import hashlib
import json
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from accounts.models import Patient
from fhirproxy.messages import FHIR_JSON
from fhirproxy.models import Source
from fhirproxy.views import answering, named
from smart.views import discovery

PROFILE = "http://hl7.org/fhir/smart-app-launch/StructureDefinition/user-access-"
EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
TERMS = "http://terminology.hl7.org/CodeSystem/"
CATEGORIES = "http://hl7.org/fhir/smart-app-launch/CodeSystem/user-access-category"
PATH = "/.well-known/user-access-brands.json"
Resource = dict[str, Any]


@require_safe
def bundle(request: HttpRequest) -> HttpResponse:
    """The brands of all EHRs, for everybody; 304 where the app has them already."""
    entries = _entries(list(Source.objects.order_by("-is_primary", "slug")))
    digest = hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:32]
    etag = f'W/"{digest}"'
    headers = {**discovery.CACHED, "ETag": etag}
    if etag in request.headers.get("If-None-Match", "").replace(" ", "").split(","):
        return HttpResponse(status=304, headers=headers)
    body = {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{PROFILE}brands-bundle"]},
        "type": "collection",
        "timestamp": _changed_at(digest),
        "entry": entries,
    }
    return HttpResponse(json.dumps(body), content_type=FHIR_JSON, headers=headers)


@require_safe
@answering
def smart_configuration(request: HttpRequest, source: str = "") -> HttpResponse:
    """Tokens are given in one place; which brand it is, each base says for itself."""
    brand = {
        "user_access_brand_bundle": settings.BASE_URL + PATH,
        "user_access_brand_identifier": _identifier(named(source)),
    }
    return cast("HttpResponse", discovery.smart_configuration(request, brand))


@require_safe
@answering
def protected_resource(request: HttpRequest, source: str) -> HttpResponse:
    """RFC 9728, 3.1: the metadata of one EHR's base."""
    found = named(source)
    base = f"{settings.BASE_URL}/fhir/{found.slug}/r4" if found else ""
    return cast("HttpResponse", discovery.protected_resource(request, base))


def is_base(url: str) -> bool:
    """Whether an app may name this as its audience (SMART 2.2, `aud`)."""
    return url == settings.FHIR_BASE_URL or _source_at(url) is not None


def patient_at(patient: Patient, url: str) -> str:
    """The patient's id at one of our bases; empty where they have no record there."""
    source = _source_at(url) or Source.primary()
    return patient.identities.filter(source=source.slug).values_list("fhir_id", flat=True).first() or ""


def _source_at(url: str) -> Source | None:
    slug = url.removeprefix(f"{settings.BASE_URL}/fhir/").removesuffix("/r4")
    found = Source.objects.filter(slug=slug).first()
    return found if found and url == f"{settings.BASE_URL}/fhir/{slug}/r4" else None


def _entries(sources: list[Source]) -> list[Resource]:
    """The primary brand leads to every endpoint; each other EHR is a brand below it."""
    primary = next((source for source in sources if source.is_primary), None)
    resources = [_organization(source, primary, sources) for source in sources]
    resources += [_endpoint(source) for source in sources]
    return [
        {"fullUrl": f"{settings.FHIR_BASE_URL}/{each['resourceType']}/{each['id']}", "resource": each}
        for each in resources
    ]


def _organization(source: Source, primary: Source | None, all_sources: list[Source]) -> Resource:
    own = all_sources if source == primary else [source]
    endpoints = [{"reference": f"Endpoint/{each.slug}"} for each in own]
    portal = [
        {"url": "portalName", "valueString": settings.CLINIC_NAME},
        {"url": "portalUrl", "valueUrl": f"{settings.BASE_URL}/"},
        *({"url": "portalEndpoint", "valueReference": each} for each in endpoints),
    ]
    # Nobody told us where other clinics have their public pages, and that is said (SMART 2.2).
    unknown = {"extension": [{"url": f"{EXTENSION}data-absent-reason", "valueCode": "asked-unknown"}]}
    website = {"value": _website()} if source == primary else {"_value": unknown}
    organization = {
        "resourceType": "Organization",
        "id": source.slug,
        "meta": {"profile": [f"{PROFILE}brand"]},
        "extension": [{"url": f"{EXTENSION}organization-portal", "extension": portal}],
        "identifier": [_identifier(source)],
        "active": True,
        "type": [{"coding": [{"system": CATEGORIES, "code": "clinical"}]}],
        "name": source.name,
        "telecom": [{"system": "url", **website}],
        "endpoint": endpoints,
    }
    below = {"partOf": {"reference": f"Organization/{primary.slug}"}} if primary and source != primary else {}
    return organization | below


def _endpoint(source: Source) -> Resource:
    return {
        "resourceType": "Endpoint",
        "id": source.slug,
        "meta": {"profile": [f"{PROFILE}endpoint"]},
        "extension": [{"url": f"{EXTENSION}endpoint-fhir-version", "valueCode": "4.0.1"}],
        "status": "active",
        "connectionType": {"system": f"{TERMS}endpoint-connection-type", "code": "hl7-fhir-rest"},
        "name": f"FHIR R4: {source.name}",
        "contact": [{"system": "url", "value": f"{settings.BASE_URL}/help/"}],
        "payloadType": [{"coding": [{"system": f"{TERMS}endpoint-payload-type", "code": "none"}]}],
        "address": source.fhir_url,
    }


def _identifier(source: Source | None) -> dict[str, str]:
    """Ours alone: the address by which people know the primary brand, and each other one's base."""
    return {
        "system": "urn:ietf:rfc:3986",
        "value": _website() if source is None or source.is_primary else source.fhir_url,
    }


def _website() -> str:
    """Of the clinic whose portal this is: apps put brands of many lists together by it (SMART 2.2)."""
    return settings.CLINIC_WEBSITE or settings.BASE_URL


def _changed_at(digest: str) -> str:
    """When we first said this. Rows of EHRs have no time of their own."""
    now = timezone.now().isoformat(timespec="seconds")
    try:
        return str(cache.get_or_set(f"brands:{digest}", now, timeout=None))
    except RedisError:
        return now
