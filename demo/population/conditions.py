"""Problems, diagnoses of a visit and worries; allergies; what runs in the family."""

from dataclasses import dataclass

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import OSEI, Clinician
from demo.population.coding import ICD10CM, US_CORE, Resource, coding, concept, hl7, snomed

ACTIVE, RESOLVED, REMISSION = "active", "resolved", "remission"


def problem(
    chart: Chart,
    stem: str,
    code: Resource,
    ago: int,
    *,
    status: str = ACTIVE,
    ended: int = 0,
    severity: Resource | None = None,
    labels: tuple[str, ...] = (),
    note: str = "",
    category: str = "problem-list-item",
    recorder: Clinician = OSEI,
) -> str:
    """An entry of the problem list since `ago` days, ended `ended` days ago.

    `category` may be "health-concern": the same US Core profile holds both.
    """
    kinds = {
        "problem-list-item": hl7("condition-category", "problem-list-item", "Problem List Item"),
        "health-concern": concept(
            f"{US_CORE}CodeSystem/condition-category", "health-concern", "Health Concern"
        ),
    }
    return chart.add(
        "Condition",
        stem,
        profile="us-core-condition-problems-health-concerns",
        labels=labels,
        clinicalStatus=hl7("condition-clinical", status),
        verificationStatus=hl7("condition-ver-status", "confirmed"),
        category=[kinds[category]],
        severity=severity,
        code=code,
        onsetDateTime=chart.day(ago).isoformat(),
        abatementDateTime=chart.day(ended).isoformat() if ended else None,
        recordedDate=chart.day(ago).isoformat(),
        recorder=recorder.ref,
        note=[{"text": note}] if note else None,
    )


def diagnosis(chart: Chart, stem: str, code: Resource, ago: int, encounter: str, *, lasted: int = 14) -> str:
    """What one visit found (encounter-diagnosis); over after `lasted` days, 0 if not over."""
    over = 0 < lasted < ago
    return chart.add(
        "Condition",
        stem,
        profile="us-core-condition-encounter-diagnosis",
        clinicalStatus=hl7("condition-clinical", RESOLVED if over else ACTIVE),
        verificationStatus=hl7("condition-ver-status", "confirmed"),
        category=[hl7("condition-category", "encounter-diagnosis", "Encounter Diagnosis")],
        code=code,
        encounter=reference(encounter),
        onsetDateTime=chart.day(ago).isoformat(),
        abatementDateTime=chart.day(ago - lasted).isoformat() if over else None,
        recordedDate=chart.day(ago).isoformat(),
    )


def icd(display: str, code: str, snomed_code: str, snomed_display: str) -> Resource:
    """A diagnosis in both code systems that US clinics send."""
    first = snomed(snomed_code, snomed_display, text=display)
    return {**first, "coding": [*first["coding"], coding(ICD10CM, code, display)]}


@dataclass(frozen=True, slots=True)
class Reaction:
    code: str  # SNOMED CT
    display: str
    severity: str  # mild, moderate, severe
    text: str = ""  # in the words of the person's language


HIVES = Reaction("126485001", "Urticaria", "mild")
RASH = Reaction("271807003", "Eruption of skin", "mild")
ANAPHYLAXIS = Reaction("39579001", "Anaphylaxis", "severe")
COUGH = Reaction("49727002", "Cough", "mild")


def allergy(
    chart: Chart,
    stem: str,
    code: Resource,
    ago: int,
    *reactions: Reaction,
    category: str = "medication",
    criticality: str = "low",
    status: str = "active",
) -> str:
    return chart.add(
        "AllergyIntolerance",
        stem,
        profile="us-core-allergyintolerance",
        clinicalStatus=hl7("allergyintolerance-clinical", status),
        verificationStatus=hl7("allergyintolerance-verification", "confirmed"),
        type="allergy",
        category=[category],
        criticality=criticality,
        code=code,
        recordedDate=chart.day(ago).isoformat(),
        recorder=OSEI.ref,
        reaction=[
            {"manifestation": [snomed(each.code, each.display, text=each.text)], "severity": each.severity}
            for each in reactions
        ]
        or None,
    )


def no_known_allergies(chart: Chart, ago: int) -> str:
    """Someone asked, and there are none: not the same as a record that says nothing."""
    return chart.add(
        "AllergyIntolerance",
        "no-known-allergies",
        profile="us-core-allergyintolerance",
        clinicalStatus=hl7("allergyintolerance-clinical", "active"),
        verificationStatus=hl7("allergyintolerance-verification", "confirmed"),
        code=snomed("716186003", "No known allergy (situation)", text="No known allergies"),
        recordedDate=chart.day(ago).isoformat(),
        recorder=OSEI.ref,
    )


def relative(chart: Chart, ago: int, relationship: tuple[str, str], *problems: tuple[Resource, int]) -> str:
    """A family member and (problem, age at onset in years)."""
    return chart.add(
        "FamilyMemberHistory",
        "family",
        status="completed",
        date=instant(chart.day(ago)),
        relationship=hl7("v3-RoleCode", *relationship),
        condition=[
            {
                "code": code,
                "onsetAge": {
                    "value": age,
                    "unit": "years",
                    "system": "http://unitsofmeasure.org",
                    "code": "a",
                },
            }
            for code, age in problems
        ],
    )
