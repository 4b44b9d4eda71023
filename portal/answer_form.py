"""The form on which a person answers an app."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext, pgettext_lazy

from consent.models import Consent
from consent.vocabulary import TOPICS, Category
from consent.words import CATEGORY, TOPIC
from portal import authorization
from portal.authorization import ONCE, PERIODS, Answer, Question
from portal.categories import DETAILS
from portal.unused import unused
from smart.models import AuthorizationRequest


class AnswerForm(forms.Form):
    """Chooses from what was asked for. Nothing about what to share is ticked beforehand."""

    what = forms.ChoiceField(
        label=pgettext_lazy("consent.what", "What to share"),
        widget=forms.RadioSelect,
        choices=[
            ("all", pgettext_lazy("consent.what.all", "Share all of these")),
            ("choose", pgettext_lazy("consent.what.choose", "Let me choose")),
        ],
        error_messages={
            "required": pgettext_lazy("consent.what.missing", "Choose what to share, or say no.")
        },
    )
    categories = forms.MultipleChoiceField(
        label=pgettext_lazy("consent.categories", "Choose what to share"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    topics = forms.MultipleChoiceField(
        label=pgettext_lazy("consent.topics", "Private topics"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        choices=[(topic.code, TOPIC[topic.code]) for topic in TOPICS],
    )
    can_write = forms.BooleanField(
        label=pgettext_lazy("consent.write.yes", "Yes, it can send new readings"), required=False
    )
    days = forms.TypedChoiceField(
        label=pgettext_lazy("consent.days", "How long"),
        widget=forms.RadioSelect,
        coerce=int,
        initial=30,
        error_messages={"required": pgettext_lazy("consent.days.missing", "Choose how long.")},
    )

    def __init__(
        self, asked: AuthorizationRequest, before: Consent | None, data: Mapping[str, Any] | None = None
    ) -> None:
        dropped, since = unused(before) if before else (frozenset(), timezone.now())
        super().__init__(data, initial=_chosen(before, dropped))
        self.question = Question.of(asked)
        categories, days = self.fields["categories"], self.fields["days"]
        assert isinstance(categories, forms.MultipleChoiceField)
        assert isinstance(days, forms.TypedChoiceField)
        categories.choices = [
            (c.value, _idle(c, since) if c in dropped else CATEGORY[c]) for c in self.question.categories
        ]
        days.choices = [(count, _period(asked, count)) for count in PERIODS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("what") == "choose" and not cleaned.get("categories"):
            message = pgettext("consent.categories.missing", "Choose at least one, or say no.")
            self.add_error("categories", message)
        chosen = set(cleaned.get("categories", ()))
        if Category.CONTACT in chosen and Category.DEMOGRAPHICS not in chosen:
            message = pgettext("consent.categories.contact", "To share this, share your name and age too.")
            self.add_error("categories", message)
        return cleaned

    def answer(self) -> Answer:
        chosen = self.cleaned_data
        everything = chosen["what"] == "all"
        return Answer(
            categories=frozenset(
                self.question.categories if everything else map(Category, chosen["categories"])
            ),
            topics=frozenset(chosen["topics"]),
            can_write=chosen["can_write"],
            days=chosen["days"],
        )

    def kinds(self) -> list[tuple[object, object]]:
        """(name, what is in it) of each kind that the app asks to see."""
        return [(CATEGORY[c], DETAILS[c]) for c in self.question.categories]


def _idle(category: Category, since: datetime) -> str:
    date = date_format(timezone.localtime(since), "DATE_FORMAT")
    said = pgettext("consent.categories.unused", "{name} (it read nothing of this since {date})")
    return said.format(name=CATEGORY[category], date=date)


def _chosen(before: Consent | None, dropped: Collection[str]) -> dict[str, object]:
    """What the person shares with this app now and it uses, for a page that is shown again."""
    if before is None:
        return {}
    permit = before.current.permit
    labels = permit.security_labels
    return {
        "what": "choose",
        "categories": sorted(set(permit.categories) - set(dropped)),
        "topics": [topic.code for topic in TOPICS if topic.labels <= labels],
        "can_write": permit.writes,
    }


def _period(asked: AuthorizationRequest, days: int) -> str:
    if days == ONCE:
        return pgettext("consent.days.once", "Just this once")
    end = authorization.until(asked, days)
    date = date_format(timezone.localtime(end), "DATE_FORMAT")
    if days == 30:
        return pgettext("consent.days.month", "30 days, until {date}").format(date=date)
    return pgettext("consent.days.year", "1 year, until {date}").format(date=date)
