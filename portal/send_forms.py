"""The forms with which people send something to their clinic, and what we say when it cannot go as it is."""

from datetime import date
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import npgettext_lazy, pgettext_lazy

from fhirproxy.writes.proposals import STARTS
from portal.sent import FAULTS, LABEL_FAULT, LABEL_RIGHT, LABEL_TIMES, LABEL_WHY, LABEL_WRONG, TOPICS

LONGEST = 4000  # characters of one text: a page of a letter
LARGEST = 3 * 1024 * 1024  # bytes of a file; it grows by a third on its way
TOO_LONG = npgettext_lazy(
    "send.long",
    "Write at most %(limit_value)d letter. You wrote %(show_value)d. The rest was cut off.",
    "Write at most %(limit_value)d letters. You wrote %(show_value)d. The rest was cut off.",
    "limit_value",
)
KINDS_OF_FILE = ("image/jpeg", "image/png", "application/pdf")
VISIT_KINDS: dict[str, Promise] = {
    "ROUTINE": pgettext_lazy("ask.visit.routine", "At the clinic"),
    "video": pgettext_lazy("ask.visit.video", "By video or phone"),
}
HOW_SOON: dict[str, Promise] = {
    "week": pgettext_lazy("ask.visit.week", "This week"),
    "month": pgettext_lazy("ask.visit.month", "This month"),
    "later": pgettext_lazy("ask.visit.later", "Later"),
}


class LongText(forms.CharField):
    """Some lines of a person's own words. What is too long comes back as far as it would be taken."""

    def __init__(self, *, rows: int = 5, missing: str | Promise = "", **kwargs: Any) -> None:
        said = {"max_length": TOO_LONG} | ({"required": missing} if missing else {})
        widget = forms.Textarea(attrs={"rows": rows})
        given: dict[str, Any] = {"max_length": LONGEST, "error_messages": said, "widget": widget} | kwargs
        super().__init__(**given)

    def bound_data(self, data: Any, initial: Any) -> Any:
        found = super().bound_data(data, initial)
        return found[: self.max_length] if isinstance(found, str) else found


class WrongForm(forms.Form):
    """What is wrong with one item of the record."""

    fault = forms.ChoiceField(
        label=LABEL_FAULT,
        choices=list(FAULTS.items()),
        widget=forms.RadioSelect,
        error_messages={
            "required": pgettext_lazy("wrong.fault.needed", "Choose what kind of mistake it is.")
        },
    )
    wrong = LongText(
        label=LABEL_WRONG,
        help_text=pgettext_lazy("wrong.wrong.help", "Say it in your own words. This is your reason."),
        missing=pgettext_lazy("wrong.wrong.needed", "Write what is wrong."),
    )
    right = LongText(
        label=LABEL_RIGHT,
        required=False,
        help_text=pgettext_lazy("wrong.right.help", "Leave it empty if it must not be there at all."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("fault") in ("value", "missing") and "right" in data and not data["right"]:
            text = pgettext_lazy("wrong.right.needed", "Write what is right.")
            self.add_error("right", text)
        return data


class StatementForm(forms.Form):
    text = LongText(
        label=pgettext_lazy("disagree.text", "Why do you disagree?"),
        help_text=pgettext_lazy("disagree.help", "Your words stay with this part of your record."),
        missing=pgettext_lazy("disagree.needed", "Write why you disagree."),
    )


class MessageForm(forms.Form):
    topic = forms.ChoiceField(
        label=pgettext_lazy("ask.topic", "What is it about?"),
        choices=list(TOPICS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("ask.topic.needed", "Choose what it is about.")},
    )
    text = LongText(
        label=pgettext_lazy("ask.text", "Your message"),
        rows=8,
        missing=pgettext_lazy("ask.text.needed", "Write your message."),
    )


class VisitForm(forms.Form):
    why = LongText(label=LABEL_WHY, rows=3, missing=pgettext_lazy("ask.visit.why.needed", "Write why."))
    kind = forms.ChoiceField(
        label=pgettext_lazy("ask.visit.kind", "How do you want to meet?"),
        choices=list(VISIT_KINDS.items()),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("ask.visit.kind.needed", "Choose how to meet.")},
    )
    soon = forms.ChoiceField(
        label=pgettext_lazy("ask.visit.soon", "How soon?"),
        choices=list(HOW_SOON.items()),
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("ask.visit.soon.needed", "Choose how soon.")},
    )
    earliest = forms.DateField(
        label=pgettext_lazy("ask.visit.earliest", "Not before (you can leave this empty)"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": pgettext_lazy("activity.day", "Choose a day, like 2026-06-12.")},
    )
    times = LongText(
        label=LABEL_TIMES,
        rows=2,
        required=False,
        max_length=500,
        help_text=pgettext_lazy("ask.visit.times.help", "For example: Monday or Friday in the morning."),
    )

    def clean_earliest(self) -> date | None:
        day: date | None = self.cleaned_data["earliest"]
        if day and day < timezone.localdate():
            raise forms.ValidationError(
                pgettext_lazy("ask.visit.past", "Choose a day that is still to come.")
            )
        return day


class DocumentForm(forms.Form):
    """A photo or a letter. The file is what its first bytes say, not what its name says."""

    title = forms.CharField(
        label=pgettext_lazy("add.document.title", "What is it?"),
        help_text=pgettext_lazy("add.document.title.help", "For example: letter from my eye doctor."),
        max_length=120,
        error_messages={
            "required": pgettext_lazy("add.document.title.needed", "Write what it is."),
            "max_length": TOO_LONG,
        },
    )
    file = forms.FileField(
        label=pgettext_lazy("add.document.file", "The photo or PDF"),
        help_text=pgettext_lazy("add.document.file.help", "A JPEG or PNG photo, or a PDF, up to 3 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": ",".join(KINDS_OF_FILE)}),
        error_messages={
            "required": pgettext_lazy(
                "add.document.file.needed", "Choose a photo or a PDF. It can have up to 3 MB."
            ),
            "empty": pgettext_lazy("add.document.file.empty", "This file is empty. Choose another one."),
        },
    )

    def clean_file(self) -> tuple[bytes, str]:
        """(bytes, content type)."""
        upload: UploadedFile = self.cleaned_data["file"]
        if (upload.size or 0) > LARGEST:
            raise forms.ValidationError(
                pgettext_lazy("add.document.file.large", "This file is too large. Choose one up to 3 MB.")
            )
        content = upload.read()
        kind = next((kind for kind in KINDS_OF_FILE if content.startswith(STARTS[kind])), None)
        if kind is None:
            raise forms.ValidationError(
                pgettext_lazy(
                    "add.document.file.kind",
                    "This is not a photo or a PDF that we can read. Choose another one.",
                )
            )
        return content, kind
