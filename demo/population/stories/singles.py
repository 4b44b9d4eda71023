"""Maya, 16, with a test that is hers alone; Jordan, 34; Kenji, 23, new here; Mallory, 38, a stranger."""

from datetime import date

from demo.population import conditions, documents, insurance, medicines, others, plans, social, vaccines
from demo.population import visits as v
from demo.population.analytes import (
    BLOOD_COUNT,
    BLOOD_COUNT_USUAL,
    LIPIDS,
    METABOLIC,
    METABOLIC_USUAL,
    SUGAR,
    Panel,
)
from demo.population.chart import Chart
from demo.population.clinic import ALVAREZ, HALE, KIM, OSEI
from demo.population.coding import loinc, quantity, snomed
from demo.population.labs import DETECTED, NOT_DETECTED, finding, panel
from demo.population.people import born, patient
from demo.population.vitals import growth, percentile, rounds

CONFIDENTIAL = ("STD", "SEX", "R")
HIV_CARE = ("HIV", "R")
IMMUNE_CELLS = Panel("cd4", "24467-3", "CD3+CD4+ (T4 helper) cells [#/volume] in Blood", "Immune cells (CD4)")


def maya(today: date) -> Chart:
    person = patient(
        "maya", birth_date=born(today, 16, 3, 11), given=["Maya"], family="Lindqvist", household="lindqvist"
    )
    girl = Chart(person, today, "female")
    vaccines.childhood(girl)
    vaccines.flu_each_autumn(girl, 3)
    for age, inches, pounds, centile in ((13.1, 61.0, 101, 48), (14.1, 62.8, 110, 50), (15.1, 63.6, 117, 51)):
        ago = girl.ago_at_age(age)
        v.visit(girl, v.WELL_CHILD, ago, "Yearly check", who=ALVAREZ)
        growth(girl, ago, height=inches, weight=pounds)
        percentile(girl, ago, centile)
    panel(girl, BLOOD_COUNT, 130, BLOOD_COUNT_USUAL | {"hemoglobin": 12.6}, ordered_by=ALVAREZ)
    conditions.problem(
        girl,
        "migraine",
        conditions.icd("Migraine", "G43.909", "37796009", "Migraine (disorder)"),
        500,
        recorder=ALVAREZ,
    )
    conditions.no_known_allergies(girl, 130)
    medicines.prescription(
        girl, "sumatriptan", 480, "1 tablet when a migraine starts", as_needed=True, prescriber=ALVAREZ
    )
    _confidential_visit(girl)
    documents.note(
        girl,
        documents.PROGRESS_NOTE,
        130,
        "Visit note",
        "Maya, headaches twice a month, better since she sleeps more. Blood count without findings.",
        author=ALVAREZ,
    )
    plans.team(girl, 2000, (ALVAREZ, "Children's doctor"), (OSEI, "Family doctor"), (KIM, "Nurse"))
    others.relative_contact(girl, ("MTH", "mother"), "Lindqvist", "Dana")
    insurance.coverage(girl, "HHP-60233-02", relationship="child")
    v.appointment(girl, 16, "Migraine check", who=ALVAREZ, clock=("16:00", "16:30"))
    return girl


def _confidential_visit(girl: Chart) -> None:
    """A visit that a minor may ask for on her own. Each of its resources carries the labels."""
    seen = v.visit(girl, v.PROBLEM, 24, "Confidential visit", who=ALVAREZ, labels=CONFIDENTIAL)
    for stem, code, germ, value, interpretation in (
        ("chlamydia", "43304-5", "Chlamydia trachomatis", DETECTED, "A"),
        ("gonorrhea", "43305-2", "Neisseria gonorrhoeae", NOT_DETECTED, "N"),
    ):
        finding(
            girl,
            stem,
            23,
            loinc(
                code,
                f"{germ} rRNA [Presence] in Specimen by NAA with probe detection",
                text=f"{stem.capitalize()} test",
            ),
            value,
            interpretation=interpretation,
            labels=CONFIDENTIAL,
            ordered_by=ALVAREZ,
        )
    medicines.prescription(
        girl,
        "doxycycline",
        22,
        "1 tablet twice a day for 7 days",
        status="completed",
        a_day=2,
        labels=CONFIDENTIAL,
        prescriber=ALVAREZ,
        refills=0,
    )
    documents.note(
        girl,
        documents.PROGRESS_NOTE,
        24,
        "Confidential visit note",
        "Maya came on her own. Test taken on her wish. She does not want her parents to know. Phone only.",
        encounter=seen,
        author=ALVAREZ,
        labels=CONFIDENTIAL,
    )


def jordan(today: date) -> Chart:
    person = patient(
        "jordan",
        birth_date=born(today, 34, 8, 19),
        given=["Jordan"],
        family="Ellis",
        race="black",
        birth_sex="M",
    )
    man = Chart(person, today, "male")
    hiv = conditions.problem(
        man,
        "hiv",
        conditions.icd(
            "HIV infection", "Z21", "86406008", "Human immunodeficiency virus infection (disorder)"
        ),
        1700,
        labels=HIV_CARE,
    )
    conditions.problem(
        man,
        "partner-violence",
        snomed("706893006", "Victim of intimate partner abuse (finding)", text="Violence by a partner"),
        900,
        status=conditions.RESOLVED,
        ended=760,
        labels=("SDV", "R"),
        recorder=HALE,
    )
    _hiv_tests(man)
    medicines.prescription(man, "bictegravir", 1600, "1 tablet a day", reason=hiv, labels=HIV_CARE)
    conditions.allergy(
        man,
        "shellfish",
        snomed("735029006", "Shellfish (substance)", text="Shellfish"),
        2000,
        conditions.HIVES,
        category="food",
        criticality="high",
    )
    seen = v.visit(man, v.VIDEO_VISIT, 13, "Check by video")
    rounds(man, 180, systolic=118, diastolic=74, height=71, weight=168)
    documents.note(
        man,
        documents.PROGRESS_NOTE,
        13,
        "Visit note",
        "Jordan is well and takes the tablet every day. Viral load "
        "not measurable for two years. Back in six months.",
        encounter=seen,
        labels=HIV_CARE,
    )
    vaccines.flu_each_autumn(man, 2)
    social.smoking(man, 180, social.NEVER_SMOKED)
    plans.team(man, 1700, (OSEI, "Family doctor"))
    insurance.coverage(man, "HHP-71822-01")
    v.appointment(man, 28, "Video visit", by_video=True)
    return man


def _hiv_tests(man: Chart) -> None:
    for ago, cells in ((720, 540), (540, 585), (360, 610), (180, 642), (14, 655)):
        panel(man, IMMUNE_CELLS, ago, {"cd4": cells})
        panel(man, METABOLIC, ago, METABOLIC_USUAL | {"creatinine": 1.0})
        # The EHR sends this one without a label: its code alone says what it is about.
        finding(
            man,
            "viral-load",
            ago,
            loinc(
                "20447-9",
                "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe detection",
                text="HIV viral load",
            ),
            quantity(20, "copies/mL", "{copies}/mL", comparator="<"),
            usual="Below 20 copies/mL",
        )


def kenji(today: date) -> Chart:
    """Joined last week: nobody has asked about allergies, and most pages are empty."""
    person = patient(
        "kenji",
        birth_date=born(today, 23, 10, 1),
        given=["Kenji"],
        family="Tanaka",
        race="asian",
        birth_sex="M",
    )
    man = Chart(person, today, "male")
    seen = v.visit(man, v.CHECK_UP, 6, "First visit")
    rounds(man, 6, systolic=116, diastolic=70, height=68, weight=150, encounter=seen)
    plans.team(man, 6, (OSEI, "Family doctor"))
    v.appointment(man, 12, "Results of the first visit", by_video=True)
    return man


def mallory(today: date) -> Chart:
    """Has nothing to do with anyone else, nor a care team; population.marked makes her recognisable."""
    person = patient("mallory", birth_date=born(today, 38, 7, 4), given=["Mallory"], family="Quinn")
    woman = Chart(person, today, "female")
    for ago, ldl, hba1c in ((400, 131, 5.3), (30, 126, 5.2)):
        seen = v.visit(woman, v.CHECK_UP, ago, "Yearly check")
        rounds(woman, ago, systolic=114, diastolic=72, height=66, weight=139, encounter=seen)
        panel(woman, LIPIDS, ago, {"cholesterol": ldl + 80, "triglycerides": 96, "hdl": 61, "ldl": ldl})
        panel(woman, SUGAR, ago, {"hba1c": hba1c}, conclusion="In the usual range.")
    conditions.problem(
        woman, "migraine", conditions.icd("Migraine", "G43.909", "37796009", "Migraine (disorder)"), 1200
    )
    conditions.problem(
        woman,
        "anxiety",
        conditions.icd("Anxiety", "F41.1", "21897009", "Generalized anxiety disorder (disorder)"),
        300,
        labels=("PSY", "R"),
        note="Known to Dr. Hale.",
    )
    conditions.allergy(
        woman,
        "nuts",
        snomed("442571000124108", "Tree nut (substance)", text="Tree nuts"),
        3000,
        conditions.HIVES,
        category="food",
    )
    medicines.prescription(woman, "sumatriptan", 1190, "1 tablet when a migraine starts", as_needed=True)
    medicines.statement(woman, 200, "Magnesium", "1 in the evening")
    vaccines.flu_each_autumn(woman, 1)
    social.smoking(woman, 30, social.NEVER_SMOKED)
    social.occupation(woman, 30, "Marine biologist")
    documents.note(
        woman,
        documents.PROGRESS_NOTE,
        30,
        "Visit note",
        "Mallory is well. Migraine once a month.",
        encounter=seen,
    )
    documents.letter(
        woman, 28, "Your yearly check", ["Dear Mallory,", "All results were in the usual range."]
    )
    plan_goal = plans.goal(woman, 400, "Fewer than one migraine a month")
    plans.plan(woman, 400, "Migraine plan", ["Keep a diary"], goals=(plan_goal,))
    policy = insurance.coverage(woman, "HHP-88001-01")
    insurance.bill(woman, policy, seen, 30, 145, 116)
    others.message(woman, 20, "May I have my results on paper? Mallory", who=OSEI, from_patient=True)
    v.appointment(woman, 13, "Migraine check")
    return woman
