"""The CapabilityStatement, generated from the same allow-list that the gate parses by."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from django.conf import settings

from fhirproxy.models import Source
from fhirproxy.served import COMMON, REFERENCES, REVINCLUDES, SERVED
from fhirproxy.writes import kinds

EVERYTHING_DEFINITION = "http://hl7.org/fhir/OperationDefinition/Patient-everything"
# Kept here and not at the EHR (`fhirproxy.consents`, `.audit_events`, `.people_reads`): on no allow-list of
# the gate.
CONSENT = {
    "type": "Consent",
    "interaction": [
        {"code": code} for code in ("read", "vread", "history-instance", "search-type", "create", "update")
    ],
    "versioning": "versioned-update",
    "readHistory": True,
    "updateCreate": False,
    "conditionalCreate": False,
    "searchParam": [
        {"name": "_id", "type": "token"},
        {"name": "_lastUpdated", "type": "date"},
        {"name": "actor", "type": "reference"},
        {"name": "date", "type": "date"},
        {"name": "patient", "type": "reference"},
        {"name": "status", "type": "token"},
    ],
}
AUDIT_EVENT = {
    "type": "AuditEvent",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "searchParam": [
        {"name": "_id", "type": "token"},
        {"name": "action", "type": "token"},
        {"name": "agent", "type": "reference"},
        {"name": "altid", "type": "token"},
        {"name": "date", "type": "date"},
        {"name": "outcome", "type": "token"},
        {"name": "patient", "type": "reference"},
        {"name": "type", "type": "token"},
    ],
}
READ = [{"code": "read"}]
PERSON = {"type": "Person", "interaction": READ}
# Whoever signed in, and helpers (`fhirproxy.people_reads`), where the EHR has no such type of its own.
PEOPLE: Sequence[dict[str, Any]] = (
    {"type": "Practitioner", "interaction": READ},
    {"type": "PractitionerRole", "interaction": READ},
    {
        "type": "RelatedPerson",
        "interaction": [*READ, {"code": "search-type"}],
        "searchParam": [
            {"name": "_id", "type": "token"},
            {"name": "name", "type": "string"},
            {"name": "patient", "type": "reference"},
        ],
    },
)
# Bulk Data Access 2.0.0, for backend services (`exports.bulk`, which stands above this room).
BULK_DATA = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"
BULK_OPERATION = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
GROUP = {
    "type": "Group",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "searchParam": [{"name": "_id", "type": "token"}, {"name": "name", "type": "string"}],
    "operation": [{"name": "export", "definition": BULK_OPERATION + "group-export"}],
}
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability_statement(source: Source | None = None) -> dict[str, Any]:
    """Of the base of one EHR; of the primary one, which has the consents too, where none is named.

    Only types that the EHR says it has, once it was asked (`fhirproxy.health`).
    """
    if source is None:
        try:
            types = Source.primary().types
        except Source.DoesNotExist:  # nobody has set one up yet
            types = ""
        return _statement(settings.CLINIC_NAME, settings.FHIR_BASE_URL, types, consents=True)
    return _statement(source.name, source.fhir_url, source.types)


@cache
def _statement(name: str, url: str, types: str, *, consents: bool = False) -> dict[str, Any]:
    served = set(types.split())
    resources = [entry for entry in _resources() if not served or entry["type"] in served]
    if served and "Provenance" not in served:
        resources = [{k: v for k, v in entry.items() if k != "searchRevInclude"} for entry in resources]
    resources += [*_kept_here({entry["type"] for entry in resources}), GROUP] if consents else []
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-23",
        "kind": "instance",
        "software": {"name": "Chartkey"},
        "implementation": {"description": name, "url": url},
        "fhirVersion": "4.0.1",
        **({"instantiates": [BULK_DATA]} if consents else {}),
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": _security(),
                "resource": sorted(map(_exported if consents else dict, resources), key=_type_of),
                "interaction": [{"code": "batch"}, {"code": "transaction"}],
                **({"operation": [_export("export")]} if consents else {}),
            }
        ],
    }


def _kept_here(listed: Collection[str]) -> list[dict[str, Any]]:
    """What we keep ourselves; people also where the EHR has no such type."""
    return [AUDIT_EVENT, CONSENT, PERSON, *(entry for entry in PEOPLE if entry["type"] not in listed)]


def _type_of(entry: dict[str, Any]) -> str:
    return str(entry["type"])


def _exported(entry: dict[str, Any]) -> dict[str, Any]:
    if entry["type"] != "Patient":
        return entry
    return entry | {"operation": [*entry["operation"], _export("patient-export")]}


def _export(definition: str) -> dict[str, str]:
    return {"name": "export", "definition": BULK_OPERATION + definition}


def _security() -> dict[str, Any]:
    endpoints = {"authorize": "/o/authorize/", "token": "/o/token/", "revoke": "/o/revoke_token/"}
    coding = {
        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
        "code": "SMART-on-FHIR",
    }
    uris = [{"url": name, "valueUri": settings.BASE_URL + path} for name, path in endpoints.items()]
    return {
        "cors": True,
        "service": [{"coding": [coding]}],
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
    }


def _resources() -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = []
    for name, rule in sorted(SERVED.items()):
        entry: dict[str, Any] = {"type": name, "interaction": [{"code": "read"}]}
        if rule.searchable:
            params = sorted(COMMON - {"_count", "_sort"} | rule.search_params | {rule.patient_param})
            codes = ("vread", "history-instance", "search-type")
            entry["interaction"] += [{"code": code} for code in codes]
            entry["searchParam"] = [{"name": p, "type": _kind(p)} for p in params]
            entry["conditionalRead"] = "full-support"
            entry["interaction"] += [{"code": code} for code in kinds.interactions(name, "client")]
            entry["searchRevInclude"] = sorted(REVINCLUDES)
        if rule.includes:
            entry["searchInclude"] = [f"{name}:{param}" for param in sorted(rule.includes)]
        if name == "Patient":
            entry["operation"] = [{"name": "everything", "definition": EVERYTHING_DEFINITION}]
        resources.append(entry)
    return resources


def _kind(param: str) -> str:
    if param in REFERENCES:
        return "reference"
    dates = {"_lastUpdated", "started", "sent", "effective", "authored", "authoredon", "created"}
    if param in dates or "date" in param or param == "period":
        return "date"
    return "string" if param == "name" else "token"
