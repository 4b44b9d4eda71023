"""Social history, living conditions and questionnaires."""

from demo.population.chart import Chart, instant, reference
from demo.population.clinic import KIM
from demo.population.coding import LOINC, US_CORE, Resource, coding, concept, hl7, loinc, snomed

SOCIAL_HISTORY = hl7("observation-category", "social-history", "Social History")
SURVEY = hl7("observation-category", "survey", "Survey")
SDOH = concept(f"{US_CORE}CodeSystem/us-core-category", "sdoh", "SDOH")

NEVER_SMOKED = ("266919005", "Never smoked tobacco (finding)", "Never smoked")
USED_TO_SMOKE = ("8517006", "Ex-smoker (finding)", "Used to smoke")
NEVER, SEVERAL, MORE, NEARLY = range(4)
FREQUENCY = (
    ("LA6568-5", "Not at all"),
    ("LA6569-3", "Several days"),
    ("LA6570-1", "More than half the days"),
    ("LA6571-9", "Nearly every day"),
)
PHQ9 = (  # LOINC, question; the instrument may be used and shown without permission
    ("44250-9", "Little interest or pleasure in doing things"),
    ("44255-8", "Feeling down, depressed, or hopeless"),
    ("44259-0", "Trouble falling or staying asleep, or sleeping too much"),
    ("44254-1", "Feeling tired or having little energy"),
    ("44251-7", "Poor appetite or overeating"),
    (
        "44258-2",
        "Feeling bad about yourself or that you are a failure or have let yourself or your family down",
    ),
    ("44252-5", "Trouble concentrating on things, such as reading the newspaper or watching television"),
    (
        "44253-3",
        "Moving or speaking slowly, or being so fidgety or restless that you move a lot more than usual",
    ),
    ("44260-8", "Thoughts that you would be better off dead, or of hurting yourself in some way"),
)


def smoking(chart: Chart, ago: int, status: tuple[str, str, str]) -> str:
    return _observation(
        chart,
        "smoking",
        ago,
        "us-core-smokingstatus",
        [SOCIAL_HISTORY],
        loinc("72166-2", "Tobacco smoking status"),
        valueCodeableConcept=snomed(status[0], status[1], text=status[2]),
    )


def occupation(chart: Chart, ago: int, words: str) -> str:
    return _observation(
        chart,
        "occupation",
        ago,
        "us-core-observation-occupation",
        [SOCIAL_HISTORY],
        loinc("11341-5", "History of Occupation"),
        valueCodeableConcept={"text": words},
    )


def pregnancy_status(chart: Chart, ago: int, *, labels: tuple[str, ...] = ()) -> str:
    return _observation(
        chart,
        "pregnancy-status",
        ago,
        "us-core-observation-pregnancystatus",
        [SOCIAL_HISTORY],
        loinc("82810-3", "Pregnancy status"),
        labels=labels,
        valueCodeableConcept=snomed("77386006", "Pregnancy (finding)", text="Pregnant"),
    )


def living_conditions(chart: Chart, ago: int, *, food_at_risk: bool = False) -> None:
    """Three answers of a health-related social needs screening (AHC HRSN)."""
    answers = (
        (
            "88124-3",
            "Food insecurity risk [HVS]",
            ("LA19952-3", "At risk") if food_at_risk else ("LA19983-8", "No risk"),
        ),
        ("71802-3", "Housing status", ("LA31993-1", "I have a steady place to live")),
        (
            "93030-5",
            "Has lack of transportation kept you from medical appointments, meetings, work, or "
            "from getting things needed for daily living",
            ("LA32-8", "No"),
        ),
    )
    for code, question, (answer, words) in answers:
        _observation(
            chart,
            "living",
            ago,
            "us-core-observation-screening-assessment",
            [SURVEY, SDOH],
            loinc(code, question),
            valueCodeableConcept=concept(LOINC, answer, words),
        )


def exercise(chart: Chart, ago: int, minutes: int) -> str:
    return _observation(
        chart,
        "exercise",
        ago,
        "us-core-observation-screening-assessment",
        [SURVEY],
        loinc(
            "89555-7", "How many minutes per week do you engage in moderate to strenuous physical activity"
        ),
        valueQuantity={
            "value": minutes,
            "unit": "min/wk",
            "system": "http://unitsofmeasure.org",
            "code": "min/wk",
        },
    )


def mood_survey(chart: Chart, ago: int, scores: tuple[int, ...]) -> str:
    """PHQ-9: nine answers of 0 to 3, as a QuestionnaireResponse and the total as an Observation."""
    answered = chart.add(
        "QuestionnaireResponse",
        "phq9",
        profile="us-core-questionnaireresponse",
        questionnaire="https://riverside.example/fhir/Questionnaire/phq-9",
        status="completed",
        authored=instant(chart.day(ago), "08:50"),
        author=chart.subject,
        item=[
            {
                "linkId": code,
                "text": question,
                "answer": [{"valueCoding": coding(LOINC, *FREQUENCY[score])}],
            }
            for (code, question), score in zip(PHQ9, scores, strict=True)
        ],
    )
    return _observation(
        chart,
        "phq9-total",
        ago,
        "us-core-observation-screening-assessment",
        [SURVEY],
        loinc("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]"),
        valueQuantity={
            "value": sum(scores),
            "unit": "{score}",
            "system": "http://unitsofmeasure.org",
            "code": "{score}",
        },
        derivedFrom=[reference(answered)],
    )


def _observation(
    chart: Chart,
    stem: str,
    ago: int,
    profile: str,
    category: list[Resource],
    code: Resource,
    *,
    labels: tuple[str, ...] = (),
    **value: object,
) -> str:
    return chart.add(
        "Observation",
        stem,
        profile=profile,
        labels=labels,
        status="final",
        category=category,
        code=code,
        effectiveDateTime=instant(chart.day(ago), "08:50"),
        performer=[KIM.ref],
        **value,
    )
