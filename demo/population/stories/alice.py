"""Alice Moreno, 46: sugar and cholesterol coming down over three years, and two things she keeps private."""

from datetime import date

from demo.population import (
    conditions,
    imaging,
    medicines,
    others,
    social,
    vaccines,
)
from demo.population import visits as v
from demo.population.analytes import (
    BLOOD_COUNT,
    BLOOD_COUNT_USUAL,
    LIPIDS,
    METABOLIC,
    METABOLIC_USUAL,
    SUGAR,
    THYROID,
    URINE_ALBUMIN,
    VITAMIN_D,
)
from demo.population.chart import Chart
from demo.population.coding import snomed
from demo.population.labs import panel
from demo.population.people import born, patient
from demo.population.stories import alice_papers
from demo.population.vitals import blood_pressure, rounds

# Days ago, LDL, HDL, triglycerides, total cholesterol, HbA1c, systolic, diastolic, pounds
COURSE = (
    (1085, 152, 44, 198, 236, 7.6, 148, 94, 184),
    (905, 148, 45, 190, 231, 7.4, 146, 92, 182),
    (720, 139, 46, 176, 220, 7.1, 141, 90, 179),
    (540, 134, 47, 168, 215, 6.9, 138, 88, 177),
    (365, 127, 48, 160, 207, 6.7, 136, 86, 174),
    (190, 121, 49, 152, 200, 6.5, 134, 84, 172),
    (12, 118, 51, 146, 198, 6.3, 132, 82, 170),
)


def chart(today: date) -> Chart:
    person = patient(
        "alice",
        birth_date=born(today, 46, 4, 17),
        given=["Alice", "Maria"],
        family="Moreno",
        race="white",
        hispanic=True,
        household="moreno",
    )
    alice = Chart(person, today, "female")
    problems = _problems(alice)
    _background(alice)
    seen = _course(alice)
    _other_results(alice)
    _medicines(alice, problems)
    _prevention(alice)
    alice_papers.private(alice)
    alice_papers.papers(alice, seen)
    alice_papers.plan(alice, problems)
    alice_papers.bills_and_messages(alice, seen)
    return alice


def _problems(alice: Chart) -> dict[str, str]:
    problem, icd = conditions.problem, conditions.icd
    return {
        "diabetes": problem(
            alice,
            "diabetes",
            icd("Type 2 diabetes", "E11.9", "44054006", "Diabetes mellitus type 2 (disorder)"),
            1085,
        ),
        "pressure": problem(
            alice,
            "high-blood-pressure",
            icd("High blood pressure", "I10", "59621000", "Essential hypertension (disorder)"),
            1400,
        ),
        "cholesterol": problem(
            alice,
            "high-cholesterol",
            icd("High cholesterol", "E78.5", "55822004", "Hyperlipidemia (disorder)"),
            1085,
        ),
    }


def _background(alice: Chart) -> None:
    conditions.problem(
        alice,
        "worry-weight",
        snomed("162864005", "Body mass index 30+ - obesity (finding)", text="Obesity"),
        1085,
        category="health-concern",
        note="Alice wants to lose weight before she takes more medicine.",
    )
    conditions.problem(
        alice,
        "iron",
        conditions.icd("Low iron", "D50.9", "87522002", "Iron deficiency anemia (disorder)"),
        2100,
        status=conditions.RESOLVED,
        ended=1850,
    )
    conditions.allergy(
        alice,
        "penicillin",
        snomed("764146007", "Substance with penicillin structure (substance)", text="Penicillin"),
        3900,
        conditions.HIVES,
        criticality="high",
    )
    conditions.allergy(
        alice,
        "dust",
        snomed("260147004", "House dust mite (organism)", text="House dust"),
        2500,
        conditions.COUGH,
        category="environment",
    )
    conditions.relative(
        alice, 1085, ("MTH", "mother"), (snomed("44054006", "Diabetes mellitus type 2 (disorder)"), 52)
    )
    conditions.relative(
        alice, 1085, ("FTH", "father"), (snomed("22298006", "Myocardial infarction (disorder)"), 58)
    )


def _course(alice: Chart) -> list[str]:
    """The visits of three years: what was measured, and what the lab found the week before."""
    seen = []
    for ago, ldl, hdl, triglycerides, total, hba1c, systolic, diastolic, pounds in COURSE:
        encounter = v.visit(alice, v.FOLLOW_UP, max(ago - 6, 2), "Diabetes and blood pressure check")
        seen.append(encounter)
        rounds(
            alice,
            max(ago - 6, 2),
            systolic=systolic,
            diastolic=diastolic,
            height=64,
            weight=pounds,
            encounter=encounter,
        )
        panel(
            alice, LIPIDS, ago, {"cholesterol": total, "triglycerides": triglycerides, "hdl": hdl, "ldl": ldl}
        )
        panel(alice, SUGAR, ago, {"hba1c": hba1c})
    for ago in (400, 35):
        conditions.diagnosis(
            alice,
            "diagnosis",
            conditions.icd("Viral sinus infection", "J01.90", "444814009", "Viral sinusitis (disorder)"),
            ago,
            v.visit(alice, v.PROBLEM, ago, "Blocked nose and headache for a week"),
        )
    for ago, systolic, diastolic in ((26, 134, 85), (23, 131, 83), (19, 136, 84), (16, 129, 81)):
        blood_pressure(alice, ago, systolic, diastolic, at_home=True, clock="07:05")
    return seen


def _other_results(alice: Chart) -> None:
    for ago, glucose, alt in ((1085, 151, 44), (720, 138, 38), (365, 127, 33), (12, 116, 29)):
        panel(alice, METABOLIC, ago, METABOLIC_USUAL | {"glucose": glucose, "alt": alt})
        panel(alice, URINE_ALBUMIN, ago, {"uacr": 12 + ago // 100})
    panel(alice, BLOOD_COUNT, 365, BLOOD_COUNT_USUAL)
    panel(alice, BLOOD_COUNT, 12, BLOOD_COUNT_USUAL | {"hemoglobin": 12.9})
    panel(alice, THYROID, 365, {"tsh": 2.1})
    panel(
        alice,
        VITAMIN_D,
        190,
        {"vitamin_d": 24},
        status="corrected",
        note="Corrected by the lab: first reported as 42 ng/mL. Two samples had been exchanged.",
        conclusion="Corrected report. It takes the place of the one sent the day before.",
    )
    panel(alice, THYROID, 2, {"tsh": 4.6}, status="preliminary")


def _medicines(alice: Chart, problems: dict[str, str]) -> None:
    rx = medicines.prescription
    rx(alice, "metformin", 1078, "Take 1 tablet with the evening meal", reason=problems["diabetes"])
    rx(alice, "atorvastatin", 899, "Take 1 tablet in the evening", reason=problems["cholesterol"])
    rx(alice, "lisinopril", 1390, "Take 1 tablet in the morning", reason=problems["pressure"])
    rx(
        alice,
        "simvastatin",
        1078,
        "Take 1 tablet in the evening",
        status="stopped",
        stopped_because="Muscle pain. Changed to atorvastatin.",
        reason=problems["cholesterol"],
    )
    rx(
        alice,
        "azithromycin",
        400,
        "2 tablets on day 1, then 1 a day for 4 days",
        status="completed",
        refills=0,
    )
    medicines.statement(alice, 700, "Vitamin D 1000 units", "1 a day with breakfast")
    medicines.statement(alice, 700, "Ibuprofen 200 mg", "1 now and then for headache")


def _prevention(alice: Chart) -> None:
    vaccines.flu_each_autumn(alice, 3)
    vaccines.vaccine(alice, "tdap", 1490)
    vaccines.vaccine(alice, "covid", 420)
    vaccines.vaccine(alice, "pneumococcal-23", 1060, not_done="Alice wanted to wait")
    imaging.study(
        alice, imaging.MAMMOGRAM, 210, "No sign of cancer. Next mammogram in one year.", status="amended"
    )
    v.procedure(
        alice,
        "eye-exam",
        snomed("722161008", "Diabetic retinal eye exam (procedure)", text="Diabetic eye exam"),
        160,
        note="No damage from diabetes in either eye.",
    )
    v.procedure(
        alice,
        "appendix",
        snomed("80146002", "Excision of appendix (procedure)", text="Appendix removed"),
        9200,
    )
    v.order(alice, snomed("722161008", "Diabetic retinal eye exam (procedure)", text="Diabetic eye exam"), 6)
    social.smoking(alice, 6, social.NEVER_SMOKED)
    social.occupation(alice, 540, "School bus driver")
    social.living_conditions(alice, 190)
    social.exercise(alice, 190, 90)
    social.mood_survey(alice, 190, (0, 1, 2, 1, 0, 0, 1, 0, 0))
    others.device(alice, "glucose-meter", others.GLUCOSE_METER, 1050, serial="GM-204417")
