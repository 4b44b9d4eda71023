"""A FHIR R4 Questionnaire as questions that a page can ask, and answers as a QuestionnaireResponse. Pure.

Types: group, display, boolean, integer, decimal, quantity, string, text, choice, open-choice, date, dateTime,
time. A form that needs an answer of another type cannot be filled in here, and says so (`cannot`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from fhirproxy import reading as fhir

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
DISPLAY = f"{EXTENSION}display"
UNIT, UNIT_OPTION = f"{EXTENSION}questionnaire-unit", f"{EXTENSION}questionnaire-unitOption"
LOW, HIGH, HIDDEN = f"{EXTENSION}minValue", f"{EXTENSION}maxValue", f"{EXTENSION}questionnaire-hidden"
NO_ANSWER = frozenset({"group", "display"})
ASKED = frozenset(
    {"boolean", "integer", "decimal", "quantity", "string", "text", "choice", "open-choice"}
    | {"date", "dateTime", "time"}
)
DEEPEST, MOST = 6, 200  # levels of groups, and items: more is no form for people
Answer = dict[str, Any]  # one of QuestionnaireResponse.item.answer
Answers = Mapping[str, Sequence[Answer]]  # by linkId


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose. `token` stays the same while its code does."""

    token: str
    label: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Condition:
    question: str  # linkId
    operator: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item, without those below it; `parents` are the linkIds that it stands under, the nearest last."""

    link_id: str
    type: str
    text: str
    prefix: str = ""
    required: bool = False
    repeats: bool = False
    max_length: int | None = None
    low: Any = None
    high: Any = None
    options: tuple[Option, ...] = ()
    units: tuple[Option, ...] = ()
    initial: tuple[Answer, ...] = ()
    conditions: tuple[Condition, ...] = ()
    needs_all: bool = False
    parents: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        return self.type not in NO_ANSWER

    @property
    def name(self) -> str:
        """Of its field: the same in the next version of the form, where its linkId is."""
        return "q" + hashlib.sha256(self.link_id.encode()).hexdigest()[:12]

    @property
    def level(self) -> int:
        return len(self.parents)


def items_of(questionnaire: Mapping[str, Any]) -> list[Item]:
    """All items in their order. What is hidden, read-only or of a type that no page has is left out."""
    contained = {f"#{fhir.text(c, 'id')}": c for c in fhir.objects(questionnaire, "contained")}
    return list(_items(questionnaire, contained, ()))[:MOST]


def cannot(questionnaire: Mapping[str, Any]) -> bool:
    """Whether it needs an answer that a page here cannot take."""
    asked = {item.link_id for item in items_of(questionnaire)}
    return any(
        node.get("required") is True and fhir.text(node, "linkId") not in asked
        for node in _all(questionnaire)
        if not _is_left_out(node)
    )


def _all(node: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    for each in fhir.objects(node, "item") if depth <= 2 * DEEPEST else ():
        yield each
        yield from _all(each, depth + 1)


def _is_left_out(node: Mapping[str, Any]) -> bool:
    hidden = next((e for e in fhir.objects(node, "extension") if e.get("url") == HIDDEN), {})
    return node.get("readOnly") is True or hidden.get("valueBoolean") is True


def _items(node: Mapping[str, Any], contained: Mapping[str, Any], parents: tuple[str, ...]) -> Iterator[Item]:
    for each in fhir.objects(node, "item") if len(parents) < DEEPEST else ():
        kind, link_id = fhir.text(each, "type"), fhir.text(each, "linkId")
        options = tuple(_options(each, contained))
        unknown = kind not in ASKED | NO_ANSWER or (kind == "choice" and not options)
        if not link_id or unknown or _is_left_out(each):
            continue
        longest = each.get("maxLength")
        yield Item(
            link_id=link_id,
            type=kind,
            text=fhir.text(each, "text"),
            prefix=fhir.text(each, "prefix"),
            required=each.get("required") is True,
            repeats=each.get("repeats") is True,
            max_length=longest if isinstance(longest, int) and longest > 0 else None,
            low=_value(_extension(each, LOW)),
            high=_value(_extension(each, HIGH)),
            options=options,
            units=tuple(_units(each)),
            initial=tuple({n: v for n, v in i.items() if n.startswith("value")} for i in _initial(each)),
            conditions=tuple(map(_condition, fhir.objects(each, "enableWhen"))),
            needs_all=each.get("enableBehavior") == "all",
            parents=parents,
        )
        yield from _items(each, contained, (*parents, link_id))


def _initial(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    chosen = [
        option for option in fhir.objects(node, "answerOption") if option.get("initialSelected") is True
    ]
    return fhir.objects(node, "initial") or chosen


def _options(node: Mapping[str, Any], contained: Mapping[str, Any]) -> Iterator[Option]:
    for each in fhir.objects(node, "answerOption"):
        name = next((n for n in each if n.startswith("value")), "")
        if name in ("valueCoding", "valueString", "valueInteger", "valueDate", "valueTime"):
            yield _option({name: each[name]})
    value_set = contained.get(fhir.text(node, "answerValueSet"), {})
    for listed in fhir.objects(value_set, "expansion", "contains"):
        yield _option({"valueCoding": {n: listed[n] for n in ("system", "code", "display") if n in listed}})
    if not fhir.objects(value_set, "expansion", "contains"):
        for include in fhir.objects(value_set, "compose", "include"):
            for concept in fhir.objects(include, "concept"):
                coding = {"system": include.get("system", ""), **_only(concept, "code", "display")}
                yield _option({"valueCoding": coding})


def _only(node: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: node[name] for name in names if name in node}


def _option(answer: Answer) -> Option:
    value = next(iter(answer.values()))
    if isinstance(value, Mapping):
        key, label = f"{value.get('system', '')}|{value.get('code', '')}", value.get("display")
        return Option(_token(key), str(label or value.get("code", "")), answer)
    return Option(_token(str(value)), str(value), answer)


def _token(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _units(node: Mapping[str, Any]) -> Iterator[Option]:
    for each in fhir.objects(node, "extension"):
        if each.get("url") in (UNIT, UNIT_OPTION) and isinstance(each.get("valueCoding"), dict):
            yield _option({"valueCoding": each["valueCoding"]})


def _extension(node: Mapping[str, Any], url: str) -> Mapping[str, Any]:
    return next((e for e in fhir.objects(node, "extension") if e.get("url") == url), {})


def _value(extension: Mapping[str, Any]) -> Any:
    """A limit: a number, a day or a moment; None for none, and for what is none."""
    if (day := extension.get("valueDate")) is not None:
        try:
            return date.fromisoformat(str(day))
        except ValueError:
            return None
    return fhir.number(extension.get("valueInteger", extension.get("valueDecimal")))


def _condition(node: Mapping[str, Any]) -> Condition:
    name = next((n for n in node if n.startswith("answer")), "")
    return Condition(fhir.text(node, "question"), fhir.text(node, "operator"), node.get(name))


def enabled(items: Sequence[Item], answers: Answers) -> frozenset[str]:
    """The linkIds of those that are asked, given these answers (enableWhen). The answer to a question that is
    not asked itself does not count."""
    on = {item.link_id for item in items}
    for _ in range(len(items) + 1):
        now = {
            item.link_id
            for item in items
            if set(item.parents) <= on and _holds(item, {k: v for k, v in answers.items() if k in on})
        }
        if now == on:
            break
        on = now
    return frozenset(on)


def _holds(item: Item, answers: Answers) -> bool:
    if not item.conditions:
        return True
    met = [_is_met(condition, answers.get(condition.question, ())) for condition in item.conditions]
    return all(met) if item.needs_all else any(met)


def _is_met(condition: Condition, given: Sequence[Answer]) -> bool:
    if condition.operator == "exists":
        return bool(given) is (condition.value is True)
    found = [_comparable(next(iter(answer.values()), None)) for answer in given]
    wanted = _comparable(condition.value)
    if condition.operator == "!=":
        return bool(found) and all(value != wanted for value in found)
    return any(_compare(condition.operator, value, wanted) for value in found)


def _compare(operator: str, value: Any, wanted: Any) -> bool:
    if operator == "=":
        return bool(value == wanted)
    try:
        return {
            ">": lambda: value > wanted,
            "<": lambda: value < wanted,
            ">=": lambda: value >= wanted,
            "<=": lambda: value <= wanted,
        }.get(operator, lambda: False)()
    except TypeError:
        return False


def _comparable(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "value" in value:
            return fhir.number(value["value"])
        return (str(value.get("system", "")), str(value.get("code", "")))
    return value if isinstance(value, bool | str) else fhir.number(value)


def response(
    questionnaire: Mapping[str, Any],
    items: Sequence[Item],
    answers: Answers,
    *,
    patient_id: str,
    at: datetime,
) -> dict[str, Any]:
    """A completed QuestionnaireResponse, with the version of the form that was answered."""
    on = enabled(items, answers)
    version = fhir.text(questionnaire, "version")
    canonical = fhir.text(questionnaire, "url") or f"Questionnaire/{fhir.text(questionnaire, 'id')}"
    patient = {"reference": f"Patient/{patient_id}"}
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{canonical}|{version}" if version else canonical,
        "_questionnaire": {"extension": [{"url": DISPLAY, "valueString": title_of(questionnaire)}]},
        "status": "completed",
        "subject": patient,
        "authored": at.isoformat(timespec="seconds"),
        "author": patient,
        "source": patient,
        "item": _answered([item for item in items if item.link_id in on], answers, ()),
    }


def _answered(items: Sequence[Item], answers: Answers, parents: tuple[str, ...]) -> list[dict[str, Any]]:
    made = []
    for item in items:
        if item.parents != parents:
            continue
        below = _answered(items, answers, (*parents, item.link_id))
        given = [dict(answer) for answer in answers.get(item.link_id, ())] if item.asks else []
        if given and below:
            given[0]["item"] = below
        if given or (below and not item.asks):
            node: dict[str, Any] = {"linkId": item.link_id}
            node |= {"text": item.text} if item.text else {}
            made.append(node | ({"answer": given} if given else {"item": below}))
    return made


def title_of(questionnaire: Mapping[str, Any]) -> str:
    return fhir.text(questionnaire, "title") or fhir.text(questionnaire, "name")


def as_answer(item: Item, value: Any) -> Answer:
    """One answer of a field, in the element that its type has. `value` is what Django's field gives."""
    if item.type in ("choice", "open-choice") and isinstance(value, Option):
        return dict(value.answer)
    if item.type == "boolean":
        return {"valueBoolean": bool(value)}
    if item.type == "integer":
        return {"valueInteger": int(value)}
    if item.type == "decimal":
        return {"valueDecimal": Decimal(value)}
    if isinstance(value, datetime):
        return {"valueDateTime": value.isoformat(timespec="seconds")}
    if isinstance(value, date):
        return {"valueDate": value.isoformat()}
    if isinstance(value, time):
        return {"valueTime": value.isoformat(timespec="seconds")}
    return {"valueString": str(value)}


def as_quantity(value: Decimal, unit: Option | None) -> Answer:
    coding = unit.answer["valueCoding"] if unit else {}
    coded = {name: coding[name] for name in ("system", "code") if name in coding}
    return {"valueQuantity": {"value": value, **({"unit": unit.label} if unit else {}), **coded}}
