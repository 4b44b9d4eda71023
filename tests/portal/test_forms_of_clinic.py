"""Forms of the clinic: what a Questionnaire asks, in which version, and what comes of the answers."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.http import QueryDict
from django.urls import reverse

from demo.population.forms import before_your_visit
from fhirproxy.models import WriteCommand
from portal import questionnaires
from portal.answers_form import AnswersForm
from portal.questionnaires import Condition, Item, enabled
from tests import factories
from tests.portal.test_sending import sent
from tests.writes.conftest import in_chart

EVERY_TYPE = {
    "resourceType": "Questionnaire",
    "url": "https://x.example/Questionnaire/all",
    "title": "All",
    "status": "active",
    "contained": [
        {
            "resourceType": "ValueSet",
            "id": "colours",
            "compose": {"include": [{"system": "urn:c", "concept": [{"code": "r", "display": "Red"}]}]},
        }
    ],
    "item": [
        {"linkId": "d", "type": "display", "text": "Read this"},
        {"linkId": "s", "type": "string", "text": "Name", "maxLength": 5},
        {"linkId": "many", "type": "string", "text": "Names", "repeats": True},
        {"linkId": "i", "type": "integer", "text": "Count"},
        {"linkId": "n", "type": "decimal", "text": "Number"},
        {
            "linkId": "w",
            "type": "quantity",
            "text": "Weight",
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/questionnaire-unit",
                    "valueCoding": {"system": "http://unitsofmeasure.org", "code": "kg", "display": "kg"},
                }
            ],
        },
        {"linkId": "day", "type": "date", "text": "Day"},
        {"linkId": "at", "type": "dateTime", "text": "When"},
        {"linkId": "t", "type": "time", "text": "Time"},
        {"linkId": "c", "type": "choice", "text": "Colour", "answerValueSet": "#colours"},
        {
            "linkId": "o",
            "type": "open-choice",
            "text": "Pet",
            "repeats": True,
            "answerOption": [{"valueString": "Cat"}, {"valueString": "Dog"}],
        },
        {"linkId": "hidden", "type": "string", "required": True, "readOnly": True},
        {"linkId": "file", "type": "attachment", "text": "Photo"},
    ],
}


def names(questionnaire) -> dict[str, str]:
    return {item.link_id: item.name for item in questionnaires.items_of(questionnaire)}


def filled(questionnaire, **values) -> AnswersForm:
    items, data = questionnaires.items_of(questionnaire), QueryDict(mutable=True)
    for link_id, value in values.items():
        link, mark, rest = link_id.partition("__")
        data.setlist(
            names(questionnaire)[link] + (f"-{rest}" if mark else ""),
            value if isinstance(value, list) else [value],
        )
    data["shown"] = AnswersForm(items, data).shown()
    return AnswersForm(items, data)


def test_each_type_is_asked_and_answered_in_its_own_element():
    options = {item.link_id: [o.token for o in item.options] for item in questionnaires.items_of(EVERY_TYPE)}
    form = filled(
        EVERY_TYPE,
        s="Ann",
        many="Bo\n\nCy\n",
        i="3",
        n="1.50",
        w="70.5",
        day="2026-06-12",
        at="2026-06-12T08:30",
        t="08:30",
        c=options["c"][0],
        o=[options["o"][1]],
        o__other="Newt",
    )

    assert form.is_valid(), form.errors
    made = questionnaires.response(
        EVERY_TYPE, form.items, form.answers(), patient_id="1", at=datetime(2026, 6, 12, tzinfo=UTC)
    )
    assert {item["linkId"]: item["answer"] for item in made["item"]} == {
        "s": [{"valueString": "Ann"}],
        "many": [{"valueString": "Bo"}, {"valueString": "Cy"}],
        "i": [{"valueInteger": 3}],
        "n": [{"valueDecimal": Decimal("1.50")}],
        "w": [
            {
                "valueQuantity": {
                    "value": Decimal("70.5"),
                    "unit": "kg",
                    "system": "http://unitsofmeasure.org",
                    "code": "kg",
                }
            }
        ],
        "day": [{"valueDate": "2026-06-12"}],
        "at": [{"valueDateTime": made["item"][6]["answer"][0]["valueDateTime"]}],
        "t": [{"valueTime": "08:30:00"}],
        "c": [{"valueCoding": {"system": "urn:c", "code": "r", "display": "Red"}}],
        "o": [{"valueString": "Dog"}, {"valueString": "Newt"}],
    }
    assert not filled(EVERY_TYPE, s="Annabel").is_valid()
    assert not filled(EVERY_TYPE, i="1.5").is_valid()


def test_a_form_that_needs_what_no_page_takes_says_so():
    needs_photo = copy.deepcopy(EVERY_TYPE)
    needs_photo["item"][-1]["required"] = True

    assert questionnaires.cannot(needs_photo)
    assert not questionnaires.cannot(EVERY_TYPE)


@pytest.mark.parametrize(
    ("operator", "value", "given", "shown"),
    [
        ("exists", True, [{"valueInteger": 1}], True),
        ("exists", True, [], False),
        ("exists", False, [], True),
        ("=", 1, [{"valueInteger": 1}], True),
        ("!=", 1, [{"valueInteger": 2}], True),
        ("!=", 1, [], False),
        (">", 1, [{"valueDecimal": Decimal("1.5")}], True),
        ("<=", 1, [{"valueQuantity": {"value": 2}}], False),
        (">=", "2026-01-01", [{"valueDate": "2026-06-12"}], True),
        (">", 1, [{"valueString": "many"}], False),
        ("~", 1, [{"valueInteger": 1}], False),
        (
            "=",
            {"system": "s", "code": "a"},
            [{"valueCoding": {"system": "s", "code": "a"}}],
            True,
        ),
        ("=", True, [{"valueBoolean": True}], True),
    ],
)
def test_enable_when(operator, value, given, shown):
    first = Item(link_id="1", type="string", text="")
    second = Item(link_id="2", type="string", text="", conditions=(Condition("1", operator, value),))

    assert ("2" in enabled([first, second], {"1": given})) is shown


def test_what_is_not_asked_brings_nothing_with_it():
    """Questions that wait for each other, and an answer to one that is hidden again."""
    one = Item(link_id="1", type="string", text="", conditions=(Condition("2", "exists", True),))
    two = Item(link_id="2", type="string", text="", conditions=(Condition("1", "=", "no"),))
    three = Item(link_id="3", type="string", text="", conditions=(Condition("1", "exists", True),))

    assert enabled([one, two, three], {"1": [{"valueString": "yes"}]}) == frozenset()


@pytest.fixture
def alice(db, client):
    patient = factories.alice()
    factories.load_records(factories.patient_record(patient), before_your_visit())
    client.force_login(patient.user)
    return patient


PATH = "/questions/forms/before-your-visit/"


def fields(page, **values) -> dict[str, str]:
    known = names(before_your_visit())
    reason = next(i for i in page.context["form"].items if i.link_id == "reason").options
    said = {known["reason"]: reason[1].token if values.pop("symptom", False) else reason[0].token}
    said |= {"pin": page.context["pin"], "shown": page.context["form"].shown()}
    return said | {known[name.replace("_", "-")]: value for name, value in values.items()}


def test_answers_go_to_the_chart_with_the_version_that_was_answered(alice, client):
    assert "Before your visit" in client.get(reverse("portal:ask")).text
    page = client.get(PATH)
    sent(client, PATH, **fields(page, pain="no", questions="Is it far?"))

    assert WriteCommand.objects.get().status == "applied"
    [made] = in_chart(alice, "QuestionnaireResponse")
    assert made["questionnaire"] == "https://riverside.example/forms/before-your-visit|2"
    assert [item["linkId"] for item in made["item"]] == ["visit", "life"]
    assert "Is it far?" in client.get(reverse("portal:add-sent", args=[WriteCommand.objects.get().pk])).text


def test_an_answer_that_brings_more_questions_shows_them_before_anything_is_sent(alice, client):
    page = client.get(PATH)
    assert "How bad is it" not in page.text
    more = sent(client, PATH, **fields(page, pain="yes", symptom=True))

    assert more.status_code == 422
    assert "Your answers bring 2 more questions." in more.text
    assert not WriteCommand.objects.exists()
    wrong = sent(client, PATH, **fields(more, pain="yes", symptom=True, how_bad="11"))
    assert "Enter 10 or less." in wrong.text
    sent(client, PATH, **fields(more, pain="yes", symptom=True, how_bad="4", since="2026-06-01"))
    answered = json.loads(WriteCommand.objects.get().resource)["item"]
    assert answered[1]["item"][1]["answer"] == [{"valueInteger": 4}]


def test_a_form_that_changed_keeps_what_fits_and_says_so(alice, client):
    page = client.get(PATH)
    said = fields(page, pain="no", questions="Is it far?")
    changed = before_your_visit() | {"version": "3"}
    changed["item"][0]["item"].append({"linkId": "bus", "type": "boolean", "text": "Do you come by bus?"})
    factories.load_records(changed)
    late = sent(client, PATH, **said)

    assert late.status_code == 409
    assert "The clinic changed this form since you began." in late.text
    assert "Is it far?" in late.text
    assert "Do you come by bus?" in late.text
    assert not WriteCommand.objects.exists()
    sent(client, PATH, **fields(client.get(PATH), pain="no", questions="Is it far?"))
    assert json.loads(WriteCommand.objects.get().resource)["questionnaire"].endswith("|3")


def test_a_form_that_is_in_use_no_more_is_not_there(alice, client):
    factories.load_records(before_your_visit() | {"status": "retired"})

    assert client.get(PATH).status_code == 404
    assert "Before your visit" not in client.get(reverse("portal:ask")).text
