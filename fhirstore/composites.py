"""Composite search parameters (R4, 3.1.1.4.6): a code and a value that belong together.

Those of Observation. In the resource itself there is one code and one value, so the two parameters are
asked for at once; in its components, pairs are indexed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhirstore import terms
from fhirstore.documents import Document

CODE, CONCEPT = "Observation.component-code", "Observation.component-value-concept"
QUANTITY = "Observation.component-code-value-quantity"


@dataclass(frozen=True, slots=True)
class Composite:
    code: str
    value: str  # the parameter that has the value
    kind: str
    of_resource: bool
    of_component: bool


def _observation() -> Mapping[str, Composite]:
    values = (("quantity", "quantity"), ("concept", "token"), ("string", "string"), ("date", "date"))
    found = {f"code-value-{name}": (name, kind, True, False) for name, kind in values}
    found |= {f"combo-code-value-{name}": (name, kind, True, True) for name, kind in values[:2]}
    found |= {f"component-code-value-{name}": (name, kind, False, True) for name, kind in values[:2]}
    return {
        code: Composite(code, f"value-{name}", kind, of_resource, of_component)
        for code, (name, kind, of_resource, of_component) in found.items()
    }


# resource type -> code -> Composite
COMPOSITES: Mapping[str, Mapping[str, Composite]] = {"Observation": _observation()}


def component_param(composite: Composite, code_term: int) -> str:
    """The name under which quantities of components with this code are kept."""
    return f"{QUANTITY} {code_term}"


def pairs(
    document: Document, tokens: Callable[[str, Any], set[int]]
) -> Iterator[tuple[list[str], set[int], dict[str, Any]]]:
    """For each component: names for its quantity, terms for its coded value, and the component.
    `tokens(param, node)` gives the terms of a coded node."""
    for component in document.get("component", ()):
        codes = tokens(CODE, component.get("code", {}))
        concept = component.get("valueCodeableConcept")
        concepts = tokens(CONCEPT, concept) if concept else set()
        names = [f"{QUANTITY} {code}" for code in sorted(codes)]
        yield names, {terms.pair(code, value) for code in codes for value in concepts}, component
