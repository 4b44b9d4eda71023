"""Forms of a person's settings: language and time, and how soon they hear of what."""

import zoneinfo
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from notices.topics import DEFAULTS, Delivery, Topic

TOPICS: Mapping[Topic, tuple[Promise, Promise]] = {
    Topic.SHARING: (
        pgettext_lazy("notices.sharing", "Sharing with apps"),
        pgettext_lazy("notices.sharing.what", "Sharing that stopped, paused or waits for your answer."),
    ),
    Topic.HELPERS: (
        pgettext_lazy("notices.helpers", "Helpers"),
        pgettext_lazy("notices.helpers.what", "Who asks to help you, and help that changes or ends."),
    ),
    Topic.ANSWERS: (
        pgettext_lazy("notices.answers", "Answers from your clinic"),
        pgettext_lazy("notices.answers.what", "What became of a reading or a question that you sent."),
    ),
    Topic.FILES: (
        pgettext_lazy("notices.files", "Your files"),
        pgettext_lazy("notices.files.what", "A copy of your records that is ready."),
    ),
}
DELIVERIES: Mapping[Delivery, Promise] = {
    Delivery.NOW: pgettext_lazy("notices.now", "At once"),
    Delivery.DAILY: pgettext_lazy("notices.daily", "Once a day"),
    Delivery.PORTAL: pgettext_lazy("notices.portal", "No email. I look here"),
}
# The zones of the United States by the names people know; every other one by its own name.
NAMED_ZONES: Mapping[str, Promise] = {
    "America/New_York": pgettext_lazy("zone.eastern", "Eastern time (New York)"),
    "America/Chicago": pgettext_lazy("zone.central", "Central time (Chicago)"),
    "America/Denver": pgettext_lazy("zone.mountain", "Mountain time (Denver)"),
    "America/Phoenix": pgettext_lazy("zone.arizona", "Arizona time (Phoenix)"),
    "America/Los_Angeles": pgettext_lazy("zone.pacific", "Pacific time (Los Angeles)"),
    "America/Anchorage": pgettext_lazy("zone.alaska", "Alaska time (Anchorage)"),
    "Pacific/Honolulu": pgettext_lazy("zone.hawaii", "Hawaii time (Honolulu)"),
    "America/Puerto_Rico": pgettext_lazy("zone.atlantic", "Atlantic time (Puerto Rico)"),
}


def zones() -> list[tuple[str, str | Promise]]:
    others = sorted(z for z in zoneinfo.available_timezones() if "/" in z and not z.startswith("Etc/"))
    return [
        ("", pgettext_lazy("zone.clinic", "The same as my clinic")),
        *NAMED_ZONES.items(),
        *((zone, zone.replace("_", " ")) for zone in others if zone not in NAMED_ZONES),
    ]


class LanguageForm(forms.Form):
    language = forms.ChoiceField(
        label=pgettext_lazy("settings.language", "Language of pages and emails"),
        choices=settings.LANGUAGES,
        widget=forms.RadioSelect,
    )
    time_zone = forms.ChoiceField(
        label=pgettext_lazy("settings.zone", "Your time zone"),
        help_text=pgettext_lazy("settings.zone.what", "All times on these pages are in it."),
        choices=zones,
        required=False,
    )


class NoticesForm(forms.Form):
    """One choice for each topic, and whether to ask before new results; its initial values are what holds."""

    def __init__(self, data: Any, *, standing: Mapping[Topic, Delivery], asks_first: bool) -> None:
        super().__init__(data)
        for topic in DEFAULTS:
            label, what = TOPICS[topic]
            self.fields[topic.value] = forms.ChoiceField(
                label=str(label),
                help_text=str(what),
                choices=list(DELIVERIES.items()),
                initial=standing[topic],
                widget=forms.RadioSelect,
            )
        self.fields["asks_first"] = forms.BooleanField(
            label=pgettext_lazy("ask_first", "Ask me before you show a new test result"),
            help_text=pgettext_lazy(
                "ask_first.what",
                "We ask about results of the last 14 days that no one at your clinic seems to have seen.",
            ),
            required=False,
            initial=asks_first,
        )

    @property
    def wanted(self) -> dict[Topic, Delivery]:
        return {topic: Delivery(self.cleaned_data[topic.value]) for topic in DEFAULTS}
