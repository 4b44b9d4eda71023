"""How support finds a patient: by a code that the patient reads out, once, within minutes.

Support never searches: whoever has no code from the patient finds nobody.
"""

import hashlib
import hmac
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from accounts import attempts, relations
from accounts.models import Patient, User
from accounts.support_models import SupportCode
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from notices import commands as notices

LIFE = timedelta(minutes=15)  # of a code, and of what it opens
MOST_ATTEMPTS, ATTEMPTS_WITHIN = 10, timedelta(hours=1)  # wrong codes of one member of staff


class Refused(ValueError):
    """A code that opens nothing. `code` stands in the log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@transaction.atomic
def make_code(patient: Patient, *, by: User) -> str:
    """A code, which is told now and never again. The one before it ends."""
    SupportCode.objects.filter(patient=patient, used_at=None, expires_at__gt=Now()).update(expires_at=Now())
    code = relations.new_code()
    made = SupportCode.objects.create(patient=patient, digest=_digest(code), expires_at=Now() + LIFE)
    _log(EventType.SUPPORT_CODE, Outcome.DONE, by, patient, Role.PATIENT, target=f"SupportCode/{made.pk}")
    return code


def find(code: str, *, by: User) -> Patient:
    """Whose code it is. It works once. Raises Refused, which is logged, always in the same way."""
    attempt = attempts.spend(by, most=MOST_ATTEMPTS, within=ATTEMPTS_WITHIN)
    with transaction.atomic():
        refused, patient = _found(code, by) if attempt else ("support.attempts", None)
        if attempt and refused != "support.code":
            attempt.delete()
        if patient and not refused:
            _log(EventType.SUPPORT_FIND, Outcome.PERMIT, by, patient, Role.SUPPORT)
            return patient
    _log(EventType.SUPPORT_FIND, Outcome.DENY, by, patient, Role.SUPPORT, reasons=(refused,))
    raise Refused(refused)


def _found(code: str, by: User) -> tuple[str, Patient | None]:
    """(why not, whose)."""
    living = SupportCode.objects.filter(digest=_digest(code), used_at=None, expires_at__gt=Now())
    found = living.select_for_update(of=("self",)).select_related("patient__user").first()
    if found is None:
        return "support.code", None
    if found.patient.user_id == by.pk:
        return "support.own", found.patient
    SupportCode.objects.filter(pk=found.pk).update(used_at=Now(), used_by=by)
    return "", found.patient


def looked(patient: Patient, *, by: User) -> None:
    """Write down one more look at how the account stands."""
    _log(EventType.SUPPORT_FIND, Outcome.PERMIT, by, patient, Role.SUPPORT)


def helped(patient: Patient, *, by: User, what: str) -> None:
    """Write down what support did for a patient, and tell them."""
    _log(EventType.SUPPORT_HELP, Outcome.DONE, by, patient, Role.SUPPORT, detail={"what": what})
    if patient.user:
        notices.enqueue(
            "support_helped",
            recipient=f"User/{patient.user.pk}",
            email=patient.user.email,
            language=patient.user.language,
            context={},
        )


def _digest(code: str) -> str:
    """Keyed, so that a copy of the table does not let codes be tried."""
    plain = "".join(code.upper().split()).replace("-", "")
    return hmac.digest(settings.FIELD_KEY, b"support code" + plain.encode(), hashlib.sha256).hex()


def _log(
    event: EventType, outcome: Outcome, by: User, patient: Patient | None, role: Role, **fields: object
) -> None:
    record(
        Entry(
            type=event,
            outcome=outcome,
            actor=f"User/{by.pk}",
            role=role,
            patient=f"Patient/{patient.pk}" if patient else "",
            **fields,  # type: ignore[arg-type]
        )
    )
