"""References inside resources: those that only a Bundle or a search can make sense of."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fhirstore.documents import Document

# Elements of type uri and url that may point at another entry of a Bundle (R4, 3.1.0.11.2).
_LINKS = {"reference", "url", "uri", "valueUri", "valueUrl"}
_CRITERIA = re.compile(r"[A-Z][A-Za-z]+\?.+")


def _links(node: Any) -> Iterable[tuple[Document, str, str]]:
    """(object, property, value) of every link at any depth."""
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(current)
        elif isinstance(current, dict):
            for name, value in current.items():
                if isinstance(value, str):
                    if name in _LINKS:
                        yield current, name, value
                elif isinstance(value, dict | list):
                    stack.append(value)


def replace(document: Document, targets: Mapping[str, str]) -> None:
    """Put `targets[link]` in the place of each link that is in `targets`."""
    for holder, name, value in list(_links(document)):
        if value in targets:
            holder[name] = targets[value]


def urns(document: Document) -> set[str]:
    """References that only mean something within a Bundle."""
    return {
        value
        for _, name, value in _links(document)
        if name == "reference" and value.startswith(("urn:uuid:", "urn:oid:"))
    }


def criteria(document: Document) -> set[str]:
    """Conditional references, as `Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|123`."""
    return {
        value for _, name, value in _links(document) if name == "reference" and _CRITERIA.fullmatch(value)
    }
