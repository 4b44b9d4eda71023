"""The form that a Questionnaire becomes. Which questions it has depends on the answers (enableWhen)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import npgettext_lazy, pgettext_lazy

from portal.observations import NO, YES
from portal.questionnaires import Answer, Item, Option, as_answer, as_quantity, enabled
from portal.send_forms import LONGEST, TOO_LONG, LongText

NEEDED = pgettext_lazy("form.needed", "Answer this question.")
CHOOSE = pgettext_lazy("activity.unknown", "Choose one from the list.")
TOO_LOW = pgettext_lazy("form.low", "Enter %(limit_value)s or more.")
TOO_HIGH = pgettext_lazy("form.high", "Enter %(limit_value)s or less.")
MORE = npgettext_lazy(
    "form.more",
    "Your answers bring %(count)d more question. Answer it, then send the form.",
    "Your answers bring %(count)d more questions. Answer them, then send the form.",
    "count",
)
WRONG: Mapping[str, str | Promise] = {
    "integer": pgettext_lazy("reading.whole", "Enter a whole number, like 120."),
    "decimal": pgettext_lazy("form.number", "Enter a number, like 12.5."),
    "quantity": pgettext_lazy("form.number", "Enter a number, like 12.5."),
    "date": pgettext_lazy("activity.day", "Choose a day, like 2026-06-12."),
    "dateTime": pgettext_lazy("reading.taken_invalid", "Enter a day and time, like 12 June 2025, 8:30."),
    "time": pgettext_lazy("form.time", "Enter a time, like 8:30."),
}
OTHER, UNIT_OF = "-other", "-unit"


@dataclass(frozen=True, slots=True)
class Part:
    """One item on the page: a heading, a text, or the fields of a question."""

    item: Item
    fields: tuple[BoundField, ...]


class AnswersForm(forms.Form):
    """Only the questions that are asked are in it. One that the answers bring was not on the page yet: the
    form is then shown again, with it."""

    def __init__(self, items: Sequence[Item], data: Any = None, initial: Mapping[str, Any] | None = None):
        super().__init__(data, initial={**_first_answers(items), **(initial or {})})
        self.items, everything = items, {i.name: fields_of(i) for i in items if i.asks}
        self.fields = {name: field for fields in everything.values() for name, field in fields.items()}
        self.asked = enabled(items, self._given())
        on = {item.name for item in items if item.link_id in self.asked}
        self.fields = {
            name: field
            for question, fields in everything.items()
            if question in on
            for name, field in fields.items()
        }

    def parts(self) -> list[Part]:
        return [
            Part(item, tuple(self[name] for name in fields_of(item)) if item.asks else ())
            for item in self.items
            if item.link_id in self.asked
        ]

    def shown(self) -> str:
        return " ".join(item.name for item in self.items if item.asks and item.link_id in self.asked)

    def answers(self) -> dict[str, list[Answer]]:
        """By linkId; of a form that is valid."""
        return {
            item.link_id: found
            for item in self.items
            if item.asks and item.link_id in self.asked and (found := _answers(item, self.cleaned_data))
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        seen = set(self.data.get("shown", "").split())
        if new := set(self.shown().split()) - seen:
            self.add_error(None, forms.ValidationError(MORE, params={"count": len(new)}))
        for item in self.items:
            open_to_both = item.type == "open-choice" and item.required and item.name in self.fields
            if open_to_both and not (data.get(item.name) or data.get(item.name + OTHER)):
                self.add_error(item.name, NEEDED)
        return data

    def _given(self) -> dict[str, list[Answer]]:
        """What can be read of the answers, whether or not the whole is valid."""
        given = {}
        for item in self.items:
            read: dict[str, Any] = {}
            for name in fields_of(item) if item.asks else ():
                field = self.fields[name]
                try:
                    read[name] = field.clean(self[name].value() if self.is_bound else self[name].initial)
                except forms.ValidationError:
                    continue
            if item.asks and (found := _answers(item, read)):
                given[item.link_id] = found
        return given


def fields_of(item: Item) -> dict[str, forms.Field]:
    """The field of a question, and the one beside it: other words, or the unit."""
    label = f"{item.prefix} {item.text}".strip()
    said = {"required": NEEDED, "invalid": WRONG.get(item.type, NEEDED), "invalid_choice": CHOOSE}
    limits = {"min_value": TOO_LOW, "max_value": TOO_HIGH}
    common: dict[str, Any] = {"label": label, "required": item.required, "error_messages": said}
    made: dict[str, forms.Field] = {}
    match item.type:
        case "boolean":
            answers = [("yes", YES), ("no", NO)]
            made[item.name] = forms.ChoiceField(**common, choices=answers, widget=forms.RadioSelect)
        case "choice" | "open-choice":
            made[item.name] = _choice(item, common)
            if item.type == "open-choice":
                words = pgettext_lazy("form.other", "Or in other words")
                made[item.name + OTHER] = forms.CharField(label=words, required=False, max_length=200)
        case "integer":
            bounds: dict[str, Any] = {"min_value": _whole(item.low), "max_value": _whole(item.high)}
            made[item.name] = forms.IntegerField(**common | {"error_messages": said | limits}, **bounds)
        case "decimal" | "quantity":
            bounds = {"min_value": _number(item.low), "max_value": _number(item.high)}
            made[item.name] = forms.DecimalField(
                **common | {"error_messages": said | limits}, **bounds, max_digits=20
            )
            if item.type == "quantity" and item.units:
                made[item.name + UNIT_OF] = _unit(item)
        case "date":
            made[item.name] = _Day(item.low, item.high, **common, widget=_input("date", "%Y-%m-%d"))
        case "dateTime":
            at = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
            made[item.name] = forms.DateTimeField(**common, widget=at)
        case "time":
            made[item.name] = forms.TimeField(**common, widget=forms.TimeInput(attrs={"type": "time"}))
        case _:
            made[item.name] = _words(item, common, said)
    return made


def _words(item: Item, common: dict[str, Any], said: dict[str, Any]) -> forms.CharField:
    longest = min(item.max_length or LONGEST, LONGEST)
    common = common | {"error_messages": said | {"max_length": TOO_LONG}, "max_length": longest}
    if item.type == "text" or item.repeats:
        hint = pgettext_lazy("form.one_a_line", "Write one on each line.") if item.repeats else ""
        return LongText(**common, help_text=hint, rows=4)
    return forms.CharField(**common)


def _choice(item: Item, common: dict[str, Any]) -> forms.ChoiceField:
    choices = [(option.token, option.label) for option in item.options]
    common = common | {"choices": choices, "required": item.required and item.type == "choice"}
    if item.repeats:
        return forms.MultipleChoiceField(**common, widget=forms.CheckboxSelectMultiple)
    if len(choices) > 8:
        return forms.ChoiceField(**common | {"choices": [("", ""), *choices]})
    return forms.ChoiceField(**common, widget=forms.RadioSelect)


def _unit(item: Item) -> forms.ChoiceField:
    choices = [(unit.token, unit.label) for unit in item.units]
    words = pgettext_lazy("form.unit", "Unit")
    return forms.ChoiceField(label=words, choices=choices, required=False, initial=choices[0][0])


def _answers(item: Item, read: Mapping[str, Any]) -> list[Answer]:
    value = read.get(item.name)
    if item.type in ("choice", "open-choice"):
        tokens = value if isinstance(value, list) else [value] if value else []
        chosen = {option.token: option for option in item.options}
        found = [as_answer(item, chosen[token]) for token in tokens if token in chosen]
        other = read.get(item.name + OTHER)
        return [*found, *([{"valueString": other}] if other else [])]
    if value in (None, ""):
        return []
    if item.type == "boolean":
        return [as_answer(item, value == "yes")]
    if item.type == "quantity":
        units: Mapping[str, Option] = {unit.token: unit for unit in item.units}
        first = item.units[0] if item.units else None
        return [as_quantity(value, units.get(str(read.get(item.name + UNIT_OF)), first))]
    if item.repeats and isinstance(value, str):
        return [as_answer(item, line.strip()) for line in value.splitlines() if line.strip()]
    return [as_answer(item, value)]


def _first_answers(items: Sequence[Item]) -> dict[str, Any]:
    """What the form says before anybody answered (Questionnaire.item.initial)."""
    found: dict[str, Any] = {}
    for item in items:
        values = [next(iter(answer.values()), None) for answer in item.initial]
        if not values:
            continue
        if item.type in ("choice", "open-choice"):
            same = [o.token for o in item.options if next(iter(o.answer.values())) in values]
            found[item.name] = same if item.repeats else next(iter(same), "")
        elif item.type == "boolean":
            found[item.name] = "yes" if values[0] is True else "no"
        elif not isinstance(values[0], Mapping):
            found[item.name] = values[0]
    return found


class _Day(forms.DateField):
    def __init__(self, low: Any, high: Any, **kwargs: Any) -> None:
        self.low, self.high = (day if isinstance(day, date) else None for day in (low, high))
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        if day and self.low and day < self.low:
            raise forms.ValidationError(TOO_LOW, params={"limit_value": self.low})
        if day and self.high and day > self.high:
            raise forms.ValidationError(TOO_HIGH, params={"limit_value": self.high})
        return day


def _input(kind: str, format: str) -> forms.DateInput:
    return forms.DateInput(attrs={"type": kind}, format=format)


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, Decimal) else None


def _number(value: Any) -> Decimal | None:
    return value if isinstance(value, Decimal) else None
