"""Imaging: a study (no pictures), and the radiologist's report on it."""

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import BRANDT, CLINIC
from demo.population.coding import LOINC, Resource, coding, concept, hl7

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
CHEST_XRAY = ("30746-2", "Portable XR Chest Views", "DX", "Chest X-ray")
MAMMOGRAM = ("24606-6", "MG Breast Screening", "MG", "Screening mammogram")
PREGNANCY_ULTRASOUND = ("11525-3", "US for pregnancy", "US", "Pregnancy ultrasound")
WRIST_XRAY = ("37815-8", "XR Wrist Views", "DX", "Wrist X-ray")
BONE_DENSITY = ("38268-9", "DXA Skeletal system Views for bone density", "DX", "Bone density scan")


def study(
    chart: Chart,
    kind: tuple[str, str, str, str],
    ago: int,
    conclusion: str,
    *,
    status: str = "final",
    labels: tuple[str, ...] = (),
) -> str:
    """A study and its report; `status` of the report may be "amended". Returns the report's reference."""
    loinc_code, display, modality, title = kind
    day = chart.day(ago)
    code: Resource = concept(LOINC, loinc_code, display, text=title)
    uid = f"2.25.{int.from_bytes(f'{chart.id}{loinc_code}'.encode()[:15], 'big')}"
    imaging = chart.add(
        "ImagingStudy",
        "imaging",
        labels=labels,
        identifier=[{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        status="available",
        modality=[coding(DICOM, modality)],
        started=instant(day, "10:40"),
        interpreter=[BRANDT.ref],
        procedureCode=[code],
        numberOfSeries=1,
        numberOfInstances=2,
        description=title,
        series=[
            {
                "uid": f"{uid}.1",
                "number": 1,
                "modality": coding(DICOM, modality),
                "numberOfInstances": 2,
                "description": title,
            }
        ],
    )
    return chart.add(
        "DiagnosticReport",
        "imaging-report",
        profile="us-core-diagnosticreport-note",
        labels=labels,
        status=status,
        category=[concept(LOINC, "LP29684-5", "Radiology"), hl7("v2-0074", "RAD", "Radiology")],
        code=code,
        effectiveDateTime=instant(day, "10:40"),
        issued=instant(day, "14:10"),
        performer=[CLINIC],
        resultsInterpreter=[BRANDT.ref],
        imagingStudy=[reference(imaging)],
        conclusion=conclusion,
    )
