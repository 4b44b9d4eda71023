"""The CapabilityStatement, made from the tables that the server works by (R4, 5.1)."""

from functools import cache
from typing import Any

from django.conf import settings

from fhirstore import documents
from fhirstore.definitions import PARAMETERS, Parameter

_COMMON = (("_id", "token"), ("_lastUpdated", "date"))
_RESOURCE_INTERACTIONS = (
    "read", "vread", "update", "delete", "history-instance", "create", "search-type"
)  # fmt: skip
_EVERYTHING = "http://hl7.org/fhir/OperationDefinition/Patient-everything"


@cache
def statement() -> bytes:
    return documents.encode(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-06-01",
            "kind": "instance",
            "software": {"name": "Chartkey fhirstore"},
            "implementation": {"description": "Chartkey's embedded EHR", "url": settings.FHIR_BASE_URL},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [_resource(kind) for kind in PARAMETERS],
                    "interaction": [{"code": "transaction"}, {"code": "batch"}],
                }
            ],
        }
    )


def _resource(kind: str) -> dict[str, Any]:
    parameters = [*_COMMON, *((p.code, p.kind) for p in PARAMETERS[kind].values())]
    includes = [f"{kind}:{p.code}" for p in PARAMETERS[kind].values() if p.kind == "reference"]
    described: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": code} for code in _RESOURCE_INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "not-supported",
    }
    if includes:
        described["searchInclude"] = includes
    if revincludes := _revincludes().get(kind):
        described["searchRevInclude"] = revincludes
    described["searchParam"] = [{"name": code, "type": type_} for code, type_ in parameters]
    if kind == "Patient":
        described["operation"] = [{"name": "everything", "definition": _EVERYTHING}]
    return described


@cache
def _revincludes() -> dict[str, list[str]]:
    """Those whose parameter is named for the type or for any subject: the ones that clients look for."""
    found: dict[str, list[str]] = {}
    for parameters in PARAMETERS.values():
        for parameter in parameters.values():
            for kind in _targets(parameter):
                found.setdefault(kind, []).append(f"{parameter.type}:{parameter.code}")
    return found


def _targets(parameter: Parameter) -> tuple[str, ...]:
    if parameter.kind != "reference":
        return ()
    if parameter.in_patient_compartment or parameter.code in {"patient", "subject"}:
        return ("Patient",)
    return ("Encounter",) if parameter.code == "encounter" else ()
