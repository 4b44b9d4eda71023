"""Forms: what a person may type, and what we say when it cannot be right."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext_lazy

from audit.feed import Filters
from consent.vocabulary import Category
from consent.words import CATEGORY

DAY_NEEDED = pgettext_lazy("activity.day", "Choose a day, like 2026-06-12.")


class PlainSelect(forms.Select):
    """A select as one string. Django's takes a template for each option: a quarter of the activity page."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        context = self.get_context(name, value, attrs)["widget"]
        options = [option for _, group, _ in context["optgroups"] for option in group]
        told = format_html_join(
            "\n",
            '<option value="{}"{}>{}</option>',
            ((o["value"], mark_safe(" selected") if o["selected"] else "", o["label"]) for o in options),
        )
        return format_html('<select name="{}"{}>{}</select>', name, flatatt(context["attrs"]), told)


class BloodPressureForm(forms.Form):
    """Plausible for a person at home: a slip of the finger gets words here, not a refusal later."""

    systolic = forms.IntegerField(
        label=pgettext_lazy("reading.systolic", "Top number"),
        help_text=pgettext_lazy("reading.systolic_help", "Systolic, for example 120"),
        min_value=50,
        max_value=280,
        error_messages={
            "required": pgettext_lazy("reading.systolic_needed", "Enter the top number."),
            "invalid": pgettext_lazy("reading.whole", "Enter a whole number, like 120."),
            "min_value": pgettext_lazy("reading.systolic_range", "Enter a top number from 50 to 280."),
            "max_value": pgettext_lazy("reading.systolic_range", "Enter a top number from 50 to 280."),
        },
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    diastolic = forms.IntegerField(
        label=pgettext_lazy("reading.diastolic", "Bottom number"),
        help_text=pgettext_lazy("reading.diastolic_help", "Diastolic, for example 80"),
        min_value=30,
        max_value=180,
        error_messages={
            "required": pgettext_lazy("reading.diastolic_needed", "Enter the bottom number."),
            "invalid": pgettext_lazy("reading.whole", "Enter a whole number, like 120."),
            "min_value": pgettext_lazy("reading.diastolic_range", "Enter a bottom number from 30 to 180."),
            "max_value": pgettext_lazy("reading.diastolic_range", "Enter a bottom number from 30 to 180."),
        },
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    taken_at = forms.DateTimeField(
        label=pgettext_lazy("reading.taken", "When you took it"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={
            "required": pgettext_lazy("reading.taken_needed", "Enter the day and time."),
            "invalid": pgettext_lazy(
                "reading.taken_invalid", "Enter a day and time, like 12 June 2025, 8:30."
            ),
        },
    )

    @staticmethod
    def now() -> dict[str, Any]:
        """What it says before anybody wrote in it."""
        return {"taken_at": timezone.localtime()}

    def clean_taken_at(self) -> Any:
        taken = self.cleaned_data["taken_at"]
        now = timezone.now()
        if taken > now + timedelta(minutes=5):
            raise forms.ValidationError(
                pgettext_lazy("reading.future", "Enter a time that is not in the future.")
            )
        if taken < now - timedelta(days=90):
            raise forms.ValidationError(
                pgettext_lazy(
                    "reading.old", "Enter a time in the last 90 days. Call your clinic about older readings."
                )
            )
        return taken

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        top, bottom = data.get("systolic"), data.get("diastolic")
        if top is not None and bottom is not None and top <= bottom:
            self.add_error(
                "systolic",
                pgettext_lazy("reading.swapped", "The top number must be higher than the bottom number."),
            )
        return data


class ActivityFilter(forms.Form):
    """Filters of the activity list, as a plain GET form. Own looks are many, so others come first."""

    who = forms.ChoiceField(
        label=pgettext_lazy("activity.who", "Who"),
        required=False,
        widget=PlainSelect,
        choices=[
            ("others", pgettext_lazy("activity.others", "Everyone but you")),
            ("everyone", pgettext_lazy("activity.everyone", "Everyone")),
            ("me", pgettext_lazy("activity.me", "You")),
            ("apps", pgettext_lazy("activity.apps", "Apps")),
            ("people", pgettext_lazy("activity.people", "Helpers")),
            ("clinic", pgettext_lazy("activity.clinic", "Your clinic")),
        ],
    )
    result = forms.ChoiceField(
        label=pgettext_lazy("activity.result", "What happened"),
        required=False,
        widget=PlainSelect,
        choices=[
            ("", pgettext_lazy("activity.all", "All")),
            ("allowed", pgettext_lazy("activity.allowed", "Allowed")),
            ("blocked", pgettext_lazy("activity.blocked", "We said no")),
            ("failed", pgettext_lazy("activity.failed", "Did not work")),
        ],
    )
    app = forms.ChoiceField(label=pgettext_lazy("activity.app", "App"), required=False, widget=PlainSelect)
    category = forms.ChoiceField(
        label=pgettext_lazy("activity.category", "Kind of record"),
        required=False,
        widget=PlainSelect,
        choices=[("", pgettext_lazy("activity.all", "All")), *((c.value, CATEGORY[c]) for c in Category)],
    )
    since = forms.DateField(
        label=pgettext_lazy("activity.since", "From"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": DAY_NEEDED},
    )
    until = forms.DateField(
        label=pgettext_lazy("activity.until", "Up to"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": DAY_NEEDED},
    )
    after = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, apps: Mapping[str, str], **kwargs: Any):
        """`apps`: the client ids that can be asked for, and their names."""
        super().__init__(*args, **kwargs)
        app = cast(forms.ChoiceField, self.fields["app"])
        app.choices = [("", pgettext_lazy("activity.all", "All")), *apps.items()]
        for name in ("who", "result", "app", "category"):
            self.fields[name].error_messages["invalid_choice"] = pgettext_lazy(
                "activity.unknown", "Choose one from the list."
            )

    def clean_who(self) -> str:
        return self.cleaned_data["who"] or "others"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error(
                "until",
                pgettext_lazy("activity.order", "The first day must come before the last day."),
            )
        return data

    @property
    def filters(self) -> Filters:
        """What the list is asked for; days are those of the time zone in force, both of them whole."""
        data = self.cleaned_data
        return Filters(
            who="" if data["who"] == "everyone" else data["who"],
            result=data["result"],
            client=f"Client/{data['app']}" if data["app"] else "",
            category=data["category"],
            since=_midnight(data["since"]) if data["since"] else None,
            until=_midnight(data["until"] + timedelta(days=1)) if data["until"] else None,
        )

    @property
    def chosen(self) -> dict[str, str]:
        """What stands in the address, but for the place in the list."""
        names = ("who", "result", "app", "category", "since", "until")
        return {name: str(value) for name in names if (value := self.cleaned_data[name])}

    @property
    def is_filtered(self) -> bool:
        return bool(self.chosen.keys() - {"who"}) or self.cleaned_data["who"] not in ("others", "everyone")


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class QuestionForm(forms.Form):
    """A person asks about one line of the list."""

    text = forms.CharField(
        label=pgettext_lazy("question.text", "What else do we need to know?"),
        help_text=pgettext_lazy("question.text_help", "You can leave this empty."),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={
            "max_length": pgettext_lazy("question.long", "Write at most %(limit_value)d letters.")
        },
    )
