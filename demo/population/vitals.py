"""Vital signs and growth, by the US Core profiles."""

from typing import Any

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import KIM
from demo.population.coding import Resource, coding, hl7, loinc, quantity
from demo.population.people import VitalsFactory, seeded

VITAL_SIGNS = [hl7("observation-category", "vital-signs", "Vital Signs")]
LOINC = "http://loinc.org"
INCH, POUND = 2.54, 0.45359237


def rounds(chart: Chart, ago: int, *, systolic: int, diastolic: int, pulse: int = 72, **more: Any) -> None:
    """What a nurse measures at a visit: blood pressure, pulse, breathing, temperature, oxygen.

    `more`: height (inches) and weight (pounds), which also give the BMI; encounter, a reference.
    """
    with seeded(f"{chart.id}/vitals/{ago}"):
        measured = VitalsFactory.build(usual_systolic=systolic, usual_diastolic=diastolic, usual_pulse=pulse)
    encounter = more.get("encounter", "")
    blood_pressure(chart, ago, measured["systolic"], measured["diastolic"], encounter=encounter)
    _add(
        chart,
        ago,
        "pulse",
        "us-core-heart-rate",
        "8867-4",
        "Heart rate",
        measured["pulse"],
        "/min",
        encounter,
    )
    _add(
        chart,
        ago,
        "breathing",
        "us-core-respiratory-rate",
        "9279-1",
        "Respiratory rate",
        measured["breaths"],
        "/min",
        encounter,
    )
    _add(
        chart,
        ago,
        "temperature",
        "us-core-body-temperature",
        "8310-5",
        "Body temperature",
        measured["temperature"],
        "Cel",
        encounter,
    )
    oxygen(chart, ago, more.get("oxygen", measured["oxygen"]), encounter=encounter)
    if "weight" in more:
        growth(chart, ago, height=more["height"], weight=more["weight"], encounter=encounter)


def growth(chart: Chart, ago: int, *, height: float, weight: float, encounter: str = "") -> None:
    """Height (inches), weight (pounds) and the BMI that follows from them."""
    bmi = round(weight * POUND / (height * INCH / 100) ** 2, 1)
    _add(
        chart,
        ago,
        "height",
        "us-core-body-height",
        "8302-2",
        "Body height",
        height,
        "in",
        encounter,
        "[in_i]",
    )
    _add(
        chart,
        ago,
        "weight",
        "us-core-body-weight",
        "29463-7",
        "Body weight",
        weight,
        "lb",
        encounter,
        "[lb_av]",
    )
    _add(chart, ago, "bmi", "us-core-bmi", "39156-5", "Body mass index", bmi, "kg/m2", encounter)


def percentile(chart: Chart, ago: int, value: int) -> None:
    """BMI for age and sex (US Core pediatric BMI)."""
    _add(
        chart,
        ago,
        "bmi-percentile",
        "pediatric-bmi-for-age",
        "59576-9",
        "Body mass index (BMI) [Percentile] Per age and sex",
        value,
        "%",
        "",
    )


def blood_pressure(
    chart: Chart,
    ago: int,
    systolic: int,
    diastolic: int,
    *,
    encounter: str = "",
    clock: str = "09:20",
    at_home: bool = False,
) -> str:
    """A blood pressure panel with its two components. At home it is the patient who measured."""
    return chart.add(
        "Observation",
        "bp",
        profile="us-core-blood-pressure",
        status="final",
        category=VITAL_SIGNS,
        code=loinc("85354-9", "Blood pressure panel with all children optional", text="Blood pressure"),
        encounter=reference(encounter) if encounter else None,
        effectiveDateTime=instant(chart.day(ago), clock),
        performer=[chart.subject if at_home else KIM.ref],
        note=[{"text": "Measured at home."}] if at_home else None,
        component=[
            _component("8480-6", "Systolic blood pressure", systolic, "mm[Hg]"),
            _component("8462-4", "Diastolic blood pressure", diastolic, "mm[Hg]"),
        ],
    )


def oxygen(chart: Chart, ago: int, percent: int, *, encounter: str = "") -> str:
    return chart.add(
        "Observation",
        "oxygen",
        profile="us-core-pulse-oximetry",
        status="final",
        category=VITAL_SIGNS,
        code={
            "coding": [
                coding(LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
                coding(LOINC, "2708-6", "Oxygen saturation in Arterial blood"),
            ],
            "text": "Oxygen saturation",
        },
        encounter=reference(encounter) if encounter else None,
        effectiveDateTime=instant(chart.day(ago), "09:20"),
        performer=[KIM.ref],
        valueQuantity=quantity(percent, "%"),
    )


def _component(code: str, display: str, value: float, unit: str) -> Resource:
    return {"code": loinc(code, display), "valueQuantity": quantity(value, "mmHg", unit)}


def _add(
    chart: Chart,
    ago: int,
    stem: str,
    profile: str,
    code: str,
    display: str,
    value: float,
    unit: str,
    encounter: str,
    ucum: str = "",
) -> str:
    return chart.add(
        "Observation",
        stem,
        profile=profile,
        status="final",
        category=VITAL_SIGNS,
        code=loinc(code, display),
        encounter=reference(encounter) if encounter else None,
        effectiveDateTime=instant(chart.day(ago), "09:20"),
        performer=[KIM.ref],
        valueQuantity=quantity(value, unit, ucum),
    )
