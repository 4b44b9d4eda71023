"""References inside resources: those that only a Bundle or a search can make sense of."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fhirstore.definitions import TYPES
from fhirstore.documents import ID, Document
from fhirstore.index import relative
from fhirstore.paths import Path

# Elements of type uri and url that may point at another entry of a Bundle (R4, 3.1.0.11.2).
_LINKS = {"reference", "url", "uri", "valueUri", "valueUrl"}
_CRITERIA = re.compile(r"[A-Z][A-Za-z]+\?.+")


@dataclass(frozen=True, slots=True)
class Links:
    """The links in one resource, at any depth: found once, read and replaced in place."""

    _holders: list[tuple[Document, str]]

    @classmethod
    def of(cls, document: Document) -> "Links":
        holders: list[tuple[Document, str]] = []
        # A Bundle that is kept as a resource is a scope of its own: its links stay as they are.
        stack: list[Any] = [] if document.get("resourceType") == "Bundle" else [document]
        while stack:
            current = stack.pop()
            if isinstance(current, list):
                stack += current
                continue
            if not isinstance(current, dict):
                continue
            for name, value in current.items():
                if isinstance(value, dict | list):
                    stack.append(value)
                elif name in _LINKS and isinstance(value, str):
                    holders.append((current, name))
        return cls(holders)

    def replace(self, targets: Mapping[str, str]) -> None:
        """Put `targets[link]` in the place of each link that is in `targets`."""
        for holder, name in self._holders:
            if (found := targets.get(holder[name])) is not None:
                holder[name] = found

    def _references(self) -> Iterable[str]:
        return (holder[name] for holder, name in self._holders if name == "reference")

    def urns(self) -> set[str]:
        """References that only mean something within a Bundle."""
        return {value for value in self._references() if value.startswith(("urn:uuid:", "urn:oid:"))}

    def criteria(self) -> set[str]:
        """Conditional references, as `Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|123`."""
        return {value for value in self._references() if "?" in value and _CRITERIA.fullmatch(value)}


def targets_of(path: Path, body: str) -> Iterable[tuple[str, str]]:
    """(type, id) of each resource of ours that the references at a path lead to."""
    for node in path(msgspec.json.decode(body)):
        target = node if isinstance(node, str) else node.get("reference", "")
        kind, _, fhir_id = relative(target).partition("/")
        if kind in TYPES and ID.fullmatch(fhir_id):
            yield kind, fhir_id
