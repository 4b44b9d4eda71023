"""Alice's papers, plans, bills and messages, and the two things she keeps to herself."""

from demo.population import conditions, documents, imaging, insurance, medicines, others, plans
from demo.population import visits as v
from demo.population.chart import Chart
from demo.population.clinic import COUNTY_HOSPITAL, HALE, KIM, OSEI, PATEL
from demo.population.coding import quantity

PRIVATE_COUNSELLING = ("PSY", "R")
SUBSTANCE_USE = ("SUD", "ETH", "42CFRPart2", "R")


def private(alice: Chart) -> None:
    """What Alice keeps to herself: counselling last winter, and drinking that is over."""
    talk = v.visit(alice, v.COUNSELLING, 330, "Counseling", who=HALE, labels=PRIVATE_COUNSELLING)
    documents.note(
        alice,
        documents.PROGRESS_NOTE,
        330,
        "Counseling note",
        "Alice talked about the months after her mother died. She sleeps four to five hours and "
        "worries at night about money and about Tom. No thoughts of harming herself. She keeps up"
        " work and walks every day. We practiced a way to put worries on paper before bed. Next "
        "talk in three weeks.",
        encounter=talk,
        author=HALE,
        labels=PRIVATE_COUNSELLING,
    )
    conditions.problem(
        alice,
        "adjustment",
        conditions.icd(
            "Adjustment disorder with anxiety",
            "F43.22",
            "47372000",
            "Adjustment disorder with anxious mood (disorder)",
        ),
        330,
        status=conditions.RESOLVED,
        ended=150,
        labels=PRIVATE_COUNSELLING,
        recorder=HALE,
    )
    _drinking_that_is_over(alice)


def _drinking_that_is_over(alice: Chart) -> None:
    conditions.problem(
        alice,
        "alcohol",
        conditions.icd(
            "Alcohol use, in remission",
            "F10.11",
            "191884001",
            "Nondependent alcohol abuse in remission (disorder)",
        ),
        1300,
        status=conditions.REMISSION,
        labels=SUBSTANCE_USE,
    )
    medicines.prescription(
        alice,
        "naltrexone",
        1290,
        "Take 1 tablet a day",
        status="completed",
        labels=SUBSTANCE_USE,
        refills=0,
    )
    documents.note(
        alice,
        documents.PROGRESS_NOTE,
        700,
        "Alcohol treatment: last visit",
        "Alice has not had a drink for 18 months. She goes to her group every second week. The "
        "program ends today by agreement. She knows that she can come back at any time. 42 CFR "
        "part 2 prohibits unauthorized use or disclosure of these records.",
        labels=SUBSTANCE_USE,
    )


def papers(alice: Chart, seen: list[str]) -> None:
    documents.letter(
        alice,
        5,
        "Your test results",
        [
            "Dear Alice,",
            "Thank you for coming in. Your long-term sugar (HbA1c) is 6.3 %. Three years ago it was 7.6 %. "
            "Your LDL cholesterol went from 152 to 118 mg/dL in the same time.",
            "Please go on with metformin and atorvastatin as before. Your thyroid test is not finished yet. "
            "I will write to you when the lab has checked it.",
            "I will see you at your next visit.",
            "Dr. Ngozi Osei, Riverside Clinic, 555-0100",
        ],
        encounter=seen[-1],
    )
    documents.note(
        alice,
        documents.PROGRESS_NOTE,
        6,
        "Visit note",
        "Diabetes type 2, better controlled: HbA1c 6.3 %. LDL 118, goal below 100: go on with "
        "atorvastatin 20 mg and check again in three months, then consider 40 mg. Home blood "
        "pressure around 132/83. Feet: no wounds, feeling intact. Thyroid test repeated because "
        "of tiredness.",
        encounter=seen[-1],
    )
    documents.note(
        alice,
        documents.INSTRUCTIONS,
        6,
        "What to do until your next visit",
        "Measure your blood pressure twice a week in the morning. Walk 30 minutes on most days. "
        "Bring your meter and your medicines to the next visit.",
        encounter=seen[-1],
        author=KIM,
    )
    documents.note(
        alice,
        documents.PROGRESS_NOTE,
        1,
        "Phone call note",
        "Draft. Call about tiredness. To be completed.",
        status="preliminary",
    )
    emergency = v.visit(alice, v.EMERGENCY_ROOM, 610, "Chest pain", who=PATEL, where=COUNTY_HOSPITAL)
    picture = imaging.study(alice, imaging.CHEST_XRAY, 610, "Heart and lungs look as expected.")
    summary = documents.note(
        alice,
        documents.DISCHARGE_SUMMARY,
        610,
        "Emergency visit summary",
        "Chest pain for two hours after a heavy meal. ECG and two troponin tests without sign of "
        "a heart attack. Chest X-ray clear. Sent home the same evening. Advice: see your own "
        "doctor within a week.",
        encounter=emergency,
        author=PATEL,
    )
    others.imported(alice, 608, emergency, picture, summary)


def plan(alice: Chart, problems: dict[str, str]) -> None:
    sugar = plans.goal(
        alice,
        540,
        "Long-term sugar below 6.5 %",
        measure=("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
        target=quantity(6.5, "%"),
    )
    ldl = plans.goal(
        alice,
        540,
        "LDL cholesterol of 100 or less",
        measure=("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"),
        target=quantity(100, "mg/dL"),
    )
    plans.plan(
        alice,
        540,
        "Diabetes and heart plan",
        ["Walk 30 minutes on most days", "Metformin and atorvastatin every evening", "Eye exam once a year"],
        goals=(sugar, ldl),
        problems=tuple(problems.values()),
    )
    plans.team(alice, 1400, (OSEI, "Family doctor"), (KIM, "Nurse"), (PATEL, "Heart doctor"))
    others.relative_contact(alice, ("SPS", "spouse"), "Moreno", "Amir")
    v.appointment(
        alice,
        9,
        "Diabetes check and thyroid result",
        instruction="Bring your medicines and your blood pressure readings.",
    )
    v.appointment(alice, 40, "Diabetic eye exam", who=PATEL, clock=("14:00", "14:30"), by_video=False)
    v.appointment(alice, -75, "Blood pressure check", who=KIM, status="cancelled")
    v.appointment(
        alice, -6, "Diabetes and blood pressure check", status="fulfilled", clock=("09:00", "09:30")
    )


def bills_and_messages(alice: Chart, seen: list[str]) -> None:
    policy = insurance.coverage(alice, "HHP-20418-01")
    for encounter, ago, paid in zip(seen[-3:], (359, 184, 6), (116, 116, 124), strict=True):
        insurance.bill(alice, policy, encounter, ago, 145, paid)
    question = others.message(
        alice,
        8,
        "I feel more tired than usual since last month. Is it the new dose? Alice",
        who=OSEI,
        from_patient=True,
        clock="20:42",
    )
    others.message(
        alice,
        7,
        "Dear Alice, I do not think so. We will repeat the thyroid test at your visit. Dr. Osei",
        who=OSEI,
        answers=question,
    )
    others.message(
        alice, 3, "Your letter is in Documents. Call us on 555-0100 if you have questions. Nurse Kim", who=KIM
    )
