"""Readings that a patient takes at home, as the FHIR resources that a chart keeps. Pure."""

from datetime import datetime
from typing import Any

from consent.vocabulary import LOINC, OBSERVATION_CATEGORY

UCUM = "http://unitsofmeasure.org"
BP_PROFILE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-blood-pressure|6.1.0"
PRESSURE = "mm[Hg]"
# From these on the words of the form tell of an emergency (2017 ACC/AHA guideline, hypertensive crisis).
VERY_HIGH_SYSTOLIC, VERY_HIGH_DIASTOLIC = 180, 120


def blood_pressure(*, systolic: int, diastolic: int, taken_at: datetime, patient_id: str) -> dict[str, Any]:
    """An Observation of the US Core 6.1 blood pressure profile; pressures in mm[Hg]."""
    patient = {"reference": f"Patient/{patient_id}"}
    return {
        "resourceType": "Observation",
        "meta": {"profile": [BP_PROFILE]},
        "status": "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": "vital-signs"}]}],
        "code": _code("85354-9", "Blood pressure panel with all children optional"),
        "subject": patient,
        "performer": [patient],
        "effectiveDateTime": taken_at.isoformat(timespec="seconds"),
        "component": [
            _pressure("8480-6", "Systolic blood pressure", systolic),
            _pressure("8462-4", "Diastolic blood pressure", diastolic),
        ],
    }


def is_very_high(systolic: int | None, diastolic: int | None) -> bool:
    """Whether a person should ask for help today, by either number in mm[Hg]."""
    return (systolic or 0) >= VERY_HIGH_SYSTOLIC or (diastolic or 0) >= VERY_HIGH_DIASTOLIC


def _pressure(code: str, display: str, value: int) -> dict[str, Any]:
    quantity = {"value": value, "unit": "mmHg", "system": UCUM, "code": PRESSURE}
    return {"code": _code(code, display), "valueQuantity": quantity}


def _code(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, "display": display}], "text": display}


def pressures_of(resource: dict[str, Any]) -> tuple[int | None, int | None]:
    """(systolic, diastolic) of a blood pressure Observation; None for one that is not there."""
    found: dict[str, int] = {}
    for component in resource.get("component", []):
        for coding in component.get("code", {}).get("coding", []):
            value = component.get("valueQuantity", {}).get("value")
            if value is not None:
                found[coding.get("code", "")] = int(value)
    return found.get("8480-6"), found.get("8462-4")
