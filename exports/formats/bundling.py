"""A Bundle while it is put together: each record once, under its own urn:uuid, references inside."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from exports.formats.about import Resource
from exports.formats.held import HOLDS, Format, Held
from exports.formats.records import OWNERS, Records, type_and_id
from fhirproxy.reading import text

ENCODER = msgspec.json.Encoder(decimal_format="number")  # decimals as they were sent


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    resource: dict[str, Any]
    source: str = ""  # the uri of the Source; "" for what this file adds

    @property
    def url(self) -> str:
        return f"urn:uuid:{self.id}"


def reference(entry: Entry) -> dict[str, str]:
    return {"reference": entry.url}


class Bundle:
    """Ids are made out of source, type and id, so that they stay the same from one file to the next."""

    def __init__(self, records: Records, patient: Mapping[str, Any]) -> None:
        self.records = records
        self._found: dict[str, Entry] = {}
        self._own: dict[str, Entry] = {}
        self._waiting: list[tuple[Entry, Resource, Resource]] = []
        self.patient = self.add(records.about.patient, patient)

    def add(self, resource: Resource, changed: Resource | None = None) -> Entry:
        """A record, `changed` where a profile asks for more than it has. What it refers to comes too."""
        kind, found, source = self.records.key(resource)
        id = str(uuid5(NAMESPACE_URL, f"{source}/{kind}/{found}"))
        if id in self._found:
            return self._found[id]
        entry = self._found[id] = Entry(id, {"resourceType": kind, "id": id}, source)
        self._waiting.append((entry, resource, changed or resource))
        return entry

    def add_own(self, kind: str, name: str, elements: Mapping[str, Any]) -> Entry:
        """What this file itself has to say."""
        patient = self.patient.id
        id = str(uuid5(NAMESPACE_URL, f"chartkey/{patient}/{kind}/{name}"))
        entry = Entry(id, {"resourceType": kind, "id": id, **elements})
        return self._own.setdefault(id, entry)

    def entries(self) -> list[Entry]:
        """All so far: the patient first, then what the file adds, then records by type and id."""
        while self._waiting:  # by a list, not by recursion: records may refer to each other in long chains
            entry, holder, elements = self._waiting.pop()
            # The source's own narrative may say more than what was let out; each section has a text.
            kept_elements = {k: v for k, v in elements.items() if k not in ("resourceType", "id", "text")}
            entry.resource.update({k: self._inside(holder, v, k) for k, v in kept_elements.items()})
        kept = [entry for entry in self._found.values() if entry is not self.patient]
        kept.sort(key=lambda entry: (entry.resource["resourceType"], entry.id))
        return [self.patient, *self._own.values(), *kept]

    def id_of_all(self, entries: Iterable[Entry]) -> str:
        content = ENCODER.encode([entry.resource for entry in entries])
        return str(uuid5(NAMESPACE_URL, hashlib.sha256(content).hexdigest()))

    def _inside(self, holder: Resource, node: Any, key: str) -> Any:
        """The same, with each Reference pointing into the Bundle."""
        if isinstance(node, list):
            return [self._inside(holder, item, key) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("reference"), str):
            return self._pointing(holder, node, key)
        return {k: self._inside(holder, v, k) for k, v in node.items()}

    def _pointing(self, holder: Resource, node: dict[str, Any], key: str) -> dict[str, Any]:
        address = node["reference"]
        if address.startswith("#"):
            return node
        kind = type_and_id(address)[0] or text(node, "type")
        found = self.records.find(holder, node)
        if found is not None and HOLDS[Format.IPS].get(kind) not in (Held.WHOLE, Held.ALONG):
            found = None
        if kind == "Patient" and (key in OWNERS or found is not None):
            return {**node, "reference": self.patient.url}  # a Patient among the records is the same person
        if found is not None:
            return {**node, "reference": self.add(found).url}
        rest = {k: v for k, v in node.items() if k != "reference"}
        # Not in this file, and never an address that leads nowhere: its name, else what kind of thing it is.
        return rest or {"type": kind or "Resource"}
