"""The questions of `portal.share_steps`, one form each. Nothing about what to share is ticked beforehand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from consent.vocabulary import TOPICS, Category
from consent.words import CATEGORY, TOPIC
from portal.consent_facts import ALL_RECORDS
from portal.download_forms import LET_ME_CHOOSE
from portal.searching import LONGEST
from portal.share_steps import ALL, KEEP, PERIODS, until

MOST = 20  # names on one page; the others are found by a word
WITH_NAME = pgettext_lazy("consent.categories.contact", "To share this, share your name and age too.")
PERIOD: Mapping[int, Promise] = {
    30: pgettext_lazy("consent.days.month", "30 days, until {date}"),
    90: pgettext_lazy("share.days.quarter", "90 days, until {date}"),
    365: pgettext_lazy("consent.days.year", "1 year, until {date}"),
}


class WhoForm(forms.Form):
    words = forms.CharField(
        label=pgettext_lazy("share.who.find", "Find a name"),
        required=False,
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    recipient = forms.ChoiceField(
        label=pgettext_lazy("share.who.list", "Doctors and clinics in your records"),
        widget=forms.RadioSelect,
        error_messages={
            name: pgettext_lazy("share.who.missing", "Choose who to share with.")
            for name in ("required", "invalid_choice")
        },
    )

    def offer(self, names: Mapping[str, str]) -> None:
        """`names`: FHIR reference → name."""
        cast(forms.ChoiceField, self.fields["recipient"]).choices = list(names.items())


class WhatForm(forms.Form):
    what = forms.ChoiceField(
        label=pgettext_lazy("share.what.label", "Kinds of record"),
        choices=[("all", ALL_RECORDS), ("choose", LET_ME_CHOOSE)],
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("share.what.missing", "Choose what to share.")},
    )
    categories = forms.MultipleChoiceField(
        label=pgettext_lazy("consent.categories", "Choose what to share"),
        choices=[(code, CATEGORY[code]) for code in ALL],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        chosen = set(data.get("categories", ()))
        if data.get("what") == "choose" and not chosen:
            text = pgettext_lazy("share.categories.missing", "Choose at least one kind of record.")
            self.add_error("categories", text)
        if (
            data.get("what") == "choose"
            and Category.CONTACT in chosen
            and Category.DEMOGRAPHICS not in chosen
        ):
            self.add_error("categories", WITH_NAME)
        return data


class LeaveOutForm(forms.Form):
    without = forms.MultipleChoiceField(
        label=pgettext_lazy("share.without", "Kinds of record to leave out"),
        help_text=pgettext_lazy("question.text_help", "You can leave this empty."),
        choices=[(code, CATEGORY[code]) for code in ALL],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    private = forms.ChoiceField(
        label=pgettext_lazy("share.private", "Your private topics"),
        choices=[
            ("none", pgettext_lazy("share.private.none", "Leave all private topics out")),
            ("choose", pgettext_lazy("share.private.some", "Share some private topics too")),
        ],
        widget=forms.RadioSelect,
        error_messages={
            "required": pgettext_lazy("share.private.missing", "Choose what happens with private topics.")
        },
    )
    topics = forms.MultipleChoiceField(
        label=pgettext_lazy("share.topics", "Private topics to share"),
        choices=[(topic.code, TOPIC[topic.code]) for topic in TOPICS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        without = set(data.get("without", ()))
        if without >= set(ALL):
            text = pgettext_lazy("share.without.all", "You left everything out. Keep at least one kind.")
            self.add_error("without", text)
        elif Category.DEMOGRAPHICS in without and Category.CONTACT not in without:
            text = pgettext_lazy("share.without.contact", "Leave your address, phone and e-mail out too.")
            self.add_error("without", text)
        if data.get("private") == "choose" and not data.get("topics"):
            text = pgettext_lazy("share.topics.missing", "Choose at least one private topic.")
            self.add_error("topics", text)
        return data


class HowLongForm(forms.Form):
    days = forms.ChoiceField(
        label=pgettext_lazy("consent.days", "How long"),
        widget=forms.RadioSelect,
        error_messages={
            name: pgettext_lazy("consent.days.missing", "Choose how long.")
            for name in ("required", "invalid_choice")
        },
    )

    def offer(self, kept_until: datetime | None) -> None:
        """`kept_until`: when the sharing ends that is changed."""
        now = timezone.now()
        choices = [(str(days), str(PERIOD[days]).format(date=_date(until(now, days)))) for days in PERIODS]
        if kept_until:
            said = pgettext("share.days.keep", "As it is now, until {date}")
            choices = [(KEEP, said.format(date=_date(kept_until))), *choices]
        cast(forms.ChoiceField, self.fields["days"]).choices = choices


def _date(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATE_FORMAT")
