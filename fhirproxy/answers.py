"""What leaves: resources with what must be left out left out, and the Bundles they stand in."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from django.conf import settings

from consent.decision import Decision
from consent.vocabulary import ACT_CODE, CONFIDENTIALITY, Mark
from fhirproxy.checks import Passed, Seen
from fhirproxy.interactions import EVERYTHING, Interaction
from fhirproxy.upstream import FHIR_JSON, FhirResponse

ALWAYS = frozenset({"resourceType", "id", "meta"})
# Elements that most types must have, and apps choke without (FHIR R4, 3.1.1.5.9: mandatory ones stay).
MANDATORY = frozenset(
    {"status", "intent", "code", "subject", "patient", "class", "type", "target", "recorded"}
)
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
Raw = dict[str, msgspec.Raw]


def left_out(seen: Seen, decision: Decision) -> frozenset[str]:
    """The elements to leave out that a resource of this type can have, it or what is contained in it."""
    contained = seen.resource.get("contained")
    inside = contained if isinstance(contained, list) else []
    kinds = {seen.type, *(part.get("resourceType") for part in inside if isinstance(part, dict))}
    return frozenset(element for element in decision.redact if element.partition(".")[0] in kinds)


def is_whole(asked: Interaction, seen: Seen, decision: Decision) -> bool:
    """Whether it leaves as the EHR sent it."""
    return not asked.elements and not left_out(seen, decision)


def body_of(asked: Interaction, seen: Seen, decision: Decision) -> bytes:
    """The bytes that the EHR sent; where elements are left out, the rest of them, marked as SUBSETTED."""
    if is_whole(asked, seen, decision):
        return seen.body
    resource = msgspec.json.decode(seen.body, type=Raw)
    kept = asked.elements | ALWAYS | MANDATORY if asked.elements else frozenset(resource)
    resource = {name: raw for name, raw in resource.items() if name.lstrip("_") in kept}
    if redacted := left_out(seen, decision):
        # A narrative says in words what the elements say.
        resource = _without(resource, seen.type, redacted | {f"{seen.type}.text"})
        if "contained" in resource:
            resource["contained"] = msgspec.Raw(_contained(resource["contained"], redacted))
    meta = msgspec.json.decode(resource["meta"]) if "meta" in resource else {}
    meta["tag"] = [*meta.get("tag", []), SUBSETTED]
    resource["meta"] = msgspec.Raw(msgspec.json.encode(meta))
    return msgspec.json.encode(resource)


def _without(resource: Raw, kind: str, redacted: Collection[str]) -> Raw:
    return {name: raw for name, raw in resource.items() if f"{kind}.{name.lstrip('_')}" not in redacted}


def _contained(raw: msgspec.Raw, redacted: Collection[str]) -> bytes:
    parts = msgspec.json.decode(raw, type=list[Raw])
    kinds = [msgspec.json.decode(part.get("resourceType", b'""')) for part in parts]
    return msgspec.json.encode([_without(p, kind, redacted) for p, kind in zip(parts, kinds, strict=True)])


def searchset(
    asked: Interaction, passed: Passed, cursor: str, base: str = "", *, in_part: str = ""
) -> FhirResponse:
    """A searchset without `total`: what was left out must not be countable.

    `base` is our own address of the source (`Source.fhir_url`); the primary one's, where it is not said.
    `in_part` is the name of an EHR that says that its answer is not all: apps are told, in our words.
    """
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if security := _security(passed):
        bundle["meta"] = {"security": security}
    if cursor:
        path = asked.resource_type if asked.code != EVERYTHING else f"Patient/{asked.id}/$everything"
        bundle["link"] = [
            {"relation": "next", "url": f"{base or settings.FHIR_BASE_URL}/{path}?_cursor={cursor}"}
        ]
    entries = [
        *(_entry(asked, *pair, base, mode="match") for pair in passed.matches.values()),
        *(_entry(asked, *pair, base, mode="include") for pair in passed.included.values()),
    ]
    if in_part:
        entries.append({"resource": _incomplete(in_part), "search": {"mode": "outcome"}})
    return _bundle(bundle, entries)


def _incomplete(name: str) -> dict[str, Any]:
    """FHIR R4, 3.1.1.4.3. Nothing of what the EHR said: it could be about what must not leave."""
    words = f"{name} did not give all that was asked for. Something may be missing here."
    issue = {"severity": "warning", "code": "incomplete", "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def history(asked: Interaction, versions: Iterable[tuple[Seen, Decision]], base: str = "") -> FhirResponse:
    """A history Bundle (FHIR R4, 3.1.0.11), newest first."""
    entries = []
    for seen, decision in versions:
        meta = seen.resource.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        etag = f'W/"{meta.get("versionId", "")}"'
        # An ETag names the resource as the EHR has it, and what is left of it is another.
        etag = etag if is_whole(asked, seen, decision) else ""
        response = {"status": "200", "etag": etag, "lastModified": meta.get("lastUpdated")}
        entry = _entry(asked, seen, decision, base)
        entry["request"] = {"method": "PUT", "url": seen.reference}
        entry["response"] = {name: value for name, value in response.items() if value}
        entries.append(entry)
    return _bundle({"resourceType": "Bundle", "type": "history"}, entries)


def _entry(asked: Interaction, seen: Seen, decision: Decision, base: str, mode: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {
        "fullUrl": f"{base or settings.FHIR_BASE_URL}/{seen.reference}",
        "resource": msgspec.Raw(body_of(asked, seen, decision)),
    }
    return entry | {"search": {"mode": mode}} if mode else entry


def _bundle(bundle: dict[str, Any], entries: list[dict[str, Any]]) -> FhirResponse:
    if entries:
        bundle["entry"] = entries
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, msgspec.json.encode(bundle))


def _security(passed: Passed) -> list[dict[str, str]]:
    """The high-water mark of what is inside (HL7 DS4P), and the notice of 42 CFR 2.32 where it holds."""
    security = []
    if passed.labels:
        security.append({"system": CONFIDENTIALITY, "code": "R"})
    if Mark.PART_2 in passed.marks:
        security += [{"system": ACT_CODE, "code": Mark.PART_2}, {"system": ACT_CODE, "code": "NORDSCLCD"}]
    return security
