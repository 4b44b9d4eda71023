"""What people send from pages, as the FHIR R4 resources that a chart keeps, and back again. Pure.

Each `make` has its reader: what was sent once can be put back into its form, to be sent again.
"""

import base64
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from fhirproxy import reading as fhir

Resource = dict[str, Any]
MESSAGE = "https://chartkey.example/fhir/CodeSystem/message"  # what a Communication is; see kinds.toml
TOPIC = "https://chartkey.example/fhir/CodeSystem/message-topic"
FAULT = "https://chartkey.example/fhir/CodeSystem/record-fault"
SOON = "https://chartkey.example/fhir/CodeSystem/visit-time"
VISIT_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0276"
LOINC = "http://loinc.org"
PATIENT_DOCUMENT = "51855-5"  # Patient Note
CORRECTION, DISAGREEMENT, WORDS = "correction", "disagreement", "question"


def correction(
    *, patient_id: str, about: str, name: str, fault: str, wrong: str, right: str, at: datetime
) -> Resource:
    """What somebody says is wrong with one item of the record, and what it should say (45 CFR 164.526).

    `about` is the item's reference, `name` what the record calls it.
    """
    made = _communication(CORRECTION, patient_id, [wrong, right], at)
    made["about"] = [{"reference": about, "display": name[:200]}]
    made["reasonCode"] = [_coded(FAULT, fault)]
    return made


def correction_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    wrong, right = _payload(resource, 2)
    return {"fault": _code(resource, "reasonCode"), "wrong": wrong, "right": right}


def disagreement(*, patient_id: str, about: str, name: str, asked: str, text: str, at: datetime) -> Resource:
    """A statement to stand beside an item whose correction was refused (164.526(d)(2)).

    `asked`: what was asked for, so that both stand together, as the rule has it.
    """
    made = _communication(DISAGREEMENT, patient_id, [text, asked], at)
    made["about"] = [{"reference": about, "display": name[:200]}]
    return made


def message(*, patient_id: str, topic: str, text: str, about: str, at: datetime) -> Resource:
    made = _communication(WORDS, patient_id, [text], at)
    made["topic"] = _coded(TOPIC, topic)
    return made | ({"about": [{"reference": about}]} if about else {})


def message_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {"topic": _code(resource, "topic"), "text": _payload(resource, 1)[0]}


def visit_request(
    *, patient_id: str, why: str, kind: str, soon: str, earliest: date | None, times: str
) -> Resource:
    """An Appointment that is proposed: it has no time, and is no visit yet.

    `kind`: a code of HL7 table 0276, or "video"; `times`: when the person can come, in their words.
    """
    patient = {"reference": f"Patient/{patient_id}"}
    made: Resource = {
        "resourceType": "Appointment",
        "status": "proposed",
        "appointmentType": {"coding": [{"system": VISIT_TYPE, "code": kind}]},
        "reasonCode": [{"text": why}],
        "serviceCategory": [_coded(SOON, soon)],
        "participant": [{"actor": patient, "required": "required", "status": "accepted"}],
    }
    if times:
        made["comment"] = times
    if earliest:
        made["requestedPeriod"] = [{"start": earliest.isoformat()}]
    return made


def visit_request_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "why": fhir.text(resource, "reasonCode", "text"),
        "kind": _code(resource, "appointmentType"),
        "soon": _code(resource, "serviceCategory"),
        "earliest": fhir.text(resource, "requestedPeriod", "start"),
        "times": fhir.text(resource, "comment"),
    }


def document(*, patient_id: str, title: str, content: bytes, content_type: str, at: datetime) -> Resource:
    """A letter or a photo that somebody hands in."""
    patient = {"reference": f"Patient/{patient_id}"}
    data = base64.b64encode(content).decode()
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": PATIENT_DOCUMENT, "display": "Patient Note"}]},
        "category": [
            {
                "coding": [
                    {
                        "system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                        "code": "clinical-note",
                    }
                ]
            }
        ],
        "subject": patient,
        "author": [patient],
        "date": at.isoformat(timespec="seconds"),
        "description": title,
        "content": [{"attachment": {"contentType": content_type, "title": title, "data": data}}],
    }


def document_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": fhir.text(resource, "description")}


def _communication(what: str, patient_id: str, said: list[str], at: datetime) -> Resource:
    patient = {"reference": f"Patient/{patient_id}"}
    return {
        "resourceType": "Communication",
        "status": "completed",
        "category": [_coded(MESSAGE, what)],
        "subject": patient,
        "sender": patient,
        "sent": at.isoformat(timespec="seconds"),
        "payload": [{"contentString": each} for each in said if each],
    }


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _code(resource: Mapping[str, Any], element: str) -> str:
    return next(iter(fhir.codes(resource.get(element))), "")


def _payload(resource: Mapping[str, Any], count: int) -> list[str]:
    said = [fhir.text(each, "contentString") for each in fhir.objects(resource, "payload")]
    return [*said, *[""] * count][:count]
