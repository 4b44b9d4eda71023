"""The form with which people change how their clinic reaches them."""

import re
from typing import Any

from django import forms
from django.utils.translation import get_language_info, pgettext_lazy

from portal.contact import FACTS

# Languages that interpreters are asked for most (US Census Bureau, ACS table B16001), by ISO 639-1.
LANGUAGES = ("en", "es", "zh", "vi", "tl", "ar", "ko", "fr", "ru", "pt", "ht", "de", "hi", "pl", "it", "ja")
A_PHONE = re.compile(r"^\+?[0-9 ().\-]{7,25}$")
LABELS: dict[str, Any] = {
    "called": pgettext_lazy("contact.called", "What do you like to be called?"),
    "mobile": pgettext_lazy("contact.mobile", "Mobile phone"),
    "home": pgettext_lazy("contact.home", "Home phone"),
    "email": pgettext_lazy("contact.email", "Email that your clinic writes to"),
    "street": pgettext_lazy("contact.street", "Street and number"),
    "city": pgettext_lazy("contact.city", "City"),
    "state": pgettext_lazy("contact.state", "State"),
    "postal_code": pgettext_lazy("contact.postal_code", "ZIP code"),
    "language": pgettext_lazy("contact.language", "Language to speak with you"),
    "call_name": pgettext_lazy("contact.call_name", "Whom to call for you: name"),
    "call_phone": pgettext_lazy("contact.call_phone", "Whom to call for you: phone"),
}
COMPLETES = {"mobile": "tel", "home": "home tel", "email": "email", "street": "street-address"} | {
    "city": "address-level2",
    "state": "address-level1",
    "postal_code": "postal-code",
}
NO_PHONE = pgettext_lazy("contact.phone.wrong", "Enter a phone number, like 555 010 0199.")


class ContactForm(forms.Form):
    """An empty field takes away what the clinic has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in FACTS:
            self.fields[name] = _field(name, str(self.initial.get(name, "")))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in ("mobile", "home", "call_phone"):
            if data.get(name) and not A_PHONE.match(data[name]):
                self.add_error(name, NO_PHONE)
        had_some = self.initial.get("mobile") or self.initial.get("home")
        if had_some and not (data.get("mobile") or data.get("home")) and not self.errors:
            self.add_error(
                "mobile", pgettext_lazy("contact.phone.one", "Leave one phone number, so that we can call.")
            )
        return data


def language_name(code: str) -> str:
    """In the reader's language; the code itself for one that nobody here knows."""
    try:
        return str(get_language_info(code)["name_translated"]).capitalize()
    except KeyError:
        return code


def _field(name: str, now: str) -> forms.Field:
    if name == "language":
        codes = [*LANGUAGES, *([now] if now and now not in LANGUAGES else [])]
        choices = [("", ""), *((code, language_name(code)) for code in codes)]
        return forms.ChoiceField(label=LABELS[name], choices=choices, required=False)
    widget = forms.TextInput(attrs={"autocomplete": COMPLETES.get(name, "off")})
    if name == "email":
        wrong = {"invalid": pgettext_lazy("contact.email.wrong", "Enter an email, like name@example.org.")}
        return forms.EmailField(label=LABELS[name], required=False, max_length=120, error_messages=wrong)
    return forms.CharField(label=LABELS[name], required=False, max_length=120, widget=widget)
