"""Attachments put into the documents that point to them, for files that leave as a whole.

Whoever has a file has no session with the EHR, and a link to a Binary there would open nothing. What may not
be read through its document (`fhirproxy.reached`) loses its link.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from fhirproxy import asking
from fhirproxy.checks import see
from fhirproxy.compartment import relative
from fhirproxy.interactions import FHIR_ID, Interaction
from fhirproxy.reached import decide_reached
from fhirproxy.release import Call

# Element of a type → the member in which its attachment stands; empty: it is one itself (FHIR R4).
PLACES: Mapping[str, tuple[str, str]] = {
    "DocumentReference": ("content", "attachment"),
    "DiagnosticReport": ("presentedForm", ""),
}


def attachments(call: Call, kind: str, body: bytes) -> bytes:
    """The resource with the data of its attachments. Raises EhrFailure where the EHR does not answer."""
    if kind not in PLACES:
        return body
    element, inner = PLACES[kind]
    resource = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if element not in resource:
        return body
    found = msgspec.json.decode(resource[element])
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    changed = False
    for entry in entries:
        attachment = entry.get(inner) if inner else entry
        changed |= isinstance(attachment, dict) and _inlined(call, attachment)
    if not changed:
        return body
    resource[element] = msgspec.Raw(msgspec.json.encode(found))
    return msgspec.json.encode(resource)


def _inlined(call: Call, attachment: dict[str, Any]) -> bool:
    """Whether it was changed. A link to another server stays as it is."""
    kind, _, binary_id = relative(str(attachment.get("url", "")), call.base_url).partition("/")
    if kind != "Binary" or not FHIR_ID.match(binary_id):
        return False
    del attachment["url"]
    binary = None if "data" in attachment else _binary(call, binary_id)
    if binary and isinstance(binary.get("data"), str):
        attachment["data"] = binary["data"]
        attachment.setdefault("contentType", binary.get("contentType", "application/octet-stream"))
    return True


def _binary(call: Call, binary_id: str) -> Mapping[str, Any] | None:
    """None for one that is not there, or may not be seen."""
    answer = asking.ask(call.source, f"Binary/{binary_id}")
    if answer.status >= 500:
        raise asking.failed(call.source, answer)
    if answer.status != 200:
        return None
    (seen,) = see(call, [answer.body])
    if seen.type != "Binary" or seen.id != binary_id:
        return None
    seen, decision = decide_reached(replace(call, interaction=Interaction("read", "Binary", binary_id)), seen)
    return seen.resource if decision.permitted else None
