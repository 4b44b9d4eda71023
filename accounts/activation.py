"""The code that a clinic hands to a patient, with which they make their account.

Who has the code must also know whose it is: name and birth date are held against our row. One code at a
time, one account for a patient; five wrong answers to a right code and it is void. Only a keyed hash is kept.
"""

import hmac
import secrets
from datetime import date, timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import matching
from accounts.matching import Candidate, Field
from accounts.models import ActivationCode, Patient, User
from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry, record

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without those that look like others
LENGTH = 12  # 59 bits
LASTS = timedelta(days=14)
MOST_FAILURES = 5


class Refused(ValueError):
    """No code can be made for this patient. The message says why."""


class NotRight(ValueError):
    """Code, name and birth date do not go together, or the code is used, void or too old: never which."""


def issue(patient: Patient, *, by: User | None) -> str:
    """A new code for a patient; an open one is void from now on. It is shown here and never again.

    Raises Refused.
    """
    _, code = _make(patient, by)
    return "-".join(code[i : i + 4] for i in range(0, LENGTH, 4))


def for_identified(patient: Patient) -> ActivationCode:
    """The same for somebody whom an identity provider identified as this patient: the code that is out
    already, or a new one that nobody reads. Raises Refused."""
    found = patient.activation_codes.filter(used_at=None, cancelled_at=None).first()
    return found if found and is_open(found) and not patient.user_id else _make(patient, None)[0]


@transaction.atomic
def _make(patient: Patient, by: User | None) -> tuple[ActivationCode, str]:
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    if patient.user_id:
        raise Refused("This patient has an account already.")
    if patient.died_on:
        raise Refused("This patient has died. Nobody signs in for them.")
    if patient.merged_into_id:
        raise Refused("This patient was merged into another. Make the code for that one.")
    patient.activation_codes.filter(used_at=None, cancelled_at=None).update(cancelled_at=timezone.now())
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    row = ActivationCode.objects.create(
        patient=patient, digest=_digest(code), issued_by=by, expires_at=timezone.now() + LASTS
    )
    _log(EventType.ACTIVATION_ISSUE, Outcome.DONE, row, actor=f"User/{by.pk}" if by else "System/activation")
    return row, code


def check(code: str, *, name: str, birth_date: date) -> ActivationCode:
    """The open code that these three belong to. Raises NotRight; a wrong answer is counted and logged."""
    with transaction.atomic():
        row = ActivationCode.objects.select_for_update().filter(digest=_digest(code)).first()
        if row and is_open(row) and is_theirs(row.patient, name, birth_date):
            return row
        if row and is_open(row):
            row.failures += 1
            row.cancelled_at = timezone.now() if row.failures >= MOST_FAILURES else None
            row.save(update_fields=["failures", "cancelled_at"])
        _log(EventType.ACTIVATION_FAIL, Outcome.FAILED, row, actor=ANONYMOUS)
    raise NotRight


def refuse(row: ActivationCode) -> None:
    """Who had the right code was somebody else by what is known of them besides: into the log."""
    _log(EventType.ACTIVATION_FAIL, Outcome.FAILED, row, actor=ANONYMOUS)


@transaction.atomic
def use(row: ActivationCode, *, email: str, password_hash: str, language: str) -> User:
    """Make the account. Raises NotRight where the code, or the patient, was taken in between;
    IntegrityError where the address was."""
    row = ActivationCode.objects.select_for_update().select_related("patient").get(pk=row.pk)
    patient = Patient.objects.select_for_update().get(pk=row.patient_id)
    if not is_open(row) or patient.user_id:
        raise NotRight
    user = User.objects.create(
        email=email.strip().lower(), name=patient.name, password=password_hash, language=language
    )
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    patient.user = user
    patient.save(update_fields=["user"])
    row.used_at = timezone.now()
    row.save(update_fields=["used_at"])
    _log(EventType.ACTIVATION_USE, Outcome.DONE, row, actor=f"User/{user.pk}")
    return user


def is_open(row: ActivationCode) -> bool:
    return row.used_at is None and row.cancelled_at is None and timezone.now() < row.expires_at


def is_theirs(patient: Patient, name: str, birth_date: date) -> bool:
    """Same birthday, and the same name; of a longer name, two words are enough."""
    ours = matching.of_person(patient.name, patient.birth_date.isoformat())
    theirs = matching.of_person(name, birth_date.isoformat())
    _, (found,) = matching.judge(ours, [Candidate(fhir_id="", known=theirs)])
    same_words = len(ours.parts & theirs.parts) >= 2 and theirs.parts <= ours.parts
    return {Field.BIRTH_DATE} <= found.agreed and (Field.NAME in found.agreed or same_words)


def _digest(code: str) -> str:
    """However it was typed: small letters, blanks and dashes make no difference."""
    plain = "".join(c for c in code.upper() if c.isalnum())
    return hmac.digest(settings.FIELD_KEY, b"activation " + plain.encode(), "sha256").hex()


def _log(event: EventType, outcome: Outcome, row: ActivationCode | None, *, actor: str) -> None:
    used = event is EventType.ACTIVATION_USE
    record(
        Entry(
            type=event,
            outcome=outcome,
            actor=actor,
            role=Role.PATIENT if used else Role.SYSTEM if actor.startswith("System/") else "",
            patient=f"Patient/{row.patient_id}" if row else "",
            target=f"ActivationCode/{row.pk}" if row else "",
        )
    )
