"""What a clinician fills in on a proposal. Every form says what its page showed (`seen`): an old page does
nothing."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import pgettext, pgettext_lazy

from accounts.models import User
from fhirproxy.models import WriteCommand
from fhirproxy.writes.differences import Difference, Side
from fhirproxy.writes.kinds import OnConflict
from portal import element_words

Reasons = Mapping[str, tuple[Promise, Promise]]  # code → (for the clinician, as the patient reads it)
BACK: Reasons = {
    "value.unlikely": (
        pgettext_lazy("review.unlikely", "The number looks wrong. Ask to measure again."),
        pgettext_lazy("add.why_unlikely", "The number looks wrong. Measure again and send the new one."),
    ),
    "value.unclear": (
        pgettext_lazy("review.unclear", "It is not clear how it was measured."),
        pgettext_lazy("add.why_unclear", "It was not clear how it was measured. Call your clinic."),
    ),
    "chart.has-it": (
        pgettext_lazy("review.has_it", "The chart has this already."),
        pgettext_lazy("add.why_has_it", "It is in your record already."),
    ),
}
NO: Reasons = {  # of a correction: 45 CFR 164.526(a)(2)
    "amendment.accurate": (
        pgettext_lazy("review.accurate", "The record is accurate and complete."),
        pgettext_lazy(
            "sent.why.accurate", "The clinic looked at it. It says that the record is right and complete."
        ),
    ),
    "amendment.not-ours": (
        pgettext_lazy("review.not_ours", "We did not make this entry, and who made it can be asked."),
        pgettext_lazy("sent.why.not_ours", "Another clinic wrote this. Ask the clinic that wrote it."),
    ),
    "amendment.not-part": (
        pgettext_lazy("review.not_part", "It is no part of the designated record set."),
        pgettext_lazy("sent.why.not_part", "This is not part of the record that can be corrected."),
    ),
    "amendment.not-open": (
        pgettext_lazy("review.not_open", "The patient has no right to see this part (164.524)."),
        pgettext_lazy(
            "sent.why.not_open", "The law does not let people see this part, so it cannot be corrected."
        ),
    ),
}


class SeenForm(forms.Form):
    seen = forms.IntegerField(widget=forms.HiddenInput)  # the last event that the page showed

    def __init__(self, command: WriteCommand, data: Any = None) -> None:
        last = max(event.pk for event in command.events.all())
        super().__init__(data, initial={"seen": last}, auto_id=f"{type(self).__name__.lower()}_%s")
        self.command = command


class AcceptForm(SeenForm):
    """All of it, or some: what is ticked is left out."""

    leaving = forms.MultipleChoiceField(
        label=pgettext_lazy("review.leaving", "Accept without these parts"),
        help_text=pgettext_lazy("review.leaving.hint", "It stays out of the chart. What was sent is kept."),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, command: WriteCommand, parts: list[Difference], data: Any = None) -> None:
        super().__init__(command, data)
        field = self.fields["leaving"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [
            (part.name, element_words.words_of(part.name))
            for part in parts
            if part.group.policy is not OnConflict.NEVER
        ]


class SendBackForm(SeenForm):
    """Why it is not added; the patient reads the words beside each reason."""

    reason = forms.ChoiceField(
        label=pgettext_lazy("review.reason", "Why you send it back"),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("review.reason_needed", "Choose a reason.")},
    )

    def __init__(self, command: WriteCommand, data: Any = None) -> None:
        super().__init__(command, data)
        self.is_final = command.kind == "corrections"
        field = self.fields["reason"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(code, _previewed(*words)) for code, words in self.reasons.items()]

    @property
    def reasons(self) -> Reasons:
        return NO if self.is_final else BACK


def _previewed(label: Promise, patient_reads: Promise) -> str:
    reads = pgettext("review.patient_reads", "The patient reads:")
    return format_html('{} <span class="muted">{} <q>{}</q></span>', str(label), reads, str(patient_reads))


class _ByName(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class PassOnForm(SeenForm):
    """To a colleague who treats the patient too, or back to all of them."""

    to = _ByName(
        label=pgettext_lazy("review.pass_to", "Who looks at it"),
        queryset=User.objects.none(),
        required=False,
        empty_label=pgettext_lazy("review.pass_to_all", "Everybody who treats this patient"),
    )

    def __init__(self, command: WriteCommand, colleagues: Any, data: Any = None) -> None:
        super().__init__(command, data)
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = colleagues


class ConflictForm(SeenForm):
    """For each group that both changed, and that no rule decides: the chart's side, or the proposal's."""

    def __init__(self, command: WriteCommand, found: list[Difference], data: Any = None) -> None:
        super().__init__(command, data)
        for difference in found:
            if difference.side is Side.BOTH:
                self.fields[difference.name] = _choice(difference)

    def choices(self) -> dict[str, str]:
        return {name: value for name, value in self.cleaned_data.items() if name != "seen" and value}


def _choice(difference: Difference) -> forms.ChoiceField:
    theirs = ("theirs", pgettext("review.keep_chart", "Keep what the chart says"))
    ours = ("ours", pgettext("review.take_proposed", "Take what is proposed"))
    rule = ("", pgettext("review.both", "Keep both"))
    policy = difference.group.policy
    together = policy in (OnConflict.MERGE, OnConflict.APPEND)
    choices = [theirs] if policy is OnConflict.NEVER else [theirs, ours]
    return forms.ChoiceField(
        label=element_words.words_of(difference.name),
        choices=[*choices, *([rule] if together else [])],
        widget=forms.RadioSelect,
        required=not together,
        error_messages={"required": pgettext_lazy("review.choose_side", "Choose one of the two.")},
    )
