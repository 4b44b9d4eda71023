"""Medicines: what was prescribed, and what the person says they take."""

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import OSEI, Clinician
from demo.population.coding import RXNORM, Resource, concept, hl7, quantity, snomed

# What the demo's clinicians prescribe: RxNorm code and name, the short name people use.
FORMULARY = {
    "metformin": (
        "860975",
        "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet",
        "Metformin 500 mg",
    ),
    "atorvastatin": ("617310", "atorvastatin 20 MG Oral Tablet", "Atorvastatin 20 mg"),
    "simvastatin": ("312961", "Simvastatin 20 MG Oral Tablet", "Simvastatin 20 mg"),
    "lisinopril": ("314076", "lisinopril 10 MG Oral Tablet", "Lisinopril 10 mg"),
    "amlodipine": ("197361", "Amlodipine 5 MG Oral Tablet", "Amlodipine 5 mg"),
    "hydrochlorothiazide": ("310798", "Hydrochlorothiazide 25 MG Oral Tablet", "Hydrochlorothiazide 25 mg"),
    "furosemide": ("313988", "Furosemide 40 MG Oral Tablet", "Furosemide 40 mg"),
    "metoprolol": (
        "866427",
        "24 HR metoprolol succinate 25 MG Extended Release Oral Tablet",
        "Metoprolol 25 mg",
    ),
    "warfarin": ("855332", "Warfarin Sodium 5 MG Oral Tablet", "Warfarin 5 mg"),
    "donepezil": ("997223", "Donepezil hydrochloride 10 MG Oral Tablet", "Donepezil 10 mg"),
    "alendronic-acid": ("904419", "Alendronic acid 10 MG Oral Tablet", "Alendronic acid 10 mg"),
    "albuterol": (
        "2123111",
        "NDA020503 200 ACTUAT Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler",
        "Albuterol inhaler",
    ),
    "fluticasone": (
        "895994",
        "120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler",
        "Fluticasone inhaler",
    ),
    "fluticasone-salmeterol": (
        "896209",
        "60 ACTUAT Fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT Dry Powder Inhaler",
        "Fluticasone and salmeterol inhaler",
    ),
    "epinephrine": ("1870230", "NDA020800 0.3 ML Epinephrine 1 MG/ML Auto-Injector", "Epinephrine pen"),
    "insulin": (
        "106892",
        "insulin human, isophane 70 UNT/ML / Regular Insulin, Human 30 UNT/ML Injectable "
        "Suspension [Humulin]",
        "Insulin 70/30",
    ),
    "levothyroxine": ("966222", "Levothyroxine Sodium 0.075 MG Oral Tablet", "Levothyroxine 75 mcg"),
    "ferrous-sulfate": ("310325", "ferrous sulfate 325 MG Oral Tablet", "Iron tablets 325 mg"),
    "penicillin-v": ("834102", "Penicillin V Potassium 500 MG Oral Tablet", "Penicillin V 500 mg"),
    "amoxicillin": ("308182", "Amoxicillin 250 MG Oral Capsule", "Amoxicillin 250 mg"),
    "azithromycin": ("308460", "Azithromycin 250 MG Oral Tablet", "Azithromycin 250 mg"),
    "doxycycline": ("1649987", "doxycycline hyclate 100 MG", "Doxycycline 100 mg"),
    "cetirizine": ("1014676", "cetirizine hydrochloride 5 MG Oral Tablet", "Cetirizine 5 mg"),
    "acetaminophen": ("313782", "Acetaminophen 325 MG Oral Tablet", "Acetaminophen 325 mg"),
    "naltrexone": ("7243", "Naltrexone", "Naltrexone 50 mg"),
    "bictegravir": (
        "1999667",
        "bictegravir 50 MG / emtricitabine 200 MG / tenofovir alafenamide 25 MG Oral Tablet",
        "Bictegravir, emtricitabine and tenofovir",
    ),
    "sumatriptan": ("313161", "sumatriptan 50 MG Oral Tablet", "Sumatriptan 50 mg"),
}


def medicine(name: str) -> Resource:
    """The medicine as a CodeableConcept. Raises KeyError for one that is not in the formulary."""
    code, display, text = FORMULARY[name]
    return concept(RXNORM, code, display, text=text)


def prescription(
    chart: Chart,
    name: str,
    ago: int,
    directions: str,
    *,
    status: str = "active",
    stopped_because: str = "",
    reason: str = "",
    a_day: int = 1,
    dose: float = 1,
    as_needed: bool = False,
    labels: tuple[str, ...] = (),
    prescriber: Clinician = OSEI,
    refills: int = 3,
) -> str:
    """A prescription written `ago` days back. `reason`: reference to a Condition."""
    timing = {"repeat": {"frequency": a_day, "period": 1, "periodUnit": "d"}}
    return chart.add(
        "MedicationRequest",
        f"rx-{name}",
        profile="us-core-medicationrequest",
        labels=labels,
        status=status,
        statusReason={"text": stopped_because} if stopped_because else None,
        intent="order",
        category=[hl7("medicationrequest-category", "community", "Community")],
        reportedBoolean=False,
        medicationCodeableConcept=medicine(name),
        authoredOn=instant(chart.day(ago), "09:40"),
        requester=prescriber.ref,
        reasonReference=[reference(reason)] if reason else None,
        dosageInstruction=[
            {
                "text": directions,
                "timing": None if as_needed else timing,
                "asNeededBoolean": as_needed,
                "route": snomed("26643006", "Oral route (qualifier value)", text="By mouth"),
                "doseAndRate": [{"doseQuantity": quantity(dose, "dose", "{dose}")}],
            }
            if not as_needed
            else {"text": directions, "asNeededBoolean": True}
        ],
        dispenseRequest={
            "numberOfRepeatsAllowed": refills,
            "quantity": quantity(30 * a_day, "dose", "{dose}"),
        },
    )


def statement(chart: Chart, ago: int, what: str, directions: str, *, status: str = "active") -> str:
    """What the person says they take without a prescription. `what` is free text, as people say it."""
    return chart.add(
        "MedicationStatement",
        "takes",
        status=status,
        medicationCodeableConcept={"text": what},
        effectivePeriod={"start": chart.day(ago).isoformat()},
        dateAsserted=chart.day(ago).isoformat(),
        informationSource=chart.subject,
        dosage=[{"text": directions}],
    )
