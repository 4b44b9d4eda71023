"""What Lakeside Hospital keeps about Alice Moreno: invented, and made to fit the demo population's story.

Some of it says what her clinic says (the LDL, the penicillin, the metformin), one result differs (HDL), and
some is only here: a potassium, a result that is not final, a medicine, an allergy, a stay.
"""

import base64
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Resource = dict[str, Any]
PATIENT = "lk-90211"
HERE = ZoneInfo("America/New_York")
HL7 = "http://terminology.hl7.org/CodeSystem"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LETTER = """Lakeside Hospital
Summary of your stay

Dear Ms. Moreno,

you came to us with chest pain. Your heart tests were fine. We think that the pain came from a muscle.
We added a second medicine for your blood pressure, amlodipine. Please see Dr. Osei within two weeks.

Dr. Hannah Vogel, Cardiology
"""


def records(today: date) -> list[Resource]:
    """All resources, as of the day from which the population's dates count."""
    made = [
        _patient(today),
        *_results(today),
        *_medicines(today),
        *_allergies(today),
        *_conditions(today),
        *_stay(today),
    ]
    return [{**resource, **_about(resource)} for resource in made]


def _about(resource: Resource) -> Resource:
    kind, me = resource["resourceType"], {"reference": f"Patient/{PATIENT}", "display": "MORENO, ALICE"}
    if kind == "Patient":
        return {}
    if kind == "Appointment":
        return {}
    return {"patient" if kind in ("AllergyIntolerance", "Immunization") else "subject": me}


def _patient(today: date) -> Resource:
    """She is 46, as at her clinic; the middle name is a letter here, so that a person has to look."""
    this_year = (today.month, today.day) >= (4, 17)
    return {
        "resourceType": "Patient",
        "id": PATIENT,
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.19.7", "value": "90211"}],
        "active": True,
        "name": [{"use": "official", "family": "MORENO", "given": ["ALICE", "M"]}],
        "gender": "female",
        "birthDate": date(today.year - 46 - (not this_year), 4, 17).isoformat(),
    }


def _results(today: date) -> list[Resource]:
    same_draw = _moment(today, 12, time(8, 20))
    return [
        _lab("ldl-1", "13457-7", "LDL CHOLESTEROL, CALC", 118, "mg/dL", same_draw, high=100, mark="H"),
        _lab("hdl-1", "2085-9", "HDL CHOLESTEROL", 57, "mg/dL", same_draw, low=50),
        _lab("ldl-0", "13457-7", "LDL CHOLESTEROL, CALC", 1.23, "g/L", _moment(today, 95), high=1, mark="H"),
        _lab("k-1", "2823-3", "POTASSIUM", 3.3, "mmol/L", _moment(today, 6), low=3.5, high=5.1, mark="L"),
        _lab("crp-1", "1988-5", "CRP", 7.5, "mg/L", _moment(today, 5), high=5, status="preliminary"),
    ]


def _lab(
    number: str,
    code: str,
    name: str,
    value: float,
    unit: str,
    when: str,
    *,
    low: float | None = None,
    high: float | None = None,
    mark: str = "N",
    status: str = "final",
) -> Resource:
    def quantity(amount: float) -> Resource:
        return {"value": amount, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}

    limits = {"low": low, "high": high}
    return {
        "resourceType": "Observation",
        "id": f"lk-obs-{number}",
        "status": status,
        "category": [_concept(f"{HL7}/observation-category", "laboratory", "Laboratory")],
        "code": _concept(LOINC, code, name),
        "effectiveDateTime": when,
        "issued": when,
        "performer": [{"display": "Lakeside Core Laboratory"}],
        "valueQuantity": quantity(value),
        "interpretation": [_concept(f"{HL7}/v3-ObservationInterpretation", mark)],
        "referenceRange": [{end: quantity(v) for end, v in limits.items() if v is not None}],
    }


def _medicines(today: date) -> list[Resource]:
    return [
        _prescription("metformin", "860975", "metFORMIN ER 500 mg tablet", _day(today, 6)),
        _prescription(
            "amlodipine", "197361", "amLODIPine 5 mg tablet", _day(today, 6), "Take 1 tablet in the morning"
        ),
    ]


def _prescription(number: str, code: str, name: str, when: str, dose: str = "") -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": f"lk-rx-{number}",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _concept(RXNORM, code, name),
        "authoredOn": when,
        "requester": {"display": "Dr. Hannah Vogel"},
        **({"dosageInstruction": [{"text": dose}]} if dose else {}),
    }


def _allergies(today: date) -> list[Resource]:
    return [
        _allergy("penicillin", "764146007", "Penicillins", _day(today, 6), "high"),
        _allergy("sulfa", "387406002", "Sulfa drugs", _day(today, 2000), "low", "Rash"),
    ]


def _allergy(number: str, code: str, name: str, when: str, criticality: str, reaction: str = "") -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"lk-alg-{number}",
        "clinicalStatus": _concept(f"{HL7}/allergyintolerance-clinical", "active"),
        "verificationStatus": _concept(f"{HL7}/allergyintolerance-verification", "confirmed"),
        "category": ["medication"],
        "criticality": criticality,
        "code": _concept(SNOMED, code, name),
        "recordedDate": when,
        **({"reaction": [{"manifestation": [{"text": reaction}]}]} if reaction else {}),
    }


def _conditions(today: date) -> list[Resource]:
    return [
        _problem("dm2", "44054006", "DM type 2", _day(today, 1085)),
        _problem("chest-wall", "76388001", "Chest wall pain", _day(today, 6)),
    ]


def _problem(number: str, code: str, name: str, onset: str) -> Resource:
    return {
        "resourceType": "Condition",
        "id": f"lk-prob-{number}",
        "clinicalStatus": _concept(f"{HL7}/condition-clinical", "active"),
        "verificationStatus": _concept(f"{HL7}/condition-ver-status", "confirmed"),
        "category": [_concept(f"{HL7}/condition-category", "problem-list-item")],
        "code": _concept(SNOMED, code, name),
        "onsetDateTime": onset,
    }


def _stay(today: date) -> list[Resource]:
    stay = {"start": _moment(today, 6, time(22, 10)), "end": _moment(today, 5, time(15))}
    letter = {
        "contentType": "text/plain",
        "title": "Summary of your stay",
        "data": base64.b64encode(LETTER.encode()).decode(),
    }
    doctor = {"display": "Dr. Hannah Vogel"}
    return [
        {
            "resourceType": "Encounter",
            "id": "lk-enc-1",
            "status": "finished",
            "class": {"system": f"{HL7}/v3-ActCode", "code": "EMER"},
            "reasonCode": [{"text": "Chest pain"}],
            "participant": [{"individual": doctor}],
            "period": stay,
        },
        {
            "resourceType": "DocumentReference",
            "id": "lk-doc-1",
            "status": "current",
            "type": _concept(LOINC, "18842-5", "Discharge summary"),
            "date": _moment(today, 4, time(10)),
            "author": [doctor],
            "content": [{"attachment": letter}],
        },
        {
            "resourceType": "CareTeam",
            "id": "lk-team-1",
            "status": "active",
            "name": "Heart clinic",
            "participant": [{"role": [{"text": "Heart doctor"}], "member": doctor}],
        },
        {
            "resourceType": "Appointment",
            "id": "lk-appt-1",
            "status": "booked",
            "description": "Heart check",
            "start": _moment(today, -9, time(9, 30)),
            "participant": [
                {"actor": {"reference": f"Patient/{PATIENT}"}, "status": "accepted"},
                {"actor": {"reference": "Practitioner/lk-vogel", **doctor}, "status": "accepted"},
            ],
        },
    ]


def _concept(system: str, code: str, name: str = "") -> Resource:
    coding = {"system": system, "code": code, **({"display": name} if name else {})}
    return {"coding": [coding], **({"text": name} if name else {})}


def _day(today: date, ago: int) -> str:
    return (today - timedelta(days=ago)).isoformat()


def _moment(today: date, ago: int, at: time = time(11, 45)) -> str:
    return datetime.combine(today - timedelta(days=ago), at, HERE).isoformat()
