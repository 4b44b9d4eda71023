"""Is a proposed resource one that may be proposed at all? Its structure, whose it is, and what it claims."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

from consent.vocabulary import LOINC
from fhirproxy import asking, reading
from fhirproxy.checks import is_mine
from fhirproxy.compartment import relative
from fhirproxy.interactions import FHIR_ID
from fhirproxy.release import Call
from fhirproxy.served import SERVED
from fhirproxy.writes import bodies
from fhirproxy.writes.differences import between
from fhirproxy.writes.kinds import Kind, OnConflict, measures

UCUM = "http://unitsofmeasure.org"
IDENTIFIER = "https://chartkey.example/fhir/write-command"  # the command's id, wherever it is written
OURS = {"versionId", "lastUpdated", "source"}  # of meta: the EHR says them
INSIDE = frozenset({"Device", "Medication", "Organization", "Location"})  # what may be contained
EARLY = timedelta(minutes=10)  # that a clock may be ahead
MOST_REFERENCES = 20
WHEN = ("effectiveDateTime", "sent", "authored", "dateAsserted", "recordedDate", "date", "issued")
STARTS = {  # what a file of this kind begins with
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "application/pdf": b"%PDF-",
    "text/plain": b"",
}
Check = Callable[[bytes], Iterable[tuple[str, str, str]]]
Nodes = list[tuple[str, dict[str, Any]]]  # (FHIRPath, object)


class Wrong(NamedTuple):
    """One thing that is wrong: FHIR IssueType, what to say of it, FHIRPath."""

    code: str
    text: str
    expression: str = ""


class InvalidResource(ValueError):
    """The proposed resource is no FHIR, or says what it may not. `wrong` has all of it."""

    def __init__(self, *wrong: Wrong, status: int = 422) -> None:
        super().__init__(" ".join(f"{w.expression}: {w.text}".removeprefix(": ") for w in wrong[:3]))
        self.wrong = wrong
        self.status = status  # 403 where it is somebody else's


def plain(resource: Mapping[str, Any], interaction: str) -> tuple[bodies.Resource, list[str]]:
    """(the resource without what is not the author's to say, codes of what was changed)."""
    clean, changed = dict(resource), []
    if interaction == "create" and "id" in clean:
        del clean["id"]
        changed.append("id-left-out")
    if "text" in clean:  # it says the same again, in HTML of somebody else
        del clean["text"]
        changed.append("narrative-left-out")
    meta = clean.get("meta")
    if isinstance(meta, dict) and OURS & set(meta):
        kept = {name: value for name, value in meta.items() if name not in OURS}
        clean = clean | {"meta": kept} if kept else {k: v for k, v in clean.items() if k != "meta"}
        changed.append("meta-left-out")
    return clean, changed


def unmarked(resource: Mapping[str, Any]) -> bodies.Resource:
    """Without the ids of commands that wrote it: they say nothing of the patient."""
    found = resource.get("identifier")
    if not isinstance(found, list):
        return dict(resource)
    others = [each for each in found if not isinstance(each, dict) or each.get("system") != IDENTIFIER]
    rest = {name: value for name, value in resource.items() if name != "identifier"}
    return rest | {"identifier": others} if others else rest


def check(call: Call, kind: Kind, resource: bodies.Resource, base: Mapping[str, Any] | None = None) -> None:
    """Raises InvalidResource with all that is wrong; EhrFailure where a reference cannot be looked up.

    `base` is what an update was made from: what the chart says already is not its author's to answer for.
    """
    body = bodies.dump(resource)
    if len(body) > kind.largest:
        raise InvalidResource(Wrong("too-long", f"At most {kind.largest} bytes of it are taken."), status=413)
    structure: Check = import_string(settings.FHIRSTORE_CHECK)
    _raise(Wrong(code, text, path) for path, code, text in structure(body))
    known = {bodies.dump(node) for _, node in bodies.walk(base or {}, "")}
    new = [(path, node) for path, node in bodies.walk(resource, kind.type) if bodies.dump(node) not in known]
    _raise([*_forbidden(kind, resource, new), *_elsewhere(call, kind, resource, new)])
    _raise(_fixed(kind, resource, base))
    _raise([*_measured(resource, new), *_when(call, resource), *_files(new)])
    _raise(_leads_nowhere(call, new))


def _raise(found: Iterable[Wrong]) -> None:
    if wrong := list(found):
        raise InvalidResource(*wrong, status=403 if any(w.code == "forbidden" for w in wrong) else 422)


def _forbidden(kind: Kind, resource: bodies.Resource, new: Nodes) -> Iterator[Wrong]:
    """What changes the meaning of a resource, or speaks in our name."""
    if "implicitRules" in resource:
        yield Wrong("not-supported", "Rules of your own are not known here.", f"{kind.type}.implicitRules")
    for path, node in new:
        if "modifierExtension" in node:
            text = "It could mean the opposite: leave it out."
            yield Wrong("extension", text, f"{path}.modifierExtension")
        if node.get("system") == IDENTIFIER:
            yield Wrong("business-rule", "This identifier is ours to write.", f"{path}.system")
    if kind.one_identifier and "identifier" in resource:
        yield Wrong("business-rule", "We write this one: leave it out.", f"{kind.type}.identifier")
    for position, part in enumerate(reading.objects(resource, "contained")):
        if part.get("resourceType") not in INSIDE:
            text = f"What is contained may be {', '.join(sorted(INSIDE))}."
            yield Wrong("not-supported", text, f"{kind.type}.contained[{position}]")


def _fixed(kind: Kind, resource: bodies.Resource, base: Mapping[str, Any] | None) -> Iterator[Wrong]:
    """What an update of this kind may not change, whoever sends it and whoever would say yes."""
    plain_base = unmarked(base) if base else {}
    for found in between(plain_base, plain_base, unmarked(resource), kind) if base else ():
        if found.group.policy is OnConflict.NEVER:
            names = sorted({*found.base, *found.proposed})
            yield Wrong(
                "business-rule", "This is not changed here. Ask at the desk.", f"{kind.type}.{names[0]}"
            )


def _elsewhere(call: Call, kind: Kind, resource: bodies.Resource, new: Nodes) -> Iterator[Wrong]:
    """Who else is in it: another patient anywhere, or somebody else who is said to have said it."""
    owner = SERVED[kind.type].owner_paths[0]
    if not call.patient_id or not is_mine(call, resource):
        yield Wrong(
            "forbidden", "It is about another patient than the one you act for.", f"{kind.type}.{owner}"
        )
    mine = f"Patient/{call.patient_id}"
    for path, node in new:
        named = _named(call, node)
        if named.startswith("Patient/") and named != mine:
            yield Wrong("forbidden", "This refers to another patient.", f"{path}.reference")
        by = path.partition(".")[2].partition("[")[0]
        if by in kind.author and named != mine and not named.startswith(("Device/", "#")):
            yield Wrong("forbidden", "Only the patient, or a device, may have said it.", path)


def _named(call: Call, node: Mapping[str, Any]) -> str:
    """ "Type/id" that a Reference names; of a patient who is named otherwise, somebody ("Patient/?")."""
    reference = node.get("reference")
    if isinstance(reference, str):
        path = relative(relative(reference, call.base_url), call.fhir_url)
        is_patient = "/Patient/" in path or path.startswith("Patient?")
        return "Patient/?" if is_patient else path
    return "Patient/?" if node.get("type") == "Patient" and "identifier" in node else ""


def _leads_nowhere(call: Call, new: Nodes) -> Iterator[Wrong]:
    """References to parts of a record that are not this patient's, or not there: one is told as the other."""
    found: dict[str, dict[str, str]] = {}
    for path, node in new:
        kind, _, key = _named(call, node).partition("/")
        rule = SERVED.get(kind)
        if kind != "Patient" and rule and rule.owner_paths and FHIR_ID.match(key):
            found.setdefault(kind, {})[key] = f"{path}.reference"
    if sum(map(len, found.values())) > MOST_REFERENCES:
        yield Wrong("too-costly", f"It has more than {MOST_REFERENCES} references into the record.")
        return
    for kind, places in found.items():
        there = [asking.decode(body) for body in asking.by_ids(call.source, kind, places)]
        mine = {str(each.get("id")) for each in there if is_mine(call, each)}
        for key in sorted(set(places) - mine):
            yield Wrong("not-found", "There is no such thing in this record.", places[key])


def _measured(resource: bodies.Resource, new: Nodes) -> Iterator[Wrong]:
    """Values that nobody alive has, and units that a measure does not come in."""
    for path, node in new if resource["resourceType"] == "Observation" else ():
        known = next(
            (m for code in reading.codes(node.get("code"), LOINC) if (m := measures().get(code))), None
        )
        quantity = node.get("valueQuantity")
        if known is None or not isinstance(quantity, dict):
            continue
        at = f"{path}.valueQuantity"
        limits = known.units.get(str(quantity.get("code"))) if quantity.get("system") == UCUM else None
        if limits is None:
            yield Wrong("code-invalid", f"{known.name} is in {', '.join(known.units)} (UCUM).", f"{at}.code")
            continue
        value = quantity.get("value")
        if value is None or not limits[0] <= Decimal(value) <= limits[1]:
            said = f"{known.name} is from {limits[0]} to {limits[1]} {quantity['code']}. Measure again."
            yield Wrong("business-rule", said, f"{at}.value")
        if "comparator" in quantity:
            yield Wrong("business-rule", "Say the value itself.", f"{at}.comparator")


def _when(call: Call, resource: bodies.Resource) -> Iterator[Wrong]:
    for name in WHEN:
        said = reading.moment(resource.get(name))
        if said and said.at > call.requester.now + EARLY:
            yield Wrong("business-rule", "This time has not come yet.", f"{resource['resourceType']}.{name}")


def _files(new: Nodes) -> Iterator[Wrong]:
    """Attachments are in it, and are what they say they are: nothing is fetched from elsewhere."""
    for path, node in new:
        if not ("contentType" in node or path.endswith(("attachment", "Attachment"))):
            continue
        kind = str(node.get("contentType", "")).partition(";")[0].strip().lower()
        if "url" in node or "data" not in node:
            yield Wrong("not-supported", "Send the file itself (data), not where it is.", f"{path}.url")
        elif kind not in STARTS:
            yield Wrong("not-supported", f"Files are {', '.join(STARTS)}.", f"{path}.contentType")
        elif not _is_a(kind, str(node["data"])):
            yield Wrong("value", f"This file is no {kind}.", f"{path}.data")


def _is_a(kind: str, data: str) -> bool:
    try:
        content = base64.b64decode(data, validate=True)
        if kind == "text/plain":
            content.decode("utf-8")
    except (binascii.Error, ValueError):
        return False
    return bool(content) and content.startswith(STARTS[kind])
