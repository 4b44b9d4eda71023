"""Plain names and one short sentence for common tests and vital signs, in our own words.

The codes are LOINC codes (https://loinc.org, used under its licence); the words are ours. A code that is not
here keeps its lab's name, and the page says that we have no plain name for it.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True, slots=True)
class PlainName:
    name: Promise
    about: Promise


NAMES = {
    "blood-pressure": PlainName(
        pgettext_lazy("plain.blood-pressure", "Blood pressure"),
        pgettext_lazy(
            "plain.blood-pressure.about",
            "How hard your blood pushes when your heart beats and when it rests.",
        ),
    ),
    "systolic": PlainName(
        pgettext_lazy("plain.systolic", "Upper blood pressure"),
        pgettext_lazy(
            "plain.systolic.about",
            "The first number: the push when your heart beats. Doctors call it systolic.",
        ),
    ),
    "diastolic": PlainName(
        pgettext_lazy("plain.diastolic", "Lower blood pressure"),
        pgettext_lazy(
            "plain.diastolic.about",
            "The second number: the push when your heart rests. Doctors call it diastolic.",
        ),
    ),
    "weight": PlainName(
        pgettext_lazy("plain.weight", "Weight"),
        pgettext_lazy("plain.weight.about", "How much your body weighs."),
    ),
    "heart-rate": PlainName(
        pgettext_lazy("plain.heart-rate", "Heart rate"),
        pgettext_lazy("plain.heart-rate.about", "How many times your heart beats in a minute."),
    ),
    "breathing-rate": PlainName(
        pgettext_lazy("plain.breathing-rate", "Breathing rate"),
        pgettext_lazy("plain.breathing-rate.about", "How many breaths you take in a minute."),
    ),
    "height": PlainName(
        pgettext_lazy("plain.height", "Height"), pgettext_lazy("plain.height.about", "How tall you are.")
    ),
    "bmi": PlainName(
        pgettext_lazy("plain.bmi", "Body mass index (BMI)"),
        pgettext_lazy("plain.bmi.about", "Your weight compared with your height."),
    ),
    "bmi-percentile": PlainName(
        pgettext_lazy("plain.bmi-percentile", "BMI for age"),
        pgettext_lazy(
            "plain.bmi-percentile.about", "A child's BMI compared with other children of the same age."
        ),
    ),
    "weight-for-length": PlainName(
        pgettext_lazy("plain.weight-for-length", "Weight for length"),
        pgettext_lazy(
            "plain.weight-for-length.about", "A baby's weight compared with other babies of the same length."
        ),
    ),
    "head": PlainName(
        pgettext_lazy("plain.head", "Head size"),
        pgettext_lazy("plain.head.about", "The distance around the head."),
    ),
    "head-percentile": PlainName(
        pgettext_lazy("plain.head-percentile", "Head size for age"),
        pgettext_lazy(
            "plain.head-percentile.about", "A child's head size compared with others of the same age."
        ),
    ),
    "pain": PlainName(
        pgettext_lazy("plain.pain", "Pain score"),
        pgettext_lazy("plain.pain.about", "How strong you said your pain was, from 0 to 10."),
    ),
    "smoking": PlainName(
        pgettext_lazy("plain.smoking", "Smoking"),
        pgettext_lazy("plain.smoking.about", "What you told us about tobacco."),
    ),
    "oxygen": PlainName(
        pgettext_lazy("plain.oxygen", "Oxygen in your blood"),
        pgettext_lazy("plain.oxygen.about", "How much oxygen your blood carries."),
    ),
    "temperature": PlainName(
        pgettext_lazy("plain.temperature", "Body temperature"),
        pgettext_lazy("plain.temperature.about", "How warm your body is."),
    ),
    "hemoglobin": PlainName(
        pgettext_lazy("plain.hemoglobin", "Hemoglobin"),
        pgettext_lazy("plain.hemoglobin.about", "The part of your blood that carries oxygen."),
    ),
    "white-cells": PlainName(
        pgettext_lazy("plain.white-cells", "White blood cells"),
        pgettext_lazy("plain.white-cells.about", "Cells that help you fight germs."),
    ),
    "red-cells": PlainName(
        pgettext_lazy("plain.red-cells", "Red blood cells"),
        pgettext_lazy("plain.red-cells.about", "Cells that carry oxygen around your body."),
    ),
    "mcv": PlainName(
        pgettext_lazy("plain.mcv", "Size of red blood cells (MCV)"),
        pgettext_lazy("plain.mcv.about", "How big your red blood cells are."),
    ),
    "mch": PlainName(
        pgettext_lazy("plain.mch", "Hemoglobin in each red cell (MCH)"),
        pgettext_lazy("plain.mch.about", "How much hemoglobin is in each red blood cell."),
    ),
    "mchc": PlainName(
        pgettext_lazy("plain.mchc", "Hemoglobin strength in red cells (MCHC)"),
        pgettext_lazy("plain.mchc.about", "How packed with hemoglobin your red cells are."),
    ),
    "platelets": PlainName(
        pgettext_lazy("plain.platelets", "Platelets"),
        pgettext_lazy("plain.platelets.about", "Small bits in blood that help it clot."),
    ),
    "rdw": PlainName(
        pgettext_lazy("plain.rdw", "Spread of red cell sizes (RDW)"),
        pgettext_lazy("plain.rdw.about", "How much your red blood cells differ in size."),
    ),
    "pdw": PlainName(
        pgettext_lazy("plain.pdw", "Spread of platelet sizes (PDW)"),
        pgettext_lazy("plain.pdw.about", "How much your platelets differ in size."),
    ),
    "mpv": PlainName(
        pgettext_lazy("plain.mpv", "Size of platelets (MPV)"),
        pgettext_lazy("plain.mpv.about", "How big your platelets are."),
    ),
    "hematocrit": PlainName(
        pgettext_lazy("plain.hematocrit", "Hematocrit"),
        pgettext_lazy("plain.hematocrit.about", "The share of your blood that is red blood cells."),
    ),
    "cholesterol": PlainName(
        pgettext_lazy("plain.cholesterol", "Total cholesterol"),
        pgettext_lazy("plain.cholesterol.about", "All the cholesterol, a kind of fat, in your blood."),
    ),
    "triglycerides": PlainName(
        pgettext_lazy("plain.triglycerides", "Triglycerides"),
        pgettext_lazy("plain.triglycerides.about", "A kind of fat in your blood that comes from food."),
    ),
    "ldl": PlainName(
        pgettext_lazy("plain.ldl", "LDL cholesterol"),
        pgettext_lazy("plain.ldl.about", "A fat in your blood. It can build up in blood vessels."),
    ),
    "hdl": PlainName(
        pgettext_lazy("plain.hdl", "HDL cholesterol"),
        pgettext_lazy("plain.hdl.about", "A fat in your blood that helps to clear other fats away."),
    ),
    "glucose": PlainName(
        pgettext_lazy("plain.glucose", "Blood sugar"),
        pgettext_lazy("plain.glucose.about", "How much sugar (glucose) is in your blood."),
    ),
    "a1c": PlainName(
        pgettext_lazy("plain.a1c", "Hemoglobin A1c"),
        pgettext_lazy("plain.a1c.about", "Your average blood sugar over about 3 months."),
    ),
    "urea": PlainName(
        pgettext_lazy("plain.urea", "Urea nitrogen (BUN)"),
        pgettext_lazy("plain.urea.about", "A waste that your kidneys clear from your blood."),
    ),
    "creatinine": PlainName(
        pgettext_lazy("plain.creatinine", "Creatinine"),
        pgettext_lazy("plain.creatinine.about", "A waste from your muscles. It shows how your kidneys work."),
    ),
    "egfr": PlainName(
        pgettext_lazy("plain.egfr", "Kidney filter rate (eGFR)"),
        pgettext_lazy("plain.egfr.about", "How fast your kidneys clean your blood."),
    ),
    "calcium": PlainName(
        pgettext_lazy("plain.calcium", "Calcium"),
        pgettext_lazy("plain.calcium.about", "A mineral that bones, nerves and muscles need."),
    ),
    "sodium": PlainName(
        pgettext_lazy("plain.sodium", "Sodium"),
        pgettext_lazy("plain.sodium.about", "A salt that helps to balance the water in your body."),
    ),
    "potassium": PlainName(
        pgettext_lazy("plain.potassium", "Potassium"),
        pgettext_lazy("plain.potassium.about", "A salt that your heart and muscles need."),
    ),
    "chloride": PlainName(
        pgettext_lazy("plain.chloride", "Chloride"),
        pgettext_lazy("plain.chloride.about", "A salt that helps to balance the fluids in your body."),
    ),
    "carbon-dioxide": PlainName(
        pgettext_lazy("plain.carbon-dioxide", "Carbon dioxide"),
        pgettext_lazy("plain.carbon-dioxide.about", "It shows the balance of acid in your blood."),
    ),
    "protein": PlainName(
        pgettext_lazy("plain.protein", "Total protein"),
        pgettext_lazy("plain.protein.about", "All the protein in the liquid part of your blood."),
    ),
    "albumin": PlainName(
        pgettext_lazy("plain.albumin", "Albumin"),
        pgettext_lazy("plain.albumin.about", "A protein that your liver makes."),
    ),
    "globulin": PlainName(
        pgettext_lazy("plain.globulin", "Globulin"),
        pgettext_lazy("plain.globulin.about", "A group of proteins. Some of them fight germs."),
    ),
    "bilirubin": PlainName(
        pgettext_lazy("plain.bilirubin", "Bilirubin"),
        pgettext_lazy("plain.bilirubin.about", "A yellow waste that your liver clears."),
    ),
    "alp": PlainName(
        pgettext_lazy("plain.alp", "Alkaline phosphatase (ALP)"),
        pgettext_lazy("plain.alp.about", "It comes from your liver and bones."),
    ),
    "alt": PlainName(
        pgettext_lazy("plain.alt", "Liver test (ALT)"),
        pgettext_lazy("plain.alt.about", "It shows how your liver is doing."),
    ),
    "ast": PlainName(
        pgettext_lazy("plain.ast", "Liver test (AST)"),
        pgettext_lazy("plain.ast.about", "It comes from your liver and muscles."),
    ),
    "urine-albumin": PlainName(
        pgettext_lazy("plain.urine-albumin", "Albumin in urine"),
        pgettext_lazy(
            "plain.urine-albumin.about", "A kidney test. It looks for protein that leaks into urine."
        ),
    ),
    "neutrophils": PlainName(
        pgettext_lazy("plain.neutrophils", "Neutrophils"),
        pgettext_lazy("plain.neutrophils.about", "White blood cells that fight germs."),
    ),
    "lymphocytes": PlainName(
        pgettext_lazy("plain.lymphocytes", "Lymphocytes"),
        pgettext_lazy("plain.lymphocytes.about", "White blood cells that remember germs."),
    ),
    "monocytes": PlainName(
        pgettext_lazy("plain.monocytes", "Monocytes"),
        pgettext_lazy("plain.monocytes.about", "White blood cells that clear away old cells."),
    ),
    "eosinophils": PlainName(
        pgettext_lazy("plain.eosinophils", "Eosinophils"),
        pgettext_lazy("plain.eosinophils.about", "White blood cells that react to allergies."),
    ),
    "basophils": PlainName(
        pgettext_lazy("plain.basophils", "Basophils"),
        pgettext_lazy("plain.basophils.about", "White blood cells that play a part in allergies."),
    ),
    "tsh": PlainName(
        pgettext_lazy("plain.tsh", "Thyroid test (TSH)"),
        pgettext_lazy("plain.tsh.about", "It shows how hard your thyroid is asked to work."),
    ),
    "vitamin-d": PlainName(
        pgettext_lazy("plain.vitamin-d", "Vitamin D"),
        pgettext_lazy("plain.vitamin-d.about", "A vitamin that bones need."),
    ),
    "ferritin": PlainName(
        pgettext_lazy("plain.ferritin", "Stored iron (ferritin)"),
        pgettext_lazy("plain.ferritin.about", "How much iron your body has in store."),
    ),
    "crp": PlainName(
        pgettext_lazy("plain.crp", "C-reactive protein (CRP)"),
        pgettext_lazy("plain.crp.about", "It rises when your body fights something."),
    ),
    "inr": PlainName(
        pgettext_lazy("plain.inr", "Clotting time (INR)"),
        pgettext_lazy("plain.inr.about", "How long your blood takes to clot."),
    ),
    "psa": PlainName(
        pgettext_lazy("plain.psa", "Prostate test (PSA)"),
        pgettext_lazy("plain.psa.about", "A protein that the prostate makes."),
    ),
    "lipid-panel": PlainName(
        pgettext_lazy("plain.lipid-panel", "Cholesterol tests"),
        pgettext_lazy("plain.lipid-panel.about", "Tests of the fats in your blood."),
    ),
    "blood-count": PlainName(
        pgettext_lazy("plain.blood-count", "Blood count"),
        pgettext_lazy("plain.blood-count.about", "A count of the cells in your blood."),
    ),
    "metabolic-panel": PlainName(
        pgettext_lazy("plain.metabolic-panel", "Blood chemistry tests"),
        pgettext_lazy("plain.metabolic-panel.about", "Tests of salts, sugar, kidneys and liver."),
    ),
}

CODES = {
    "85354-9": "blood-pressure",
    "55284-4": "blood-pressure",
    "8480-6": "systolic",
    "8462-4": "diastolic",
    "29463-7": "weight",
    "3141-9": "weight",
    "8867-4": "heart-rate",
    "9279-1": "breathing-rate",
    "8302-2": "height",
    "39156-5": "bmi",
    "59576-9": "bmi-percentile",
    "77606-2": "weight-for-length",
    "9843-4": "head",
    "8287-5": "head",
    "8289-1": "head-percentile",
    "72514-3": "pain",
    "38208-5": "pain",
    "72166-2": "smoking",
    "2708-6": "oxygen",
    "59408-5": "oxygen",
    "8310-5": "temperature",
    "8331-1": "temperature",
    "718-7": "hemoglobin",
    "6690-2": "white-cells",
    "789-8": "red-cells",
    "787-2": "mcv",
    "785-6": "mch",
    "786-4": "mchc",
    "777-3": "platelets",
    "21000-5": "rdw",
    "788-0": "rdw",
    "32207-3": "pdw",
    "32623-1": "mpv",
    "4544-3": "hematocrit",
    "20570-8": "hematocrit",
    "2093-3": "cholesterol",
    "2571-8": "triglycerides",
    "18262-6": "ldl",
    "13457-7": "ldl",
    "2089-1": "ldl",
    "2085-9": "hdl",
    "2339-0": "glucose",
    "2345-7": "glucose",
    "1558-6": "glucose",
    "41653-7": "glucose",
    "4548-4": "a1c",
    "6299-2": "urea",
    "3094-0": "urea",
    "38483-4": "creatinine",
    "2160-0": "creatinine",
    "33914-3": "egfr",
    "98979-8": "egfr",
    "62238-1": "egfr",
    "48642-3": "egfr",
    "49765-1": "calcium",
    "17861-6": "calcium",
    "2947-0": "sodium",
    "2951-2": "sodium",
    "6298-4": "potassium",
    "2823-3": "potassium",
    "2069-3": "chloride",
    "2075-0": "chloride",
    "20565-8": "carbon-dioxide",
    "2028-9": "carbon-dioxide",
    "2885-2": "protein",
    "1751-7": "albumin",
    "10834-0": "globulin",
    "1975-2": "bilirubin",
    "6768-6": "alp",
    "1742-6": "alt",
    "1920-8": "ast",
    "14959-1": "urine-albumin",
    "9318-7": "urine-albumin",
    "770-8": "neutrophils",
    "751-8": "neutrophils",
    "736-9": "lymphocytes",
    "731-0": "lymphocytes",
    "5905-5": "monocytes",
    "742-7": "monocytes",
    "713-8": "eosinophils",
    "711-2": "eosinophils",
    "706-2": "basophils",
    "704-7": "basophils",
    "3016-3": "tsh",
    "1989-3": "vitamin-d",
    "62292-8": "vitamin-d",
    "2276-4": "ferritin",
    "1988-5": "crp",
    "30522-7": "crp",
    "6301-6": "inr",
    "2857-1": "psa",
    "57698-3": "lipid-panel",
    "24331-1": "lipid-panel",
    "58410-2": "blood-count",
    "57021-8": "blood-count",
    "24323-8": "metabolic-panel",
    "51990-0": "metabolic-panel",
    "24321-2": "metabolic-panel",
}


def plain_name(loinc: str) -> PlainName | None:
    """Our name for one LOINC code, or None where we have none."""
    return NAMES.get(CODES.get(loinc, ""))
