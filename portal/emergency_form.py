"""What a clinician says to open a record in an emergency."""

from datetime import date

from django import forms
from django.utils.translation import pgettext_lazy

from accounts import matching
from accounts.models import Patient
from consent.emergencies import FEWEST_LETTERS, survivor
from consent.emergency_models import EmergencyAccess

Why = EmergencyAccess.Why
WHY = {
    Why.UNCONSCIOUS: pgettext_lazy("emergency.why.unconscious", "The patient cannot speak or agree"),
    Why.LIFE: pgettext_lazy("emergency.why.life", "Their life or body is in danger"),
    Why.HARM: pgettext_lazy("emergency.why.harm", "They could harm themself or others"),
    Why.TREATING: pgettext_lazy(
        "emergency.why.treating", "No emergency: I treat them, and the record asks for a reason"
    ),
    Why.HANDOVER: pgettext_lazy("emergency.why.handover", "Who treats them cannot be reached in time"),
}


class FindForm(forms.Form):
    """By name and day of birth, both exact: this is no search."""

    name = forms.CharField(
        label=pgettext_lazy("emergency.name", "The patient’s full name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": pgettext_lazy("emergency.name_needed", "Enter the full name.")},
    )
    born = forms.DateField(
        label=pgettext_lazy("emergency.born", "Day of birth"),
        widget=forms.DateInput(attrs={"type": "date", "autocomplete": "off"}),
        error_messages={
            "required": pgettext_lazy("emergency.born_needed", "Enter the day of birth."),
            "invalid": pgettext_lazy("activity.day", "Choose a day, like 2026-06-12."),
        },
    )

    def patient(self) -> Patient | None:
        return exactly(self.cleaned_data["name"], self.cleaned_data["born"])


class EmergencyForm(FindForm):
    """Which record, and why it is needed now."""

    why = forms.ChoiceField(
        label=pgettext_lazy("emergency.why", "Why you need it now"),
        choices=[(code.value, WHY[code]) for code in Why],
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("review.reason_needed", "Choose a reason.")},
    )
    text = forms.CharField(
        label=pgettext_lazy("emergency.text", "What happened"),
        help_text=pgettext_lazy("emergency.text_help", "One or two sentences. Privacy staff will read them."),
        min_length=FEWEST_LETTERS,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": pgettext_lazy("emergency.text_needed", "Write what happened."),
            "min_length": pgettext_lazy(
                "emergency.text_short", "Write a little more, so that others understand."
            ),
        },
    )
    agreed = forms.BooleanField(
        label=pgettext_lazy("emergency.agreed", "I need this record to treat this patient now"),
        error_messages={
            "required": pgettext_lazy("emergency.agreed_needed", "Confirm that you need it now.")
        },
    )


def exactly(name: str, born: date) -> Patient | None:
    """The one record with this name and day of birth; None for none, and for several."""
    rows = Patient.objects.filter(birth_date=born).select_related("merged_into")
    found = {survivor(each) for each in rows if matching.plain(each.name) == matching.plain(name)}
    return found.pop() if len(found) == 1 else None
