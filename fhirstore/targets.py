"""What the structure of R4 says of a search parameter: types it refers to, code systems it implies."""

import re
from functools import cache

from fhirstore.definitions import TYPES, Parameter
from fhirstore.shapes import CODES, ElementType, element_at

_RESOLVED = re.compile(r"\.where\(resolve\(\) is (\w+)\)$")
_CAST = re.compile(r"\(?([\w.]+) as Reference\)?")


@cache
def target_types(parameter: Parameter) -> frozenset[str]:
    """The resource types that a reference parameter can lead to; all where the standard says any."""
    found: set[str] = set()
    for branch in parameter.expression.split(" | "):
        if resolved := _RESOLVED.search(branch):
            found.add(resolved[1])
            continue
        cast = _CAST.fullmatch(branch)
        for each in _types(parameter.type, cast[1] if cast else branch):
            found |= each.targets or (TYPES.keys() if each.name == "Reference" else set())
    return frozenset(found) & TYPES.keys()


@cache
def implied_systems(parameter: Parameter) -> frozenset[str]:
    """The code systems that elements of type `code` mean without saying so: `status`, `gender`, `intent`."""
    found: set[str] = set()
    for branch in parameter.expression.split(" | "):
        for each in _types(parameter.type, branch):
            if each.name == "code" and each.value_set:
                found |= CODES[each.value_set].keys()
    return frozenset(found)


def _types(kind: str, path: str) -> tuple[ElementType, ...]:
    element = element_at(kind, path)
    return element.types if element else ()
