"""Whom a clinician treats: the EHR's care teams say so (FHIR R4, CareTeam.participant)."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Patient, StaffRole, User
from fhirproxy import asking
from fhirproxy.compartment import owners_of
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.served import SERVED


def patients_of(user: User) -> QuerySet[Patient]:
    """The patients on whose active care teams this clinician's Practitioner is now.

    Nobody's own record is among them, and no answer from the EHR counts as none. Raises nothing.
    """
    role = user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exclude(practitioner="").first()
    source = Source.primary()
    ids = set(_patient_ids(role.practitioner, source)) if role else set()
    treated = Patient.objects.filter(
        identities__source=source.slug, identities__fhir_id__in=ids, identities__ended_at=None
    )
    return treated.exclude(user=user)


def treats(user: User, patient: Patient) -> bool:
    return patients_of(user).filter(pk=patient.pk).exists()


def _patient_ids(practitioner: str, source: Source) -> Iterator[str]:
    today = timezone.localdate()
    params = (("participant", practitioner), ("status", "active"), ("_count", "200"))
    try:
        for team in map(asking.decode, asking.pages(source, "CareTeam", params)):
            if any(_is_on(member, practitioner, today) for member in team.get("participant", [])):
                yield from (o.removeprefix("Patient/") for o in _owners(team, source))
    except EhrFailure:
        return


def _owners(team: dict[str, Any], source: Source) -> Iterator[str]:
    return owners_of(team, SERVED["CareTeam"], source.base_url)


def _is_on(member: dict[str, Any], practitioner: str, today: date) -> bool:
    """Whether a participant is this practitioner, and today within its period."""
    period = member.get("period", {})
    begins, ends = str(period.get("start", ""))[:10], str(period.get("end", "9999"))[:10]
    now = today.isoformat()
    # A date that is only a year or a month counts as a whole: compared as far as it goes.
    within = begins <= now[: len(begins)] and now[: len(ends)] <= ends
    return member.get("member", {}).get("reference") == practitioner and within
