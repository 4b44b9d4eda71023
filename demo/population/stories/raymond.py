"""Raymond Castillo, 67: lungs, sugar and kidneys, and four years of results every quarter.

He reads Spanish: what the clinic writes to him is in Spanish. Names of tests, medicines and diagnoses
are the EHR's own, in English, as a clinic in the US sends them.
"""

from dataclasses import replace
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
    BASIC,
    BASIC_USUAL,
    BLOOD_COUNT,
    BLOOD_COUNT_USUAL,
    LIPIDS,
    METABOLIC,
    METABOLIC_USUAL,
    SUGAR,
    URINE_ALBUMIN,
    Panel,
)
from demo.population.chart import Chart
from demo.population.clinic import COUNTY_HOSPITAL, KIM, OSEI, PATEL
from demo.population.coding import quantity, snomed
from demo.population.labs import panel
from demo.population.people import born, patient
from demo.population.vitals import oxygen, rounds

SPIROMETRY = Panel("spirometry", "81459-0", "Spirometry panel", "Breathing test")
QUARTERS = 16


def chart(today: date) -> Chart:
    person = patient(
        "raymond",
        birth_date=born(today, 67, 1, 30),
        given=["Raymond"],
        family="Castillo",
        hispanic=True,
        birth_sex="M",
        language="es",
    )
    man = Chart(person, today, "male")
    problems = _problems(man)
    for quarter in range(QUARTERS, 0, -1):
        _quarter(man, quarter)
    # The lab phoned this one through: potassium far above the usual range.
    panel(
        man,
        BASIC,
        3,
        BASIC_USUAL | {"potassium": 6.3, "creatinine": 2.0, "egfr": 35, "urea": 39, "glucose": 171},
        critical="potassium",
        conclusion="Potasio muy alto. El laboratorio llamó a la clínica.",
    )
    _treatment(man, problems)
    _stay(man)
    return man


def _problems(man: Chart) -> tuple[str, ...]:
    problem, icd = conditions.problem, conditions.icd
    conditions.allergy(
        man,
        "aspirin",
        {
            "coding": [
                {
                    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                    "code": "1191",
                    "display": "Aspirin",
                }
            ],
            "text": "Aspirina",
        },
        4000,
        replace(conditions.COUGH, text="Tos"),
    )
    conditions.relative(
        man, 1500, ("BRO", "brother"), (snomed("44054006", "Diabetes mellitus type 2 (disorder)"), 49)
    )
    return (
        problem(
            man, "copd", icd("COPD", "J44.9", "13645005", "Chronic obstructive lung disease (disorder)"), 2900
        ),
        problem(
            man,
            "diabetes",
            icd("Type 2 diabetes", "E11.22", "44054006", "Diabetes mellitus type 2 (disorder)"),
            4700,
        ),
        problem(
            man,
            "kidneys",
            icd(
                "Chronic kidney disease, stage 3",
                "N18.32",
                "433144002",
                "Chronic kidney disease stage 3 (disorder)",
            ),
            1200,
        ),
        problem(
            man,
            "pressure",
            icd("High blood pressure", "I10", "59621000", "Essential hypertension (disorder)"),
            5200,
        ),
        problem(
            man,
            "nerves",
            icd(
                "Nerve damage from diabetes",
                "E11.40",
                "368581000119106",
                "Neuropathy due to type 2 diabetes mellitus (disorder)",
            ),
            800,
        ),
    )


def _quarter(man: Chart, back: int) -> None:
    """One quarterly check: kidneys slowly worse, sugar up and down, lungs once a year."""
    ago = back * 91 - 60
    seen = v.visit(man, v.FOLLOW_UP, ago, "Control de diabetes y pulmones")
    rounds(
        man,
        ago,
        systolic=142 - back % 4,
        diastolic=80,
        pulse=80,
        oxygen=93 - back % 3,
        height=69,
        weight=212 - back % 5,
        encounter=seen,
    )
    creatinine = round(1.84 - back * 0.025, 2)
    values = {
        "creatinine": creatinine,
        "egfr": round(71.0 / creatinine),
        "urea": 34 - back // 2,
        "potassium": round(5.2 - back * 0.03, 1),
        "glucose": 150 + (back * 7) % 30,
        "bicarbonate": 27,
    }
    panel(man, METABOLIC, ago, METABOLIC_USUAL | values)
    panel(man, SUGAR, ago, {"hba1c": (7.9, 8.3, 7.6, 7.4)[back % 4]})
    panel(man, URINE_ALBUMIN, ago, {"uacr": 210 - back * 9})
    if back % 2 == 0:
        panel(man, LIPIDS, ago, {"cholesterol": 168, "triglycerides": 189, "hdl": 38, "ldl": 92})
        panel(man, BLOOD_COUNT, ago, BLOOD_COUNT_USUAL | {"hemoglobin": 12.9, "rbc": 4.3, "hematocrit": 39})
    if back % 4 == 0:
        panel(man, SPIROMETRY, ago, {"fev1_fvc": 54 + back // 4})


def _treatment(man: Chart, problems: tuple[str, ...]) -> None:
    rx = medicines.prescription
    rx(
        man,
        "insulin",
        1400,
        "18 unidades antes del desayuno, 12 antes de la cena",
        a_day=2,
        reason=problems[1],
    )
    rx(
        man,
        "fluticasone-salmeterol",
        2000,
        "1 inhalación por la mañana y otra por la noche",
        a_day=2,
        reason=problems[0],
    )
    rx(man, "albuterol", 2900, "2 inhalaciones cuando le cueste respirar", as_needed=True, reason=problems[0])
    rx(man, "amlodipine", 900, "1 tableta por la mañana", reason=problems[3])
    rx(man, "atorvastatin", 2400, "1 tableta por la noche")
    rx(
        man,
        "metformin",
        4600,
        "2 tabletas al día",
        status="stopped",
        stopped_because="Riñones",
        a_day=2,
        reason=problems[1],
    )
    rx(
        man,
        "lisinopril",
        4000,
        "1 tableta al día",
        status="on-hold",
        stopped_because="Potasio alto",
        reason=problems[3],
    )
    vaccines.flu_each_autumn(man, 4)
    vaccines.vaccine(man, "pneumococcal-23", 700)
    vaccines.vaccine(man, "zoster", 650)
    social.smoking(man, 31, social.USED_TO_SMOKE)
    social.living_conditions(man, 122)
    others.device(man, "glucose-meter", others.GLUCOSE_METER, 1400, serial="GM-118820")
    sugar = plans.goal(
        man,
        300,
        "Azúcar a largo plazo por debajo de 7.5 %",
        measure=("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
        target=quantity(7.5, "%"),
    )
    plans.plan(
        man,
        300,
        "Plan para los riñones y el azúcar",
        ["Comida con poca sal", "No tomar ibuprofeno", "Análisis de sangre cada tres meses"],
        goals=(sugar,),
        problems=problems[1:3],
    )
    plans.team(man, 2900, (OSEI, "Médica de familia"), (KIM, "Enfermera"), (PATEL, "Cardiólogo"))
    v.appointment(man, 2, "Repetir el potasio", who=KIM, clock=("08:00", "08:15"))
    v.appointment(man, 31, "Control de diabetes y pulmones")


def _stay(man: Chart) -> None:
    stay = v.visit(man, v.HOSPITAL_STAY, 260, "Recaída de la EPOC", where=COUNTY_HOSPITAL, days=4)
    oxygen(man, 260, 87, encounter=stay)
    picture = imaging.study(man, imaging.CHEST_XRAY, 260, "Pulmones con demasiado aire. Sin neumonía.")
    summary = documents.note(
        man,
        documents.DISCHARGE_SUMMARY,
        256,
        "Informe de alta del hospital",
        "Recaída de la EPOC después de un resfriado. Oxígeno: 87 % al llegar, 93 % al alta. Esteroides "
        "durante cinco días y un antibiótico. Riñones sin cambios. A casa después de cuatro días. Vea a "
        "su médica antes de una semana.",
        encounter=stay,
    )
    others.imported(man, 254, stay, picture, summary)
    policy = insurance.coverage(man, "HHP-55210-01", since=900)
    insurance.bill(man, policy, stay, 256, 8420, 7980)
    documents.letter(
        man,
        2,
        "Venga para un análisis de sangre",
        [
            "Estimado Raymond:",
            "Su potasio salió alto en el análisis de esta semana. Por ahora suspendí el lisinopril. "
            "Venga en los próximos días para otro análisis.",
            "Si su corazón late de forma irregular o se siente muy débil, llame al 911.",
            "Dr. Ngozi Osei, Riverside Clinic, 555-0100",
        ],
        in_binary=True,
    )
    asked = others.message(
        man, 2, "Dejé de tomar la tableta, como me dijo. Raymond", who=OSEI, from_patient=True
    )
    others.message(
        man, 1, "Gracias. Nos vemos en el análisis de sangre. Enfermera Kim", who=KIM, answers=asked
    )
