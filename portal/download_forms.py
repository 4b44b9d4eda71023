"""What a person chooses for a file of their records: kinds of record, days, formats, private topics."""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import pgettext_lazy

from consent.vocabulary import Category
from consent.words import CATEGORY
from exports.choices import NDJSON
from exports.formats.held import Format
from portal.forms import DAY_NEEDED

ALL_THAT_YOU_SEE = pgettext_lazy("download.all.helper", "All that you can see")
LET_ME_CHOOSE = pgettext_lazy("download.choose", "Let me choose")
FORMAT = {
    Format.PDF: pgettext_lazy("download.pdf", "A summary to read and print (PDF)"),
    NDJSON: pgettext_lazy("download.ndjson", "All records, for other health apps (FHIR)"),
    Format.IPS: pgettext_lazy("download.ips", "A summary for any clinic (International Patient Summary)"),
    Format.CCD: pgettext_lazy("download.ccd", "A summary for clinics with older systems (CCD)"),
    Format.CSV: pgettext_lazy("download.csv", "Test results for a spreadsheet (CSV)"),
}


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": DAY_NEEDED},
    )


class DownloadForm(forms.Form):
    what = forms.ChoiceField(
        label=pgettext_lazy("download.what", "What do you want in your file?"),
        choices=[
            ("all", pgettext_lazy("download.all", "All my records")),
            ("choose", LET_ME_CHOOSE),
        ],
        initial="all",
        widget=forms.RadioSelect,
    )
    categories = forms.MultipleChoiceField(
        label=pgettext_lazy("download.categories", "Kinds of record"),
        choices=[(c.value, CATEGORY[c]) for c in Category if c is not Category.OTHER],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    since = _day(pgettext_lazy("download.since", "From this day"))
    until = _day(pgettext_lazy("download.until", "Up to this day"))
    formats = forms.MultipleChoiceField(
        label=pgettext_lazy("download.formats", "In which form?"),
        choices=list(FORMAT.items()),
        initial=[Format.PDF, NDJSON],
        error_messages={"required": pgettext_lazy("download.no_format", "Choose at least one form.")},
        widget=forms.CheckboxSelectMultiple,
    )
    private = forms.BooleanField(
        label=pgettext_lazy("download.private_apart", "Make one more file with my private topics"),
        help_text=pgettext_lazy(
            "download.private_help",
            "Things like mental health, alcohol and drug use, and sexual health.",
        ),
        required=False,
    )

    everything: tuple[str, ...] = ()  # the kinds that "all" stands for; empty: every one there is

    def keep_to(self, kinds: Collection[str]) -> None:
        """For a helper: the kinds that they see, and never a private topic."""
        self.everything = tuple(sorted(kinds))
        del self.fields["private"]
        field = cast(forms.MultipleChoiceField, self.fields["categories"])
        field.choices = [(c.value, CATEGORY[c]) for c in Category if c in kinds]
        what = cast(forms.ChoiceField, self.fields["what"])
        what.choices = [("all", ALL_THAT_YOU_SEE), ("choose", LET_ME_CHOOSE)]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("what") == "choose" and not data.get("categories"):
            self.add_error(
                "categories",
                pgettext_lazy("download.none", "Choose at least one kind of record."),
            )
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error(
                "until",
                pgettext_lazy("download.days_swapped", "Choose a day that is not before the first day."),
            )
        return data

    @property
    def moments(self) -> dict[str, datetime | None]:
        """The days as moments of the reader's clock: from the first one's start to the last one's end."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        return {
            "since": _midnight(since) if since else None,
            "until": _midnight(until + timedelta(days=1)) if until else None,
        }


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
