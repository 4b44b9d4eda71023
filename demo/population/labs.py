"""Test results: a DiagnosticReport for each panel and an Observation for each number in it."""

from collections.abc import Mapping
from datetime import date, timedelta

from demo.population.analytes import ANALYTES, Analyte, Panel, Range
from demo.population.chart import Chart, instant, reference
from demo.population.clinic import LAB, OSEI, Clinician
from demo.population.coding import HL7, US_CORE, Resource, coding, concept, hl7, loinc, quantity, snomed

LABORATORY = [hl7("observation-category", "laboratory", "Laboratory")]
CLINICAL_TEST = [concept(f"{US_CORE}CodeSystem/us-core-category", "clinical-test", "Clinical Test")]
INTERPRETATION = {
    "N": "Normal",
    "L": "Low",
    "H": "High",
    "LL": "Critical low",
    "HH": "Critical high",
    "A": "Abnormal",
}
NOT_DETECTED = snomed("260415000", "Not detected (qualifier value)", text="Not detected")
DETECTED = snomed("260373001", "Detected (qualifier value)", text="Detected")


def panel(
    chart: Chart,
    what: Panel,
    ago: int,
    values: Mapping[str, float],
    *,
    status: str = "final",
    critical: str = "",
    note: str = "",
    conclusion: str | None = None,
    ordered_by: Clinician = OSEI,
    encounter: str = "",
) -> str:
    """One panel drawn `ago` days back and reported the next day; a preliminary one the same day.

    `values`: by key of ANALYTES. `critical`: the key that the lab flags HH or LL.
    Returns the report's reference.
    """
    drawn = chart.day(ago)
    reported = drawn if status == "preliminary" else min(drawn + timedelta(days=1), chart.today)
    results = [
        _number(chart, key, value, drawn, reported, status=status, critical=key == critical, note=note)
        for key, value in values.items()
    ]
    return chart.add(
        "DiagnosticReport",
        f"{what.stem}-report",
        profile="us-core-diagnosticreport-lab",
        status=status,
        category=[hl7("v2-0074", "LAB", "Laboratory")],
        code=loinc(what.loinc, what.display, text=what.title),
        encounter=reference(encounter) if encounter else None,
        effectiveDateTime=instant(drawn, "08:20"),
        issued=instant(reported, "16:05" if status == "preliminary" else "07:30"),
        performer=[LAB],
        resultsInterpreter=None if status == "preliminary" else [ordered_by.ref],
        result=[reference(result) for result in results],
        conclusion=conclusion,
    )


def finding(
    chart: Chart,
    stem: str,
    ago: int,
    code: Resource,
    value: Resource,
    *,
    interpretation: str = "N",
    usual: str = "Not detected",
    labels: tuple[str, ...] = (),
    ordered_by: Clinician = OSEI,
) -> str:
    """A test whose answer is a word (a CodeableConcept) or a bounded count (a Quantity), with its report."""
    drawn = chart.day(ago)
    common = {
        "status": "final",
        "code": code,
        "effectiveDateTime": instant(drawn, "08:20"),
        "issued": instant(min(drawn + timedelta(days=1), chart.today), "07:30"),
        "performer": [LAB],
    }
    observation = chart.add(
        "Observation",
        stem,
        profile="us-core-observation-lab",
        labels=labels,
        category=LABORATORY,
        interpretation=[_interpretation(interpretation)],
        referenceRange=[{"text": usual}],
        **common,
        **{"valueQuantity" if "value" in value else "valueCodeableConcept": value},
    )
    return chart.add(
        "DiagnosticReport",
        f"{stem}-report",
        profile="us-core-diagnosticreport-lab",
        labels=labels,
        category=[hl7("v2-0074", "LAB", "Laboratory")],
        result=[reference(observation)],
        resultsInterpreter=[ordered_by.ref],
        **common,
    )


def _number(
    chart: Chart,
    key: str,
    value: float,
    drawn: date,
    reported: date,
    *,
    status: str,
    critical: bool,
    note: str,
) -> str:
    analyte = ANALYTES[key]
    usual = analyte.range_for(chart.ranges)
    is_lab = key != "fev1_fvc"
    return chart.add(
        "Observation",
        key.replace("_", "-"),
        profile="us-core-observation-lab" if is_lab else "us-core-observation-clinical-result",
        status=status,
        category=LABORATORY if is_lab else CLINICAL_TEST,
        code=loinc(analyte.loinc, analyte.display),
        effectiveDateTime=instant(drawn, "08:20"),
        issued=instant(reported, "16:05" if status == "preliminary" else "07:30"),
        performer=[LAB],
        valueQuantity=quantity(value, analyte.unit, analyte.ucum),
        interpretation=[_interpretation(_code(value, usual) * (2 if critical else 1))],
        referenceRange=[_reference_range(analyte, usual)],
        note=[{"text": note}] if note else None,
    )


def _code(value: float, usual: Range) -> str:
    low, high = usual
    if low is not None and value < low:
        return "L"
    return "H" if high is not None and value > high else "N"


def _interpretation(code: str) -> Resource:
    return {"coding": [coding(HL7 + "v3-ObservationInterpretation", code, INTERPRETATION[code])]}


def _reference_range(analyte: Analyte, usual: Range) -> Resource:
    low, high = usual
    limits = {
        name: quantity(limit, analyte.unit, analyte.ucum)
        for name, limit in (("low", low), ("high", high))
        if limit is not None
    }
    words = f"{low}-{high}" if len(limits) == 2 else f"<= {high}" if low is None else f">= {low}"
    return {
        **limits,
        "type": hl7("referencerange-meaning", "normal", "Normal Range"),
        "text": f"{words} {analyte.unit}",
    }
