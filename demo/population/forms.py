"""Forms of the clinic: what patients fill in by themselves before a visit."""

from demo.population.coding import Resource

URL = "https://riverside.example/forms/before-your-visit"
REASONS = (("check-up", "A check-up"), ("symptom", "Something new"), ("medicine", "A medicine"))
CODES = "https://riverside.example/fhir/CodeSystem/visit-reason"


def before_your_visit() -> Resource:
    """One page of questions, two of which only some answers bring."""
    options = [
        {"valueCoding": {"system": CODES, "code": code, "display": display}} for code, display in REASONS
    ]
    return {
        "resourceType": "Questionnaire",
        "id": "before-your-visit",
        "url": URL,
        "version": "2",
        "name": "BeforeYourVisit",
        "title": "Before your visit",
        "status": "active",
        "subjectType": ["Patient"],
        "description": "It helps us to be ready for you. It takes about 2 minutes.",
        "item": [
            {
                "linkId": "visit",
                "type": "group",
                "text": "Your visit",
                "item": [
                    {
                        "linkId": "reason",
                        "type": "choice",
                        "text": "Why do you come?",
                        "required": True,
                        "answerOption": options,
                    },
                    {
                        "linkId": "since",
                        "type": "date",
                        "text": "Since when do you have it?",
                        "enableWhen": [
                            {
                                "question": "reason",
                                "operator": "=",
                                "answerCoding": {"system": CODES, "code": "symptom"},
                            }
                        ],
                    },
                    {
                        "linkId": "questions",
                        "type": "text",
                        "text": "What do you want to ask?",
                        "maxLength": 1000,
                    },
                ],
            },
            {
                "linkId": "life",
                "type": "group",
                "text": "Day to day",
                "item": [
                    {"linkId": "pain", "type": "boolean", "text": "Do you have pain?", "required": True},
                    {
                        "linkId": "how-bad",
                        "type": "integer",
                        "text": "How bad is it, from 1 to 10?",
                        "required": True,
                        "extension": [
                            {"url": "http://hl7.org/fhir/StructureDefinition/minValue", "valueInteger": 1},
                            {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueInteger": 10},
                        ],
                        "enableWhen": [{"question": "pain", "operator": "=", "answerBoolean": True}],
                    },
                ],
            },
        ],
    }
