"""The CapabilityStatement, made from the tables that the server works by (R4, 5.1)."""

from functools import cache
from typing import Any

from django.conf import settings

from fhirstore import documents
from fhirstore.composites import COMPOSITES
from fhirstore.definitions import COMPARTMENT, PARAMETERS, Parameter
from fhirstore.targets import target_types

_COMMON = (("_id", "token"), ("_lastUpdated", "date"))
_RESOURCE_INTERACTIONS = (
    "read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"
)  # fmt: skip
_OPERATIONS = {
    "Patient": ("everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"),
    "DocumentReference": ("docref", "http://hl7.org/fhir/us/core/OperationDefinition/docref"),
}
# Search parameter type -> modifiers. Composites, _id and _lastUpdated take none.
MODIFIERS = {
    "token": ("not", "missing"),
    "string": ("exact", "contains", "missing"),
    "date": ("missing",),
    "reference": ("[type]", "identifier", "missing"),
    "quantity": ("missing",),
    "number": ("missing",),
    "uri": ("missing",),
}
_SEARCHES = """
Every search parameter takes lists (or) and repetition (and). Dates, quantities and numbers take the prefixes
eq, ne, gt, lt, ge, le, sa, eb and ap; _lastUpdated does not take ap. Chains and _has go one level, _include
and _revinclude too. _sort takes _id, _lastUpdated and parameters that are dates or strings.
An unknown parameter is refused, or with Prefer: handling=lenient ignored.

Modifiers, by the type of the parameter; identifier takes :of-type too; composites, _id and _lastUpdated
take none:

{modifiers}

:contains is answered only where another parameter narrows the search, as patient, _id, identifier, a code
or the start of a name; alone it is refused as too costly.
"""
_PATIENT = "http://hl7.org/fhir/CompartmentDefinition/patient"
MAX_REVINCLUDE_TARGETS = 20  # a parameter that leads anywhere is named by Provenance:target alone


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
                    "documentation": _searches(),
                    "resource": [_resource(kind) for kind in PARAMETERS],
                    "interaction": [{"code": "transaction"}, {"code": "batch"}],
                    "compartment": [_PATIENT],
                }
            ],
        }
    )


def _searches() -> str:
    listed = (f"- {kind}: {', '.join(f':{each}' for each in names)}" for kind, names in MODIFIERS.items())
    return _SEARCHES.format(modifiers="\n".join(listed)).strip()


def _resource(kind: str) -> dict[str, Any]:
    parameters = [*_COMMON, *((p.code, p.kind) for p in PARAMETERS[kind].values())]
    parameters += [(code, "composite") for code in COMPOSITES.get(kind, ())]
    includes = [f"{kind}:{p.code}" for p in PARAMETERS[kind].values() if target_types_of(p)]
    described: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": code} for code in _RESOURCE_INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "referencePolicy": ["literal", "local"],
    }
    if kind in COMPARTMENT:
        described["documentation"] = f"Also within the compartment of a patient: Patient/[id]/{kind}."
    if includes:
        described["searchInclude"] = includes
    if revincludes := _revincludes().get(kind):
        described["searchRevInclude"] = revincludes
    described["searchParam"] = [{"name": code, "type": type_} for code, type_ in parameters]
    if kind in _OPERATIONS:
        name, definition = _OPERATIONS[kind]
        described["operation"] = [{"name": name, "definition": definition}]
    return described


def target_types_of(parameter: Parameter) -> frozenset[str]:
    """Empty where the parameter is no reference to a resource: a canonical is not followed."""
    return target_types(parameter) if parameter.kind == "reference" else frozenset()


@cache
def _revincludes() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for parameters in PARAMETERS.values():
        for parameter in parameters.values():
            targets = target_types_of(parameter)
            if len(targets) <= MAX_REVINCLUDE_TARGETS or parameter.name == "Provenance.target":
                for kind in targets:
                    found.setdefault(kind, []).append(f"{parameter.type}:{parameter.code}")
    return found
