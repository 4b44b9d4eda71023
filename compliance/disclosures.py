"""The accounting of disclosures: who got a patient's records in six years, but for what the rule leaves out.

45 CFR 164.528. It covers what left through this site; what the clinic sent in other ways is not in our log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts.models import Patient, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from compliance.models import DisclosureRequest
from compliance.names import names_of
from notices import commands as notices

YEARS = 6  # (a)(1)
TO_ANSWER = timedelta(days=60)  # (c)(1)(i)
ONCE_MORE = timedelta(days=30)  # (c)(1)(ii)
SOON = timedelta(days=14)  # the queue marks what is due by then
# What puts records into somebody's hands.
DISCLOSING = (
    EventType.RECORD_READ,
    EventType.RECORD_SEARCH,
    EventType.EXPORT_DOWNLOAD,
    EventType.EXPORT_PUSH,
    EventType.LINK_OPEN,
)


class Exemption(StrEnum):
    """Why a disclosure is not accounted for, 164.528(a)(1)."""

    INDIVIDUAL = "individual"  # (ii): to the individual, or who acts for them
    AUTHORIZED = "authorized"  # (iv): the patient allowed it
    CARE = "care"  # (i): treatment, payment and health care operations


OWN = (Role.PATIENT, Role.HELPER)
# HL7 v3 ActReason. Emergency treatment is treatment.
CARE = ("TREAT", "ETREAT", "BTG", "HPAYMT", "HOPERAT")
WORKFORCE = (Role.SUPPORT, Role.COMPLIANCE, Role.SYSTEM)  # operations, whatever purpose they gave
PURPOSES: Mapping[str, Promise] = {
    "PUBHLTH": pgettext_lazy("disclosure.purpose.pubhlth", "Public health"),
    "HRESCH": pgettext_lazy("disclosure.purpose.hresch", "Research"),
    "HLEGAL": pgettext_lazy("disclosure.purpose.hlegal", "A legal duty"),
}
ANOTHER_PURPOSE = pgettext_lazy("disclosure.purpose.other", "Another reason")


class NotNow(ValueError):
    """What was asked for does not fit where the request stands."""


@dataclass(slots=True)
class Disclosure:
    """One recipient and one purpose; of several, the first and the last day and how many (164.528(b)(3))."""

    recipient: str  # a name, or the reference where there is none
    purpose: str | Promise
    categories: set[str]
    first_at: datetime
    last_at: datetime
    count: int = 1


def exemption_of(event: AuditEvent) -> Exemption | None:
    """Why this disclosure is not accounted for; None where it is."""
    if event.role in OWN:
        return Exemption.INDIVIDUAL
    if event.consent:
        return Exemption.AUTHORIZED
    if event.role in WORKFORCE or event.purpose in CARE:
        return Exemption.CARE
    return None


# The same, as the database says it.
ACCOUNTED = ~Q(role__in=OWN) & Q(consent="") & ~Q(role__in=WORKFORCE) & ~Q(purpose__in=CARE)


def accounting(patient: Patient, *, at: datetime | None = None) -> list[Disclosure]:
    """What 164.528(b) lists, newest first, for the six years before `at` (now)."""
    events = list(_accounted(patient, at or timezone.now()))
    names = names_of(events)
    lines: dict[tuple[str, str], Disclosure] = {}
    for event in events:
        to = event.client or event.actor
        key = (to, event.purpose)
        if line := lines.get(key):
            line.first_at, line.count = event.recorded_at, line.count + 1
            line.categories |= set(event.categories)
            continue
        lines[key] = Disclosure(
            recipient=names.get(to) or to,
            purpose=PURPOSES.get(event.purpose, ANOTHER_PURPOSE),
            categories=set(event.categories),
            first_at=event.recorded_at,
            last_at=event.recorded_at,
        )
    return list(lines.values())


def _accounted(patient: Patient, at: datetime) -> Iterator[AuditEvent]:
    since = at.replace(year=at.year - YEARS, day=min(at.day, 28))
    return (
        AuditEvent.objects.filter(
            ACCOUNTED,
            patient=f"Patient/{patient.pk}",
            recorded_at__gte=since,
            recorded_at__lte=at,
            type__in=DISCLOSING,
            outcome=Outcome.PERMIT,
        )
        .order_by("-recorded_at", "-id")
        .iterator()
    )


@transaction.atomic
def ask(patient: Patient, *, by: User) -> DisclosureRequest:
    """Ask for the list. One request at a time: while one is open, it is the answer."""
    now = timezone.now()
    try:
        with transaction.atomic():
            asked = DisclosureRequest.objects.create(
                patient=patient, requested_by=by, requested_at=now, due_at=now + TO_ANSWER
            )
    except IntegrityError:
        return DisclosureRequest.objects.get(patient=patient, answered_at=None)
    _log(EventType.DISCLOSURE_ASK, asked, by, Role.PATIENT)
    return asked


@transaction.atomic
def extend(asked: DisclosureRequest, *, by: User, reason: str) -> DisclosureRequest:
    """Take 30 days more, once, before the 60 are over, and tell the patient why. Raises NotNow."""
    asked = DisclosureRequest.objects.select_for_update().get(pk=asked.pk)
    if asked.answered_at or asked.extended_at or timezone.now() > asked.due_at or not reason.strip():
        raise NotNow("It can be extended once, before it is due, with a reason that the patient reads.")
    asked.extended_at, asked.extension_reason = timezone.now(), reason.strip()
    asked.due_at += ONCE_MORE
    asked.save(update_fields=["extended_at", "extension_reason", "due_at"])
    _log(EventType.DISCLOSURE_ANSWER, asked, by, Role.COMPLIANCE, step="extended")
    _tell(asked)
    return asked


@transaction.atomic
def answer(asked: DisclosureRequest, *, by: User) -> DisclosureRequest:
    """Let the patient have the list, as of now. Raises NotNow where they have it."""
    asked = DisclosureRequest.objects.select_for_update().get(pk=asked.pk)
    if asked.answered_at:
        raise NotNow("It was answered already.")
    asked.answered_at, asked.answered_by = timezone.now(), by
    asked.save(update_fields=["answered_at", "answered_by"])
    _log(EventType.DISCLOSURE_ANSWER, asked, by, Role.COMPLIANCE, step="answered")
    _tell(asked)
    return asked


def queue() -> Sequence[DisclosureRequest]:
    """Those that wait, the most urgent first."""
    return list(
        DisclosureRequest.objects.filter(answered_at=None).select_related("patient").order_by("due_at")
    )


def _tell(asked: DisclosureRequest) -> None:
    reader = asked.patient.user
    if reader:
        notices.enqueue(
            "question_answered",
            recipient=f"User/{reader.pk}",
            email=reader.email,
            language=reader.language,
            context={},
        )


def _log(event: EventType, asked: DisclosureRequest, by: User, role: Role, step: str = "asked") -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk}",
            role=role,
            patient=f"Patient/{asked.patient_id}",
            target=f"DisclosureRequest/{asked.pk}",
            detail={"step": step},
        )
    )
