"""Forms about helpers: the invitation, a change, a code, and a request with evidence."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts import relationships
from accounts.models import RelatedPerson
from consent.vocabulary import Category
from consent.words import CATEGORY
from portal.helper_words import LEVELS, RELATIONSHIPS

LENGTHS = (30, 90, 365)  # days; 0 stands for a date of one's own
NOT_FOR_HELPERS = frozenset({Category.PRIVACY, Category.OTHER})
EVIDENCE: dict[str, Promise] = {
    "photo-id": pgettext_lazy("helper.evidence.photo-id", "Your photo ID"),
    "birth-record": pgettext_lazy("helper.evidence.birth-record", "A birth record that names you"),
    "court-order": pgettext_lazy("helper.evidence.court-order", "A paper of a court"),
    "power-of-attorney": pgettext_lazy(
        "helper.evidence.power-of-attorney", "A signed paper that lets you decide about health"
    ),
    "doctor-letter": pgettext_lazy("helper.evidence.doctor-letter", "A letter from their doctor"),
    "death-record": pgettext_lazy("helper.evidence.death-record", "A record of the death"),
    "estate-paper": pgettext_lazy(
        "helper.evidence.estate-paper", "A paper that says you settle what they left"
    ),
}
GROUNDS: dict[str, Promise] = {
    "parent": pgettext_lazy("helper.ground.parent", "I am a parent of a child"),
    "guardian": pgettext_lazy("helper.ground.guardian", "A court made me guardian"),
    "attorney": pgettext_lazy("helper.ground.attorney", "I have a signed paper that lets me decide"),
    "capacity": pgettext_lazy("helper.ground.capacity", "They cannot decide for themselves"),
    "estate": pgettext_lazy("helper.ground.estate", "They have died, and I settle what they left"),
}
NO_DAY = pgettext_lazy("helper.until.day", "Choose a day, like 2027-06-12.")


class LevelForm(forms.Form):
    """What a helper may see, and until when."""

    level = forms.ChoiceField(
        label=pgettext_lazy("helper.level", "What can they see?"),
        choices=[(code, name) for code, (name, _) in LEVELS.items()],
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("helper.level.missing", "Choose what they can see.")},
    )
    categories = forms.MultipleChoiceField(
        label=pgettext_lazy("limit.categories", "Kinds of record"),
        choices=[(c.value, CATEGORY[c]) for c in Category if c not in NOT_FOR_HELPERS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    may_share = forms.BooleanField(
        label=pgettext_lazy("helper.share", "They can save copies and use apps"),
        help_text=pgettext_lazy("helper.share.what", "A copy stays with them when their help ends."),
        required=False,
    )
    may_write = forms.BooleanField(
        label=pgettext_lazy("helper.write", "They can send things to your clinic for you"),
        help_text=pgettext_lazy(
            "helper.write.what",
            "Of what they can see: readings, answers, corrections. Messages too, so they see your messages.",
        ),
        required=False,
    )
    until = forms.DateField(
        label=pgettext_lazy("helper.until", "Until when can they help?"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": NO_DAY, "invalid": NO_DAY},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("level") == "own" and not data.get("categories"):
            text = pgettext_lazy("helper.no.nothing", "Choose at least one kind of record.")
            self.add_error("categories", text)
        day = data.get("until")
        if day is not None:
            end = timezone.make_aware(datetime.combine(day, time.max))
            if end <= timezone.now():
                text = pgettext_lazy("helper.no.past", "Choose an end that is still to come.")
                self.add_error("until", text)
            most = timedelta(days=relationships.bases()["choice"].days)
            if end > timezone.now() + most:
                self.add_error(
                    "until", pgettext_lazy("helper.until.far", "Choose a day in the next 2 years.")
                )
            data["end"] = end.astimezone(UTC)
        return data


class InviteForm(LevelForm):
    """One question a line: who they are, what they see, for how long."""

    field_order = ("relationship", "level", "categories", "may_share", "may_write", "until")
    relationship = forms.ChoiceField(
        label=pgettext_lazy("helper.relationship", "Who are they to you?"),
        choices=list(RELATIONSHIPS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("helper.relationship.missing", "Choose who they are.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = [code for code, kind in relationships.kinds().items() if "choice" in kind.bases]
        field = self.fields["relationship"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(code, RELATIONSHIPS[code]) for code in free]


class CodeForm(forms.Form):
    code = forms.CharField(
        label=pgettext_lazy("helper.code", "The code"),
        help_text=pgettext_lazy("helper.code.help", "10 letters and numbers, like BCDFG-HJKLM."),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"}
        ),
        error_messages={"required": pgettext_lazy("helper.code.missing", "Enter the code.")},
    )


class AskForm(forms.Form):
    """A person says whom they want to help, why they may, and what they can show."""

    name = forms.CharField(
        label=pgettext_lazy("helper.ask.name", "Their full name"),
        max_length=200,
        error_messages={"required": pgettext_lazy("helper.ask.name.missing", "Enter their name.")},
    )
    born = forms.DateField(
        label=pgettext_lazy("helper.ask.born", "Their date of birth"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": NO_DAY, "invalid": NO_DAY},
    )
    relationship = forms.ChoiceField(
        label=pgettext_lazy("helper.ask.relationship", "Who are you to them?"),
        choices=list(RELATIONSHIPS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("helper.relationship.missing", "Choose who they are.")},
    )
    basis = forms.ChoiceField(
        label=pgettext_lazy("helper.ask.basis", "Why may you help them?"),
        choices=list(GROUNDS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("helper.ask.basis.missing", "Choose why you may help.")},
    )
    evidence = forms.MultipleChoiceField(
        label=pgettext_lazy("helper.ask.evidence", "What can you show the clinic?"),
        choices=list(EVIDENCE.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": pgettext_lazy("helper.ask.evidence.missing", "Choose what you can show.")
        },
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind, basis = data.get("relationship"), data.get("basis")
        if kind and basis and basis not in relationships.kinds()[kind].bases:
            text = pgettext_lazy("helper.no.basis", "This reason does not fit who you are to each other.")
            self.add_error("basis", text)
        return data


def prefilled(relation: RelatedPerson, categories: set[str]) -> dict[str, Any]:
    """What the form of a change starts with."""
    end = timezone.localtime(relation.period_end).date() if relation.period_end else None
    return {
        "level": relation.level,
        "categories": sorted(categories),
        "may_share": relation.may_share,
        "may_write": relation.may_write,
        "until": end,
    }
