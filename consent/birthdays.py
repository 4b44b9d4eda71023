"""Telling teens and their helpers, before a birthday, what will change on it. Nothing changes by this."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.models import Patient, RelatedPerson
from accounts.relation_states import HELPING
from consent import ages, helper_rights
from notices import commands as notices
from notices.models import Notice

if TYPE_CHECKING:
    from accounts.models import User

BEFORE = timedelta(days=30)
ONCE_IN = timedelta(days=60)  # each of them is told once about one birthday


def tell() -> int:
    """Those whose birthday at a limit of their law is within 30 days. Returns how many notices it wrote."""
    now = timezone.now()
    helped = Patient.objects.filter(helpers__status__in=HELPING, merged_into=None).distinct()
    young = helped.filter(birth_date__gt=now.date() - timedelta(days=19 * 366)).select_related("user")
    return sum(_tell_one(patient, kind) for patient in young if (kind := coming(patient)))


def coming(patient: Patient) -> str:
    """ "teen_soon", "of_age_soon", or empty: what the next 30 days bring."""
    now = timezone.now()
    today, law = ages.today_of(patient, now), ages.law_of(patient)
    if patient.emancipated_on and patient.emancipated_on <= today:
        return ""
    for age, kind in ((law.teen_from, "teen_soon"), (law.minor_until, "of_age_soon")):
        if timedelta(0) < birthday(patient, age) - today <= BEFORE:
            return kind
    return ""


def birthday(patient: Patient, age: int) -> date:
    """The day on which they are of that age."""
    return ages.birthday(patient, age).date()


def _tell_one(patient: Patient, kind: str) -> int:
    written = 0
    if patient.user:
        written += _notice(patient.user, kind, {})
    for relation in patient.helpers.filter(status__in=HELPING).select_related("user"):
        ends = kind == "of_age_soon"
        if not helper_rights.is_past_teen_rules(relation) and (
            not ends or relation.basis == RelatedPerson.Basis.PARENT
        ):
            written += _notice(relation.user, f"{kind}_helper", {"patient": patient.name})
    return written


def _notice(user: "User", kind: str, context: dict[str, str]) -> int:
    since = timezone.now() - ONCE_IN
    recipient = f"User/{user.pk}"
    if Notice.objects.filter(recipient=recipient, kind=kind, context=context, created_at__gt=since).exists():
        return 0
    notices.enqueue(kind, recipient=recipient, email=user.email, language=user.language, context=context)
    return 1
