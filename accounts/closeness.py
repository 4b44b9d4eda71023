"""Whose record staff do not open as on any other day: their own, family, colleagues, those watched closely.

`settings.CLOSE_RECORDS` names the kinds for which a clinician gives a reason first, as in an emergency.
Nobody is the clinician of their own record, and a watched record asks for a reason, whatever it says.
"""

from enum import StrEnum

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import Patient, User
from accounts.relation_states import LIVING


class Close(StrEnum):
    OWN = "own"
    FAMILY = "family"  # one of them helps the other, or asked to
    COLLEAGUE = "colleague"  # they work here, too
    WATCHED = "watched"  # privacy staff have it watched (`Patient.watched_since`)


def close(user: User, patient: Patient) -> Close | None:
    """Who the patient is to a member of staff, as far as we know."""
    if patient.user_id == user.pk:
        return Close.OWN
    here = Patient.objects.filter(pk=patient.pk)
    found = next((kind for kind, rows in _CLOSE.items() if here.filter(rows(user)).exists()), None)
    return found or (Close.WATCHED if patient.watched_since else None)


def asks_for_a_reason(user: User, patient: Patient) -> bool:
    found = close(user, patient)
    return found is Close.OWN or patient.watched_since is not None or found in settings.CLOSE_RECORDS


def without_close(patients: QuerySet[Patient], user: User) -> QuerySet[Patient]:
    """The same without those for whom a reason is asked, and without the own record."""
    near = Q(user=user) | Q(watched_since__isnull=False)
    for kind, rows in _CLOSE.items():
        if kind in settings.CLOSE_RECORDS:
            near |= rows(user)
    return patients.exclude(pk__in=Patient.objects.filter(near).values("pk"))


def _family(user: User) -> Q:
    return Q(helpers__user=user, helpers__status__in=LIVING) | Q(
        user__helps__patient__user=user, user__helps__status__in=LIVING
    )


def _colleague(user: User) -> Q:
    return Q(user__staff_roles__isnull=False)


_CLOSE = {Close.FAMILY: _family, Close.COLLEAGUE: _colleague}
