"""Evelyn Bennett, 82: a weak heart with a pacemaker, and a daughter who helps."""

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
from demo.population.analytes import BASIC, BASIC_USUAL, CLOTTING, HEART_STRAIN, THYROID
from demo.population.chart import Chart
from demo.population.clinic import KIM, OSEI, PATEL
from demo.population.coding import loinc, snomed
from demo.population.labs import panel
from demo.population.people import born, patient
from demo.population.vitals import rounds


def chart(today: date) -> Chart:
    person = patient("evelyn", birth_date=born(today, 82, 12, 5), given=["Evelyn", "Rose"], family="Bennett")
    woman = Chart(person, today, "female")
    problem, icd = conditions.problem, conditions.icd
    heart = problem(
        woman,
        "heart",
        icd("Heart failure", "I50.22", "88805009", "Chronic congestive heart failure (disorder)"),
        1500,
    )
    rhythm = problem(
        woman,
        "rhythm",
        icd("Atrial fibrillation", "I48.20", "49436004", "Atrial fibrillation (disorder)"),
        2300,
    )
    bones = problem(woman, "bones", icd("Weak bones", "M81.0", "64859006", "Osteoporosis (disorder)"), 3000)
    thyroid = problem(
        woman, "thyroid", icd("Underactive thyroid", "E03.9", "40930008", "Hypothyroidism (disorder)"), 5000
    )
    problem(
        woman,
        "memory",
        icd("Memory problems", "G31.84", "386805003", "Mild cognitive disorder (disorder)"),
        420,
        category="health-concern",
    )
    conditions.allergy(
        woman,
        "sulfa",
        snomed("387406002", "Sulfonamide (substance)", text="Sulfa medicines"),
        9000,
        conditions.RASH,
    )
    for number, ago in enumerate(range(370, 5, -28)):
        panel(woman, CLOTTING, ago, {"inr": (2.3, 2.6, 2.1, 3.4, 2.8)[number % 5]}, ordered_by=PATEL)
    for ago, bnp, pounds in ((380, 1850, 138), (200, 1420, 134), (20, 1610, 139)):
        seen = v.visit(woman, v.FOLLOW_UP, ago, "Heart check", who=PATEL)
        rounds(
            woman,
            ago,
            systolic=118,
            diastolic=66,
            pulse=64,
            height=62,
            weight=pounds,
            encounter=seen,
            oxygen=95,
        )
        panel(woman, HEART_STRAIN, ago, {"bnp": bnp}, ordered_by=PATEL)
        panel(woman, BASIC, ago, BASIC_USUAL | {"creatinine": 1.2, "egfr": 45, "sodium": 134})
    panel(woman, THYROID, 200, {"tsh": 3.1})
    _treatment(woman, heart, rhythm, bones, thyroid)
    _papers(woman, seen)
    return woman


def _treatment(woman: Chart, heart: str, rhythm: str, bones: str, thyroid: str) -> None:
    rx = medicines.prescription
    rx(woman, "furosemide", 1480, "1 tablet in the morning", reason=heart, prescriber=PATEL)
    rx(woman, "metoprolol", 2290, "1 tablet in the morning", reason=rhythm, prescriber=PATEL)
    rx(woman, "warfarin", 2290, "As the clotting test says", reason=rhythm, prescriber=PATEL)
    rx(woman, "levothyroxine", 5000, "1 tablet before breakfast", reason=thyroid)
    rx(
        woman,
        "alendronic-acid",
        2900,
        "1 tablet a day, standing",
        status="stopped",
        stopped_because="Five years are over",
        reason=bones,
    )
    rx(woman, "donepezil", 400, "1 tablet at night")
    v.procedure(
        woman,
        "pacemaker",
        snomed("25267002", "Insertion of intracardiac pacemaker (procedure)", text="Pacemaker put in"),
        1100,
        who=PATEL,
    )
    others.device(woman, "pacemaker", others.PACEMAKER, 1100, implanted=True, serial="PM7731904")
    imaging.study(woman, imaging.BONE_DENSITY, 500, "T-score -2.7 at the hip: osteoporosis.")
    vaccines.flu_each_autumn(woman, 3)
    vaccines.vaccine(woman, "zoster", 900)
    vaccines.vaccine(woman, "covid", 330)
    vaccines.vaccine(woman, "td", 2500)
    social.smoking(woman, 380, social.NEVER_SMOKED)
    social.living_conditions(woman, 200)


def _papers(woman: Chart, seen: str) -> None:
    documents.note(
        woman,
        documents.CONSULT_NOTE,
        20,
        "Heart check note",
        "Evelyn came with her daughter Rosa. Three pounds more than in winter, ankles a little "
        "swollen, sleeps on two pillows. Pacemaker works, battery for six more years. Furosemide "
        "stays, weigh every morning.",
        encounter=seen,
        author=PATEL,
    )
    documents.note(
        woman,
        loinc("42348-3", "Advance directives"),
        600,
        "Advance directive",
        "Evelyn wants her daughter Rosa Bennett to decide for her if she cannot. No breathing machine.",
    )
    plan_goal = plans.goal(woman, 380, "Stay at home and walk to the shop")
    plans.plan(
        woman,
        380,
        "Heart plan",
        ["Weigh every morning", "Call if 3 pounds more in two days"],
        goals=(plan_goal,),
    )
    plans.team(woman, 2300, (PATEL, "Heart doctor"), (OSEI, "Family doctor"), (KIM, "Nurse"))
    others.relative_contact(woman, ("CHILD", "child"), "Bennett", "Rosa")
    insurance.coverage(woman, "HHP-09114-01", since=6000)
    v.appointment(woman, 5, "Clotting test", who=KIM, clock=("11:00", "11:10"))
    v.appointment(woman, 60, "Heart check", who=PATEL)
