"""Grace Okafor, 29, in the 26th week of her second pregnancy, and her daughter Ella, 3."""

from datetime import date

from demo.population import (
    conditions,
    documents,
    imaging,
    insurance,
    medicines,
    others,
    plans,
    social,
    vaccines,
)
from demo.population import visits as v
from demo.population.analytes import (
    BLOOD_COUNT,
    BLOOD_COUNT_USUAL,
    FERRITIN,
    LEAD,
    METABOLIC,
    METABOLIC_USUAL,
    SUGAR_DRINK,
    THYROID,
)
from demo.population.chart import Chart
from demo.population.clinic import ALVAREZ, KIM, NGUYEN, OSEI
from demo.population.coding import loinc, snomed
from demo.population.labs import NOT_DETECTED, finding, panel
from demo.population.people import born, patient
from demo.population.vitals import growth, percentile, rounds

REPRODUCTIVE = ("SEX",)
# Days ago, systolic, diastolic, pounds, hemoglobin
PRENATAL_VISITS = (
    (126, 112, 70, 141, 12.4),
    (98, 110, 68, 144, 11.9),
    (70, 108, 66, 148, 11.3),
    (42, 112, 70, 153, 10.8),
    (10, 116, 72, 158, 10.6),
)


def grace(today: date) -> Chart:
    person = patient(
        "grace",
        birth_date=born(today, 29, 2, 8),
        given=["Grace"],
        family="Okafor",
        race="black",
        household="okafor",
    )
    woman = Chart(person, today, "female")
    pregnancy = conditions.problem(
        woman,
        "pregnancy",
        conditions.icd("Pregnancy", "Z34.80", "72892002", "Normal pregnancy (finding)"),
        126,
        labels=REPRODUCTIVE,
        recorder=NGUYEN,
    )
    anemia = conditions.problem(
        woman,
        "iron",
        conditions.icd("Low iron", "D50.9", "87522002", "Iron deficiency anemia (disorder)"),
        42,
        recorder=NGUYEN,
    )
    conditions.allergy(
        woman,
        "latex",
        snomed("111088007", "Latex (substance)", text="Latex"),
        1600,
        conditions.RASH,
        category="environment",
    )
    last = _prenatal_visits(woman)
    _pregnancy_tests(woman)
    medicines.prescription(
        woman, "ferrous-sulfate", 41, "1 tablet a day, not with milk or tea", reason=anemia, prescriber=NGUYEN
    )
    medicines.statement(woman, 120, "Prenatal vitamin", "1 a day")
    vaccines.vaccine(woman, "flu", 200)
    vaccines.vaccine(woman, "tdap", 8)
    social.smoking(woman, 126, social.NEVER_SMOKED)
    social.pregnancy_status(woman, 10, labels=REPRODUCTIVE)
    social.occupation(woman, 126, "Teacher")
    social.living_conditions(woman, 126, food_at_risk=True)
    social.mood_survey(woman, 42, (0, 0, 2, 2, 1, 0, 0, 0, 0))
    plans.plan(
        woman, 126, "Pregnancy plan", ["Check every four weeks", "Iron tablets"], problems=(pregnancy, anemia)
    )
    plans.team(woman, 126, (NGUYEN, "Pregnancy doctor"), (OSEI, "Family doctor"), (KIM, "Nurse"))
    insurance.bill(woman, insurance.coverage(woman, "HHP-31177-01"), last, 10, 180, 162)
    _ahead(woman)
    return woman


def _prenatal_visits(woman: Chart) -> str:
    for ago, systolic, diastolic, pounds, hemoglobin in PRENATAL_VISITS:
        seen = v.visit(woman, v.PRENATAL, ago, "Pregnancy check", who=NGUYEN, labels=REPRODUCTIVE)
        rounds(
            woman,
            ago,
            systolic=systolic,
            diastolic=diastolic,
            height=65,
            weight=pounds,
            encounter=seen,
            pulse=82,
        )
        panel(
            woman,
            BLOOD_COUNT,
            ago,
            BLOOD_COUNT_USUAL | {"hemoglobin": hemoglobin, "hematocrit": round(hemoglobin * 3)},
        )
    return seen


def _ahead(woman: Chart) -> None:
    documents.letter(
        woman,
        9,
        "Your pregnancy so far",
        [
            "Dear Grace,",
            "You and your baby are doing well. Your iron is low. Take the iron tablets every day.",
            "The sugar test was in the usual range. I will see you in two weeks.",
            "Dr. Linh Nguyen, Riverside Clinic, 555-0100",
        ],
        author=NGUYEN,
        labels=REPRODUCTIVE,
    )
    v.appointment(woman, 4, "Pregnancy check", who=NGUYEN)
    v.appointment(woman, 18, "Pregnancy check", who=NGUYEN)
    question = others.message(
        woman, 15, "Can I travel by plane next month? Grace", who=NGUYEN, from_patient=True, clock="08:15"
    )
    others.message(
        woman, 14, "Yes, until week 36. Bring your notes with you. Dr. Nguyen", who=NGUYEN, answers=question
    )


def _pregnancy_tests(woman: Chart) -> None:
    panel(woman, SUGAR_DRINK, 10, {"glucose_1h": 128}, ordered_by=NGUYEN)
    panel(woman, FERRITIN, 42, {"ferritin": 9}, ordered_by=NGUYEN)
    panel(woman, THYROID, 126, {"tsh": 1.8}, ordered_by=NGUYEN)
    panel(woman, METABOLIC, 126, METABOLIC_USUAL | {"creatinine": 0.6, "albumin": 3.7}, ordered_by=NGUYEN)
    finding(
        woman,
        "blood-group",
        126,
        loinc("882-1", "ABO and Rh group [Type] in Blood", text="Blood group"),
        snomed("278147001", "Blood group O Rh(D) positive (finding)", text="O positive"),
        usual="Not applicable",
        ordered_by=NGUYEN,
    )
    finding(
        woman,
        "hiv-screen",
        126,
        loinc(
            "56888-1",
            "HIV 1+2 Ab+HIV1 p24 Ag [Presence] in Serum or Plasma by Immunoassay",
            text="HIV screen",
        ),
        NOT_DETECTED,
        labels=("HIV",),
        ordered_by=NGUYEN,
    )
    imaging.study(
        woman,
        imaging.PREGNANCY_ULTRASOUND,
        44,
        "One baby, 20 weeks, growing as expected. The placenta lies high.",
        labels=REPRODUCTIVE,
    )


def ella(today: date) -> Chart:
    person = patient(
        "ella",
        birth_date=born(today, 3, 6, 21),
        given=["Ella"],
        family="Okafor",
        race="black",
        household="okafor",
        generalPractitioner=[ALVAREZ.ref],
    )
    girl = Chart(person, today, "child")
    vaccines.childhood(girl)
    vaccines.flu_each_autumn(girl, 2)
    for age, inches, pounds in ((0.17, 22.6, 11.6), (0.5, 25.9, 16.1), (1.0, 29.2, 19.8), (1.5, 31.8, 22.9)):
        ago = girl.ago_at_age(age)
        v.visit(girl, v.WELL_CHILD, ago, "Well child check", who=ALVAREZ)
        growth(girl, ago, height=inches, weight=pounds)
    for age, inches, pounds, centile in ((2.0, 34.0, 26.5, 52), (2.6, 36.2, 29.3, 50)):
        ago = girl.ago_at_age(age)
        v.visit(girl, v.WELL_CHILD, ago, "Well child check", who=ALVAREZ)
        growth(girl, ago, height=inches, weight=pounds)
        percentile(girl, ago, centile)
    panel(girl, LEAD, girl.ago_at_age(1.0), {"lead": 1.2}, ordered_by=ALVAREZ)
    panel(
        girl,
        BLOOD_COUNT,
        girl.ago_at_age(2.0),
        BLOOD_COUNT_USUAL | {"hemoglobin": 11.9, "wbc": 8.1, "hematocrit": 35.8},
        ordered_by=ALVAREZ,
    )
    conditions.problem(
        girl,
        "eczema",
        snomed("24079001", "Atopic dermatitis (disorder)", text="Eczema"),
        700,
        recorder=ALVAREZ,
    )
    conditions.allergy(
        girl,
        "egg",
        snomed("102263004", "Eggs (edible) (substance)", text="Egg"),
        650,
        conditions.RASH,
        category="food",
    )
    _ear_infection(girl)
    others.relative_contact(girl, ("MTH", "mother"), "Okafor", "Grace")
    plans.team(girl, 900, (ALVAREZ, "Children's doctor"), (OSEI, "Family doctor"), (KIM, "Nurse"))
    insurance.coverage(girl, "HHP-31177-02", relationship="child")
    v.appointment(girl, 33, "Well child check", who=ALVAREZ, clock=("09:30", "10:00"))
    return girl


def _ear_infection(girl: Chart) -> None:
    ear = v.visit(girl, v.PROBLEM, 64, "Fever and ear pain", who=ALVAREZ)
    conditions.diagnosis(
        girl, "diagnosis", snomed("65363002", "Otitis media (disorder)", text="Middle ear infection"), 64, ear
    )
    medicines.prescription(
        girl,
        "amoxicillin",
        64,
        "Give twice a day for 7 days",
        status="completed",
        a_day=2,
        prescriber=ALVAREZ,
        refills=0,
    )
    documents.note(
        girl,
        documents.PROGRESS_NOTE,
        64,
        "Visit note",
        "Ella, fever for two days and pulls at her left ear. Left eardrum red and bulging. "
        "Amoxicillin for seven days.",
        encounter=ear,
        author=ALVAREZ,
    )
