"""Two small records, of Alice and of Mallory, as each make of EHR would have them."""

import base64
from typing import Any

from tests.ehr.shapes import SHAPES

Resource = dict[str, Any]
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
NOTE = b"Seen today. Doing well."
# Oracle-like: a code system by its OID, as the data of that shape has some.
SYSTEMS = {"oracle_like": "urn:oid:2.16.840.1.113883.6.1"}


def record(shape: str, who: str, base: str) -> list[Resource]:
    """13 resources (14 and 15 where medicine and note are apart) that all are one patient's."""

    def ident(kind: str, name: str) -> str:
        return SHAPES[shape].ident(kind, f"{who}-{name}")

    patient = ident("Patient", "p")
    subject = {"reference": f"Patient/{patient}"}
    loinc = SYSTEMS.get(shape, "http://loinc.org")
    found = [
        {"resourceType": "Patient", "id": patient, "name": [{"family": who.title()}], "gender": "female"},
        {
            "resourceType": "Condition",
            "id": ident("Condition", "c"),
            "category": [{"coding": [{"code": "problem-list-item"}]}],
            "code": {"text": f"Asthma of {who}"},
            "subject": subject,
        },
        {
            "resourceType": "AllergyIntolerance",
            "id": ident("AllergyIntolerance", "a"),
            "code": {"text": f"Peanuts ({who})"},
            "patient": subject,
        },
    ]
    for number in range(7):
        code = "laboratory" if number < 5 else "vital-signs"
        found.append(
            {
                "resourceType": "Observation",
                "id": ident("Observation", f"o{number}"),
                "status": "final",
                "category": [{"coding": [{"system": CATEGORY, "code": code}]}],
                "code": {"coding": [{"system": loinc, "code": f"2345-{number}"}]},
                "subject": subject,
                "valueQuantity": {"value": 90 + number, "unit": "mg/dL"},
            }
        )
    return [*found, *_medicine(shape, who, ident, subject), *_note(shape, who, ident, subject, base)]


def _medicine(shape: str, who: str, ident: Any, subject: Resource) -> list[Resource]:
    request: Resource = {
        "resourceType": "MedicationRequest",
        "id": ident("MedicationRequest", "m"),
        "status": "active",
        "intent": "order",
        "subject": subject,
    }
    concept = {"text": f"Aspirin for {who}"}
    if shape != "epic_like":
        return [request | {"medicationCodeableConcept": concept}]
    medication = ident("Medication", "m")
    return [
        {"resourceType": "Medication", "id": medication, "code": concept},
        request | {"medicationReference": {"reference": f"Medication/{medication}"}},
    ]


def _note(shape: str, who: str, ident: Any, subject: Resource, base: str) -> list[Resource]:
    """An attachment inline, or behind a link: relative, or absolute."""
    binary = ident("Binary", "n")
    data = base64.b64encode(NOTE + who.encode()).decode()
    url = f"{base}/Binary/{binary}" if shape == "oracle_like" else f"Binary/{binary}"
    inline = shape == "athena_like"
    attachment = {"contentType": "text/plain"} | ({"data": data} if inline else {"url": url})
    document: Resource = {
        "resourceType": "DocumentReference",
        "id": ident("DocumentReference", "d"),
        "status": "current",
        "subject": subject,
        "content": [{"attachment": attachment}],
    }
    held = {"resourceType": "Binary", "id": binary, "contentType": "text/plain", "data": data}
    return [document] if inline else [document, held]
