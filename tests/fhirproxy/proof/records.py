"""One resource of every type of R4, for a patient, and those that two patients share by mistake.

Ids begin with the patient's key, and every string of Mallory's carries the canary: so whatever of hers
gets out is found in the bytes, whichever way it took.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from demo.population import CANARY
from fhirproxy.served import SERVED, TypeRule
from fhirstore import documents, store
from fhirstore.definitions import PARAMETERS
from smart.resource_types import R4

Resource = dict[str, Any]
SHARED = ("Location", "Organization", "Practitioner", "PractitionerRole")  # of the clinic, nobody's own
ACTIVE, WHEN = "active", "2026-03-02"
LABORATORY = {
    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
    "code": "laboratory",
}
# What the reference of a search parameter leads to.
TARGET = {
    "actor": "Patient",
    "author": "RelatedPerson",
    "care-team": "CareTeam",
    "derived-from": "Specimen",
    "encounter": "Encounter",
    "goal": "Goal",
    "has-member": "Specimen",
    "insurer": "Organization",
    "location": "Location",
    "medication": "Medication",
    "participant": "RelatedPerson",
    "patient": "Patient",
    "payor": "Organization",
    "performer": "RelatedPerson",
    "provider": "Organization",
    "questionnaire": "Questionnaire",
    "requester": "Practitioner",
    "result": "Observation",
    "service-provider": "Organization",
}
LISTS = frozenset({"careTeam", "derivedFrom", "goal", "hasMember", "payor", "result", "author"})


def id_of(kind: str, key: str) -> str:
    return f"clinic-{kind.lower()}" if kind in SHARED else f"{key}-{kind.lower()}"


def to(kind: str, key: str) -> dict[str, str]:
    return {"reference": f"{kind}/{id_of(kind, key)}"}


def record(key: str, word: str = "plain") -> list[Resource]:
    """A resource of every type that can be somebody's own, and the clinic's."""
    return [resource_of(kind, key, word) for kind in sorted(R4 - {"Bundle", "Parameters"})]


def resource_of(kind: str, key: str, word: str) -> Resource:
    word = "clinic" if kind in SHARED else word
    resource: Resource = {
        "resourceType": kind,
        "id": id_of(kind, key),
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{word}</div>'},
        "extension": [{"url": "http://example.org/words", "valueString": word}],
        "identifier": [{"system": "urn:example", "value": f"{word}-{id_of(kind, key)}"}],
        "status": ACTIVE,
        **PARTICULAR.get(kind, {}),
    }
    if kind in SERVED:
        _refer(resource, SERVED[kind], key, word)
        _fill(resource, kind, SERVED[kind])
    elif kind != "Patient":
        resource |= {"subject": to("Patient", key), "patient": to("Patient", key)}
    if kind == "Binary":
        data = base64.b64encode(word.encode()).decode()
        return {"resourceType": kind, "id": resource["id"], "contentType": "text/plain", "data": data}
    if kind == "DocumentReference":
        attachment = {"contentType": "text/plain", "url": f"Binary/{id_of('Binary', key)}", "title": word}
        resource["content"] = [{"attachment": attachment}]
    if kind == "Provenance":
        resource |= {"target": [to("Observation", key)], "recorded": "2026-03-02T08:20:00Z"}
        resource["agent"] = [{"who": to("Practitioner", key) | {"display": word}}]
    if kind in ("Patient", "RelatedPerson"):
        resource["name"] = [{"family": word, "given": [word]}]
        resource["address"] = [{"line": [word], "city": word}]
        resource["telecom"] = [{"system": "email", "value": f"{word}@example.org"}]
    return resource


def _refer(resource: Resource, rule: TypeRule, key: str, word: str) -> None:
    """To the owner, and to something by each include."""
    for param, path in rule.includes.items():
        _put(resource, path.split("."), to(TARGET[param], key) | {"display": word})
    for path in rule.owner_paths:
        if path != "id":
            _put(resource, path.split("."), to("Patient", key) | {"display": word})


def _put(node: Resource, path: list[str], value: Any) -> None:
    *before, last = path
    for name in before:
        node = node.setdefault(name, {}) if name == "context" else node.setdefault(name, [{}])[0]
    node[last] = [value] if last in LISTS else value


def _fill(resource: Resource, kind: str, rule: TypeRule) -> None:
    """What each search parameter of the type looks at; tokens are ACTIVE, dates are WHEN."""
    for param in sorted(rule.search_params - set(TARGET) - {"name"}):
        known = PARAMETERS[kind][param]
        element, _, choice = known.expression.partition(" | ")[0].partition(" as ")
        *before, last = f"{element}{choice[:1].upper()}{choice[1:]}".split(".")
        if last not in resource:
            _put(resource, [*before, last], _value(known.kind, last))


def _value(kind: str, element: str) -> Any:
    if kind == "date":
        return {"start": WHEN, "end": WHEN} if element.lower().endswith("period") else WHEN
    if element in ("status", "intent", "lifecycleStatus"):
        return ACTIVE
    return {"code": ACTIVE} if element == "class" else {"coding": [{"code": ACTIVE}]}


LAB = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}
# What a type must say besides.
PARTICULAR: dict[str, Resource] = {
    "DiagnosticReport": {"category": [{"coding": [LAB, {"code": ACTIVE}]}]},
    "Observation": {
        "category": [{"coding": [LABORATORY, {"code": ACTIVE}]}],
        "valueQuantity": {"value": 118, "unit": "mg/dL"},
    },
    "QuestionnaireResponse": {"questionnaire": "http://example.org/q"},
}


def mixed(alice: str, mallory: str) -> Iterator[Resource]:
    """What an EHR that mixed two patients up would hold. Ids begin with the key "mixed"."""
    lab = resource_of("Observation", alice, "plain")
    hers = to("Patient", mallory) | {"display": CANARY}
    inside = resource_of("Observation", mallory, CANARY) | {"id": "inside"}
    document = resource_of("DocumentReference", alice, "plain")
    changes: dict[str, Resource] = {
        "two-subjects": {"subject": [to("Patient", alice), hers]},
        "performer": {"performer": [hers]},
        "contained-patient": {"contained": [resource_of("Patient", mallory, CANARY) | {"id": "p"}]},
        "contained-lab": {"contained": [inside]},
        "contained-bundle": {
            "contained": [{"resourceType": "Bundle", "id": "b", "entry": [{"resource": inside}]}]
        },
        "contained-parameters": {
            "contained": [{"resourceType": "Parameters", "id": "b", "parameter": [{"resource": inside}]}]
        },
        "contained-twice": {"contained": [{"resourceType": "Device", "id": "d", "contained": [inside]}]},
        "contained-group": {
            "contained": [{"resourceType": "Group", "id": "g", "member": [{"entity": hers}]}]
        },
        "performer-with-a-slash": {"performer": [hers | {"reference": f"{hers['reference']}/"}]},
        "absolute-elsewhere": {"subject": {"reference": f"https://evil.example/Patient/{alice}-patient"}},
        "no-subject": {"subject": None, "note": [{"text": CANARY}]},
    }
    for name, change in changes.items():
        resource = lab | {"id": f"mixed-{name}"} | change
        yield {k: v for k, v in resource.items() if v is not None}
    yield resource_of("Appointment", alice, "plain") | {
        "id": "mixed-appointment",
        "participant": [{"actor": to("Patient", alice)}, {"actor": hers}],
    }
    yield resource_of("CareTeam", alice, "plain") | {"id": "mixed-team", "participant": [{"member": hers}]}
    yield resource_of("Provenance", alice, "plain") | {
        "id": "mixed-provenance",
        "target": [to("Observation", alice), to("Observation", mallory)],
        "agent": [{"who": hers}],
    }
    yield resource_of("Binary", mallory, CANARY) | {"id": "mixed-binary"}
    for key, name, url in (
        (alice, "hers", "Binary/mixed-binary"),
        (mallory, "theirs", "http://testserver/fhir/r4/Binary/mixed-binary"),
    ):
        content = [{"attachment": {"contentType": "text/plain", "url": url}}]
        yield document | {
            "id": f"mixed-document-{name}",
            "subject": to("Patient", key),
            "author": [],
            "content": content,
        }


def keep(resources: Iterable[Resource]) -> None:
    """Into the embedded store as they are: an EHR may hold what R4 would not have."""
    changes = [
        store.Change(r["resourceType"], r["id"], documents.content(dict(r), r["id"])) for r in resources
    ]
    store.write(changes, as_is=True)
