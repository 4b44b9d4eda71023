"""Tom Moreno, 12, Alice's son, and Amir Moreno, 48, her husband and helper."""

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
from demo.population.analytes import BLOOD_COUNT, BLOOD_COUNT_USUAL, LIPIDS, SUGAR
from demo.population.chart import Chart
from demo.population.clinic import ALVAREZ, KIM, OSEI
from demo.population.coding import snomed
from demo.population.labs import panel
from demo.population.people import born, patient
from demo.population.vitals import blood_pressure, growth, percentile, rounds

# Age, inches, pounds, BMI percentile
TOMS_GROWTH = (
    (4.1, 40.5, 36, 58),
    (5.1, 43.0, 40, 56),
    (6.1, 45.5, 45, 55),
    (7.1, 48.0, 51, 57),
    (8.1, 50.5, 57, 58),
    (9.1, 52.6, 64, 60),
    (10.1, 54.7, 71, 61),
    (11.1, 57.0, 80, 63),
)


def tom(today: date) -> Chart:
    person = patient(
        "tom",
        birth_date=born(today, 12, 9, 2),
        given=["Tom"],
        family="Moreno",
        hispanic=True,
        birth_sex="M",
        household="moreno",
        generalPractitioner=[ALVAREZ.ref],
    )
    boy = Chart(person, today, "child")
    asthma = conditions.problem(
        boy,
        "asthma",
        conditions.icd("Asthma", "J45.30", "233678006", "Childhood asthma (disorder)"),
        boy.ago_at_age(5.4),
        recorder=ALVAREZ,
    )
    conditions.allergy(
        boy,
        "peanut",
        snomed("762952008", "Peanut (substance)", text="Peanuts"),
        boy.ago_at_age(2.2),
        conditions.ANAPHYLAXIS,
        conditions.HIVES,
        category="food",
        criticality="high",
    )
    vaccines.childhood(boy)
    vaccines.flu_each_autumn(boy, 4)
    for age, inches, pounds, centile in TOMS_GROWTH:
        ago = boy.ago_at_age(age)
        v.visit(boy, v.WELL_CHILD, ago, "Yearly check", who=ALVAREZ)
        growth(boy, ago, height=inches, weight=pounds)
        percentile(boy, ago, centile)
    _last_visit(boy)
    _asthma_care(boy, asthma)
    return boy


def _last_visit(boy: Chart) -> None:
    seen = v.visit(boy, v.PROBLEM, 33, "Cough at night and after football", who=ALVAREZ)
    rounds(boy, 33, systolic=106, diastolic=64, pulse=84, height=58.4, weight=85, encounter=seen, oxygen=97)
    conditions.diagnosis(
        boy,
        "diagnosis",
        snomed("10509002", "Acute bronchitis (disorder)", text="Bronchitis"),
        33,
        seen,
    )
    panel(boy, BLOOD_COUNT, 33, BLOOD_COUNT_USUAL | {"hemoglobin": 12.8, "wbc": 9.8}, ordered_by=ALVAREZ)
    documents.note(
        boy,
        documents.PROGRESS_NOTE,
        33,
        "Visit note",
        "Tom, 12, coughs at night twice a week and after football. Chest: light wheeze on both "
        "sides. Asthma not fully controlled. Fluticasone daily, albuterol before sport. Spacer "
        "technique checked with his mother.",
        encounter=seen,
        author=ALVAREZ,
    )
    documents.letter(
        boy,
        32,
        "Asthma plan for school",
        [
            "To the school nurse,",
            "Tom Moreno has asthma and a severe peanut allergy. He may carry his inhaler and his "
            "epinephrine pen.",
            "If he coughs or wheezes: 2 puffs of albuterol, wait 10 minutes, repeat once. "
            "If he is not better, call 911 and his parents.",
            "Dr. Lucia Alvarez, Riverside Clinic, 555-0100",
        ],
        author=ALVAREZ,
    )


def _asthma_care(boy: Chart, asthma: str) -> None:
    rx = medicines.prescription
    rx(
        boy,
        "albuterol",
        1500,
        "2 puffs when it is hard to breathe",
        as_needed=True,
        reason=asthma,
        prescriber=ALVAREZ,
    )
    rx(
        boy,
        "fluticasone",
        33,
        "2 puffs in the morning and evening",
        a_day=2,
        reason=asthma,
        prescriber=ALVAREZ,
    )
    rx(
        boy,
        "epinephrine",
        300,
        "1 pen into the thigh for a severe reaction",
        as_needed=True,
        prescriber=ALVAREZ,
    )
    rx(
        boy,
        "amoxicillin",
        1250,
        "1 capsule 3 times a day for 10 days",
        status="completed",
        a_day=3,
        prescriber=ALVAREZ,
        refills=0,
    )
    imaging.study(boy, imaging.WRIST_XRAY, 500, "No fracture of the left wrist.")
    plans.plan(
        boy,
        33,
        "Asthma plan",
        ["Fluticasone every morning and evening", "Albuterol 15 minutes before sport"],
        problems=(asthma,),
    )
    plans.team(boy, 2000, (ALVAREZ, "Children's doctor"), (OSEI, "Family doctor"), (KIM, "Nurse"))
    others.relative_contact(boy, ("MTH", "mother"), "Moreno", "Alice")
    v.appointment(boy, 21, "Asthma check", who=ALVAREZ, clock=("15:30", "16:00"))
    insurance.coverage(boy, "HHP-20418-03", relationship="child")


def amir(today: date) -> Chart:
    person = patient(
        "amir",
        birth_date=born(today, 48, 11, 23),
        given=["Amir"],
        family="Moreno",
        birth_sex="M",
        household="moreno",
    )
    man = Chart(person, today, "male")
    conditions.no_known_allergies(man, 410)
    conditions.problem(
        man,
        "hay-fever",
        conditions.icd("Hay fever", "J30.2", "367498001", "Seasonal allergic rhinitis (disorder)"),
        2600,
    )
    medicines.prescription(man, "cetirizine", 410, "1 tablet a day in spring", as_needed=True)
    for ago, ldl, hba1c in ((775, 108, 5.4), (410, 104, 5.5), (45, 99, 5.5)):
        seen = v.visit(man, v.CHECK_UP, ago, "Yearly check")
        rounds(man, ago, systolic=124, diastolic=78, height=70, weight=181, encounter=seen)
        panel(man, LIPIDS, ago, {"cholesterol": ldl + 72, "triglycerides": 118, "hdl": 48, "ldl": ldl})
        panel(man, SUGAR, ago, {"hba1c": hba1c})
    blood_pressure(man, 12, 126, 79, at_home=True, clock="06:50")
    vaccines.flu_each_autumn(man, 2)
    vaccines.vaccine(man, "tdap", 1900)
    social.smoking(man, 45, social.USED_TO_SMOKE)
    social.occupation(man, 410, "Electrician")
    documents.note(
        man,
        documents.HISTORY_AND_PHYSICAL,
        45,
        "Yearly check",
        "48-year-old man, well. Stopped smoking eight years ago. Heart and lungs without findings. "
        "Colon cancer screening discussed and booked.",
    )
    plans.team(man, 775, (OSEI, "Family doctor"))
    insurance.coverage(man, "HHP-20418-02", relationship="spouse")
    v.appointment(man, 26, "Colon cancer screening", clock=("08:00", "09:00"))
    return man
