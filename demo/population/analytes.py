"""What the lab measures: codes, units and usual ranges. Ranges are those of a plausible adult lab."""

from dataclasses import dataclass, field

Range = tuple[float | None, float | None]  # low, high; None: no limit on that side


@dataclass(frozen=True, slots=True)
class Analyte:
    loinc: str
    display: str
    unit: str
    usual: Range = (None, None)
    by: dict[str, Range] = field(default_factory=dict)  # female, male or child, where it differs
    ucum: str = ""  # where it differs from `unit`

    def range_for(self, whom: str) -> Range:
        return self.by.get(whom, self.usual)


ANALYTES = {
    # Fats in the blood
    "cholesterol": Analyte("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", (None, 200)),
    "triglycerides": Analyte("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "mg/dL", (None, 150)),
    "hdl": Analyte(
        "2085-9",
        "Cholesterol in HDL [Mass/volume] in Serum or Plasma",
        "mg/dL",
        (40, None),
        {"female": (50, None)},
    ),
    "ldl": Analyte(
        "13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", "mg/dL", (None, 100)
    ),
    # Sugar
    "hba1c": Analyte("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", (4.0, 5.6)),
    "glucose": Analyte("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", (70, 99)),
    "glucose_1h": Analyte(
        "1504-0",
        "Glucose [Mass/volume] in Serum or Plasma --1 hour post 50 g glucose PO",
        "mg/dL",
        (None, 140),
    ),
    # Kidneys, salts and liver
    "urea": Analyte("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", "mg/dL", (7, 20)),
    "creatinine": Analyte(
        "2160-0",
        "Creatinine [Mass/volume] in Serum or Plasma",
        "mg/dL",
        (0.6, 1.1),
        {"male": (0.7, 1.3), "child": (0.3, 0.7)},
    ),
    "egfr": Analyte(
        "98979-8",
        "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood "
        "by Creatinine-based formula (CKD-EPI 2021)",
        "mL/min/1.73m2",
        (60, None),
        ucum="mL/min/{1.73_m2}",
    ),
    "calcium": Analyte("17861-6", "Calcium [Mass/volume] in Serum or Plasma", "mg/dL", (8.6, 10.3)),
    "sodium": Analyte("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", (135, 145)),
    "potassium": Analyte("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", (3.5, 5.1)),
    "chloride": Analyte("2075-0", "Chloride [Moles/volume] in Serum or Plasma", "mmol/L", (98, 107)),
    "bicarbonate": Analyte(
        "2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma", "mmol/L", (22, 29)
    ),
    "protein": Analyte("2885-2", "Protein [Mass/volume] in Serum or Plasma", "g/dL", (6.0, 8.3)),
    "albumin": Analyte("1751-7", "Albumin [Mass/volume] in Serum or Plasma", "g/dL", (3.5, 5.0)),
    "bilirubin": Analyte("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", "mg/dL", (0.1, 1.2)),
    "alp": Analyte(
        "6768-6",
        "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma",
        "U/L",
        (40, 130),
        {"child": (130, 420)},
    ),
    "alt": Analyte(
        "1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "U/L", (7, 40)
    ),
    "ast": Analyte(
        "1920-8", "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "U/L", (8, 40)
    ),
    "uacr": Analyte("14959-1", "Microalbumin/Creatinine [Mass Ratio] in Urine", "mg/g", (None, 30)),
    # Blood count
    "wbc": Analyte(
        "6690-2",
        "Leukocytes [#/volume] in Blood by Automated count",
        "10*3/uL",
        (4.0, 11.0),
        {"child": (4.5, 13.5)},
    ),
    "rbc": Analyte(
        "789-8",
        "Erythrocytes [#/volume] in Blood by Automated count",
        "10*6/uL",
        (3.9, 5.2),
        {"male": (4.4, 5.9), "child": (4.0, 5.2)},
    ),
    "hemoglobin": Analyte(
        "718-7",
        "Hemoglobin [Mass/volume] in Blood",
        "g/dL",
        (12.0, 15.5),
        {"male": (13.5, 17.5), "child": (11.0, 15.5)},
    ),
    "hematocrit": Analyte(
        "4544-3",
        "Hematocrit [Volume Fraction] of Blood by Automated count",
        "%",
        (36, 46),
        {"male": (41, 51), "child": (33, 45)},
    ),
    "platelets": Analyte("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", (150, 400)),
    # Others
    "tsh": Analyte("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "m[IU]/L", (0.4, 4.0)),
    "ferritin": Analyte(
        "2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "ng/mL", (15, 150), {"male": (30, 400)}
    ),
    "vitamin_d": Analyte(
        "1989-3", "25-hydroxyvitamin D3 [Mass/volume] in Serum or Plasma", "ng/mL", (30, 100)
    ),
    "inr": Analyte("6301-6", "INR in Platelet poor plasma by Coagulation assay", "{INR}", (0.8, 1.2)),
    "bnp": Analyte(
        "71425-3",
        "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Blood by Immunoassay",
        "pg/mL",
        (None, 450),
    ),
    "lead": Analyte("5671-3", "Lead [Mass/volume] in Blood", "ug/dL", (None, 3.5)),
    "cd4": Analyte(
        "24467-3",
        "CD3+CD4+ (T4 helper) cells [#/volume] in Blood",
        "cells/uL",
        (500, 1500),
        ucum="{cells}/uL",
    ),
    "fev1_fvc": Analyte("19926-5", "FEV1/FVC", "%", (70, None)),
}


@dataclass(frozen=True, slots=True)
class Panel:
    stem: str
    loinc: str
    display: str
    title: str  # as a clinician would say it


LIPIDS = Panel("lipids", "24331-1", "Lipid 1996 panel - Serum or Plasma", "Lipid panel")
SUGAR = Panel("a1c", "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "Hemoglobin A1c")
METABOLIC = Panel(
    "metabolic",
    "24323-8",
    "Comprehensive metabolic 2000 panel - Serum or Plasma",
    "Comprehensive metabolic panel",
)
BASIC = Panel("basic", "51990-0", "Basic metabolic panel - Blood", "Basic metabolic panel")
BLOOD_COUNT = Panel("cbc", "58410-2", "CBC panel - Blood by Automated count", "Complete blood count")
THYROID = Panel(
    "tsh", "3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "Thyroid stimulating hormone"
)
URINE_ALBUMIN = Panel(
    "uacr", "14959-1", "Microalbumin/Creatinine [Mass Ratio] in Urine", "Urine albumin to creatinine"
)
CLOTTING = Panel("inr", "34528-0", "PT panel - Platelet poor plasma by Coagulation assay", "Clotting time")
FERRITIN = Panel("ferritin", "2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "Ferritin")
VITAMIN_D = Panel("vitamin-d", "1989-3", "25-hydroxyvitamin D3 [Mass/volume] in Serum or Plasma", "Vitamin D")
HEART_STRAIN = Panel(
    "bnp",
    "71425-3",
    "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Blood by Immunoassay",
    "NT-proBNP",
)
SUGAR_DRINK = Panel(
    "glucose-1h",
    "1504-0",
    "Glucose [Mass/volume] in Serum or Plasma --1 hour post 50 g glucose PO",
    "Glucose challenge, 1 hour",
)
LEAD = Panel("lead", "5671-3", "Lead [Mass/volume] in Blood", "Blood lead")

METABOLIC_USUAL = {
    "glucose": 92,
    "urea": 13,
    "creatinine": 0.8,
    "egfr": 92,
    "calcium": 9.4,
    "sodium": 140,
    "potassium": 4.2,
    "chloride": 103,
    "bicarbonate": 25,
    "protein": 7.1,
    "albumin": 4.4,
    "bilirubin": 0.6,
    "alp": 70,
    "alt": 22,
    "ast": 20,
}
BASIC_USUAL = {
    name: METABOLIC_USUAL[name]
    for name in (
        "glucose",
        "urea",
        "creatinine",
        "egfr",
        "calcium",
        "sodium",
        "potassium",
        "chloride",
        "bicarbonate",
    )
}
BLOOD_COUNT_USUAL = {"wbc": 6.4, "rbc": 4.5, "hemoglobin": 13.6, "hematocrit": 40.5, "platelets": 245}
