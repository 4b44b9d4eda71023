"""What a person chooses of a health link."""

from datetime import timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import pgettext_lazy

from consent.vocabulary import Category
from consent.words import CATEGORY
from exports.shl import content
from exports.shl.commands import Terms
from portal.download_forms import LET_ME_CHOOSE, DownloadForm

DAYS = {
    "1": pgettext_lazy("links.days.1", "1 day"),
    "7": pgettext_lazy("links.days.7", "1 week"),
    "30": pgettext_lazy("links.days.30", "30 days"),
    "180": pgettext_lazy("links.days.180", "6 months"),
}


class HealthLinkForm(DownloadForm):
    """The kinds of record are those that a summary can hold; name and age go along with every one."""

    field_order = ("label", "what", "categories", "private", "content", "days", "opens", "lock")

    since = until = formats = None  # type: ignore[assignment]  # a summary is one document, of no days

    label = forms.CharField(
        label=pgettext_lazy("links.label", "A name for this link, if you like"),
        help_text=pgettext_lazy(
            "links.label_help", "For example, the name of the clinic. Whoever opens the link sees it."
        ),
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    what = forms.ChoiceField(
        label=pgettext_lazy("links.what", "What do you want to share?"),
        choices=[
            ("all", pgettext_lazy("links.all", "A summary of all my records")),
            ("choose", LET_ME_CHOOSE),
        ],
        initial="all",
        widget=forms.RadioSelect,
    )
    categories = forms.MultipleChoiceField(
        label=pgettext_lazy("download.categories", "Kinds of record"),
        choices=[(c.value, CATEGORY[c]) for c in Category if c in content.CATEGORIES - content.ALWAYS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    private = forms.BooleanField(
        label=pgettext_lazy("links.private", "Share my private topics too"),
        help_text=pgettext_lazy(
            "download.private_help",
            "Things like mental health, alcohol and drug use, and sexual health.",
        ),
        required=False,
    )
    content = forms.ChoiceField(
        label=pgettext_lazy("links.content", "What do they see later?"),
        choices=[
            ("now", pgettext_lazy("links.content.now", "My records as they are today")),
            ("live", pgettext_lazy("links.content.live", "My newest records, each time they look")),
        ],
        initial="now",
        widget=forms.RadioSelect,
    )
    days = forms.ChoiceField(
        label=pgettext_lazy("links.days", "How long does the link work?"),
        choices=list(DAYS.items()),
        initial="7",
        widget=forms.RadioSelect,
    )
    opens = forms.ChoiceField(
        label=pgettext_lazy("links.opens", "How often can it be opened?"),
        choices=[
            ("once", pgettext_lazy("links.opens.once", "One time")),
            ("many", pgettext_lazy("links.opens.many", "As often as they want until it ends")),
        ],
        initial="many",
        widget=forms.RadioSelect,
    )
    lock = forms.ChoiceField(
        label=pgettext_lazy("links.lock", "How is it opened?"),
        choices=[
            ("passcode", pgettext_lazy("links.lock.passcode", "With a passcode that you tell them (safer)")),
            ("open", pgettext_lazy("links.lock.open", "Without a passcode")),
            (
                "direct",
                pgettext_lazy("links.lock.direct", "Without a passcode, as one file for simple readers"),
            ),
        ],
        initial="passcode",
        widget=forms.RadioSelect,
    )

    def keep_to_helper(self, kinds: set[str]) -> None:
        self.keep_to(kinds & (content.CATEGORIES - content.ALWAYS))

    def terms(self) -> Terms:
        said = self.cleaned_data
        return Terms(
            until=timezone.now() + timedelta(days=int(said["days"])),
            categories=said["categories"] if said["what"] == "choose" else self.everything,
            private=said.get("private", False),
            is_live=said["content"] == "live",
            opens=1 if said["opens"] == "once" else None,
            passcode=said["lock"] == "passcode",
            direct=said["lock"] == "direct",
            label=said["label"],
        )
