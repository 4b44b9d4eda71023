"""How much of a resource is shown: `_elements` and `_summary` (R4, 3.1.1.5.8 and 3.1.1.5.9)."""

from functools import cache

from fhirstore import documents
from fhirstore.shapes import elements, mandatory_elements, summary_elements

SUMMARIES = ("true", "text", "data", "count", "false")

_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})


def subset(kind: str, body: str, wanted: frozenset[str], summary: str) -> documents.Document:
    """What was asked for, with what must be there, tagged SUBSETTED. The values are as they were."""
    document = documents.parse(body.encode())
    if summary == "data":
        kept = {name: value for name, value in document.items() if name != "text"}
    else:
        shown = _ALWAYS | mandatory_elements(kind) | _chosen(kind, wanted, summary)
        kept = {name: value for name, value in document.items() if name.removeprefix("_") in shown}
    kept["meta"] = {**kept["meta"], "tag": [*kept["meta"].get("tag", []), _SUBSETTED]}
    return kept


def _chosen(kind: str, wanted: frozenset[str], summary: str) -> frozenset[str]:
    chosen: frozenset[str] = frozenset()
    if summary == "true":
        chosen |= summary_elements(kind)
    if summary == "text":
        chosen |= {"text"}
    return chosen | _properties(kind, wanted) if wanted else chosen


@cache
def _properties(kind: str, wanted: frozenset[str]) -> frozenset[str]:
    """Top-level JSON properties of the elements named: `value` is any of `valueQuantity` and so on."""
    names = {each.removeprefix(f"{kind}.").partition(".")[0].removesuffix("[x]") for each in wanted}
    found = (each for each in elements(kind) if each.name in names)
    return frozenset(names).union(*(each.properties() for each in found))
