"""Whom a clinician treats: the EHR's care teams say so, and its encounters for some days around them.

FHIR R4, CareTeam.participant and Encounter.participant. No answer from the EHR counts as none.
"""

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from accounts import closeness
from accounts.models import Patient, StaffRole, User
from consent import emergencies
from consent.contents import span
from fhirproxy import asking
from fhirproxy.compartment import owners_of
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.served import SERVED

GOING_ON = frozenset({"arrived", "triaged", "in-progress", "onleave"})  # encounter-status, HL7
COUNTED = GOING_ON | {"planned", "finished"}
KEPT_FOR, MOST_KEPT = 60, 1000  # seconds, and clinicians, in this process
Kept = tuple[float, frozenset[str]]
_kept: dict[UUID, Kept] = {}  # whom an encounter lets a clinician see: nothing of it leaves the process


def patients_of(user: User) -> QuerySet[Patient]:
    """The patients whom this clinician treats now: by care team, or by an encounter of these days.

    Nobody's own record is among them, and none that asks for a reason, until they gave it. Raises nothing.
    """
    source = Source.primary()
    practitioner = _practitioner(user)
    ids = {*_team_of(practitioner, source), *_seen_by(user, practitioner, source)} if practitioner else set()
    treated = Patient.objects.filter(
        identities__source=source.slug, identities__fhir_id__in=ids, identities__ended_at=None
    )
    return closeness.without_close(treated, user) | treated.filter(pk__in=emergencies.opened_by(user))


def treats(user: User, patient: Patient) -> bool:
    may = not closeness.asks_for_a_reason(user, patient) or emergencies.running(user, patient) is not None
    return may and is_known_to_treat(user, patient)


def is_known_to_treat(user: User, patient: Patient) -> bool:
    """What the EHR says, whoever they are to each other. Encounters are asked for where no care team is."""
    source = Source.primary()
    known = set(patient.identities.filter(source=source.slug).values_list("fhir_id", flat=True))
    practitioner = _practitioner(user)
    if not practitioner or not known:
        return False
    return bool(known & set(_team_of(practitioner, source)) or known & _seen_by(user, practitioner, source))


def colleagues(patient: Patient) -> QuerySet[User]:
    """Clinicians of the patient's care teams, as the EHR has them today, who may look after a proposal.

    None where the EHR does not answer.
    """
    source = Source.primary()
    today = timezone.localdate()
    found: set[str] = set()
    for fhir_id in patient.identities.filter(source=source.slug).values_list("fhir_id", flat=True):
        try:
            params = (("patient", fhir_id), ("status", "active"))
            for team in map(asking.decode, asking.pages(source, "CareTeam", params)):
                names = {m.get("member", {}).get("reference", "") for m in team.get("participant", [])}
                members = team.get("participant", [])
                found |= {n for n in names if n and any(_is_on(m, n, today) for m in members)}
        except EhrFailure:
            continue
    roles = StaffRole.objects.filter(role=StaffRole.Role.CLINICIAN, practitioner__in=found)
    return User.objects.filter(is_active=True, pk__in=roles.values("user")).exclude(patient=patient)


def _practitioner(user: User) -> str:
    """Their Practitioner in the EHR; empty for who is no clinician."""
    role = user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exclude(practitioner="").first()
    return role.practitioner if role else ""


def _team_of(practitioner: str, source: Source) -> Iterator[str]:
    today = timezone.localdate()
    params = (("participant", practitioner), ("status", "active"), ("_count", "200"))
    try:
        for team in map(asking.decode, asking.pages(source, "CareTeam", params)):
            if any(_is_on(member, practitioner, today) for member in team.get("participant", [])):
                yield from _owners(team, source)
    except EhrFailure:
        return


def _seen_by(user: User, practitioner: str, source: Source) -> frozenset[str]:
    """By encounters; for a minute by what was answered before, and never by an answer that was none."""
    until, ids = _kept.get(user.pk, (0.0, frozenset()))
    if time.monotonic() < until:
        return ids
    _kept.pop(user.pk, None)
    now = timezone.now()
    first = (now - timedelta(hours=settings.ENCOUNTER_HOURS_AFTER)).date()
    last = (now + timedelta(hours=settings.ENCOUNTER_HOURS_BEFORE)).date()
    day = timedelta(days=1)  # the EHR's days may be those of another time zone: the window itself is ours
    dates = (("date", f"ge{first - day}"), ("date", f"le{last + day}"))
    try:
        found = map(
            asking.decode,
            asking.pages(source, "Encounter", (("participant", practitioner), *dates, ("_count", "200"))),
        )
        ids = frozenset(id for e in found if _is_near(e, practitioner, now) for id in _owners(e, source))
    except EhrFailure:
        return frozenset()
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[user.pk] = (time.monotonic() + KEPT_FOR, ids)
    return ids


def _owners(resource: dict[str, Any], source: Source) -> Iterator[str]:
    owners = owners_of(resource, SERVED[resource["resourceType"]], source.base_url)
    return (owner.removeprefix("Patient/") for owner in owners)


def _is_near(encounter: dict[str, Any], practitioner: str, now: datetime) -> bool:
    """Whether they take part, and now is within the hours before and after; one without a time never is."""
    parts = encounter.get("participant", [])
    mine = any(part.get("individual", {}).get("reference") == practitioner for part in parts)
    status, period = encounter.get("status"), encounter.get("period", {})
    if not mine or status not in COUNTED or not period.get("start"):
        return False
    try:
        begins, same_day = span(str(period["start"]))
        ends = span(str(period["end"]))[1] if period.get("end") else same_day
    except (ValueError, TypeError, OverflowError):
        return False
    ends = max(ends, now) if status in GOING_ON and not period.get("end") else ends
    before = timedelta(hours=settings.ENCOUNTER_HOURS_BEFORE)
    after = timedelta(hours=settings.ENCOUNTER_HOURS_AFTER)
    return begins - before <= now <= ends + after


def _is_on(member: dict[str, Any], practitioner: str, today: date) -> bool:
    """Whether a participant is this practitioner, and today within its period."""
    period = member.get("period", {})
    begins, ends = str(period.get("start", ""))[:10], str(period.get("end", "9999"))[:10]
    now = today.isoformat()
    # A date that is only a year or a month counts as a whole: compared as far as it goes.
    within = begins <= now[: len(begins)] and now[: len(ends)] <= ends
    return member.get("member", {}).get("reference") == practitioner and within
