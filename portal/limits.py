"""Limits that a patient asks their clinic for (45 CFR 164.522): the form, and what it asks as FHIR."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from consent import fhir
from consent.decision import ProvisionType
from consent.models import Consent
from consent.provisions import read_back
from consent.vocabulary import ACT_REASON, Category, Purpose
from consent.words import CATEGORY
from portal.consent_facts import kinds_of

# What no limit closes: care that cannot wait (45 CFR 164.522(a)(1)(iii)).
EMERGENCY = frozenset({Purpose.ETREAT, Purpose.BTG})
# From whom records are kept, and the purposes by which these work.
WHOM: Mapping[str, tuple[Promise, frozenset[Purpose]]] = {
    "plan": (pgettext_lazy("limit.whom.plan", "Your health plan"), frozenset({Purpose.HPAYMT})),
    "team": (pgettext_lazy("limit.whom.team", "Your care team"), frozenset({Purpose.TREAT})),
    "clinic": (
        pgettext_lazy("limit.whom.clinic", "Those who check the work of the clinic"),
        frozenset({Purpose.HOPERAT}),
    ),
    "research": (pgettext_lazy("limit.whom.research", "Researchers"), frozenset({Purpose.HRESCH})),
    "shared": (
        pgettext_lazy("limit.whom.shared", "Apps and helpers"),
        frozenset({Purpose.PATRQT, Purpose.FAMRQT}),
    ),
    "everyone": (
        pgettext_lazy("limit.whom.everyone", "Everyone but you"),
        frozenset(Purpose) - EMERGENCY,
    ),
}
OTHERS = pgettext_lazy("limit.whom.others", "Some people or uses")


class LimitForm(forms.Form):
    what = forms.ChoiceField(
        label=pgettext_lazy("limit.what", "What do you want to keep back?"),
        choices=[
            ("all", pgettext_lazy("sharing.all_records", "All your records")),
            ("choose", pgettext_lazy("limit.what.choose", "Some kinds of record")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("limit.what.missing", "Choose what to keep back.")},
    )
    categories = forms.MultipleChoiceField(
        label=pgettext_lazy("limit.categories", "Kinds of record"),
        choices=[(c.value, CATEGORY[c]) for c in Category if c not in (Category.OTHER, Category.CONTACT)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    whom = forms.ChoiceField(
        label=pgettext_lazy("limit.whom", "Who will not see it?"),
        choices=[(code, name) for code, (name, _) in WHOM.items()],
        widget=forms.RadioSelect,
        error_messages={"required": pgettext_lazy("limit.whom.missing", "Choose who will not see it.")},
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("what") == "choose" and not cleaned.get("categories"):
            message = pgettext_lazy("limit.categories.missing", "Choose at least one kind of record.")
            self.add_error("categories", message)
        return cleaned

    def provision(self) -> dict[str, Any]:
        """What was chosen, as a FHIR Consent.provision that denies."""
        chosen = self.cleaned_data
        purposes = sorted(WHOM[chosen["whom"]][1])
        provision: dict[str, Any] = {
            "type": "deny",
            "purpose": [{"system": ACT_REASON, "code": purpose} for purpose in purposes],
        }
        if chosen["what"] == "choose":
            codes = sorted(chosen["categories"])
            provision["code"] = [fhir.concept(fhir.DATA_CATEGORY, code) for code in codes]
        return provision


def what_of(consent: Consent) -> list[str | Promise]:
    """The kinds of record that a limit keeps back."""
    return kinds_of(p for p in read_back(consent.current.provisions) if p.type is ProvisionType.DENY)


def whom_of(consent: Consent) -> list[Promise]:
    """From whom a limit keeps them, in the words of the form as far as these fit."""
    purposes = frozenset[str]().union(*(p.purposes for p in read_back(consent.current.provisions)))
    return list(_named(purposes)) or [OTHERS]


def _named(purposes: frozenset[str]) -> Iterable[Promise]:
    if purposes == WHOM["everyone"][1]:
        return [WHOM["everyone"][0]]
    return [name for code, (name, these) in WHOM.items() if code != "everyone" and these <= purposes]
