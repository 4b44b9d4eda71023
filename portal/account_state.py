"""How a patient's account stands, for support: states and counts. No name of a record's kind is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.db.models import Count, QuerySet
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts import factors
from accounts.factors import Factor
from accounts.models import Patient
from audit.events import Outcome
from audit.models import AuditEvent
from fhirproxy import health
from portal.states import Kind

MOST_EVENTS = 50
# The codes of these pages in words; a test holds that each has some. Whose code it is does not matter.
WORDS: Mapping[str, Promise] = {
    "proposed": pgettext_lazy("state.proposed", "Waits for a yes"),
    "active": pgettext_lazy("state.active", "On"),
    "paused": pgettext_lazy("state.paused", "On hold"),
    "inactive": pgettext_lazy("state.inactive", "Ended"),
    "rejected": pgettext_lazy("state.rejected", "Refused"),
    "queued": pgettext_lazy("state.queued", "Waits to begin"),
    "preparing": pgettext_lazy("state.preparing", "Begins"),
    "running": pgettext_lazy("state.running", "At work"),
    "packaging": pgettext_lazy("state.packaging", "Nearly done"),
    "completed": pgettext_lazy("state.completed", "Ready"),
    "completed_with_gaps": pgettext_lazy("state.completed_with_gaps", "Ready, with gaps"),
    "cancelled": pgettext_lazy("state.cancelled", "Cancelled"),
    "blocked": pgettext_lazy("state.blocked", "Stopped by consent"),
    "failed": pgettext_lazy("state.failed", "Did not work"),
    "expired": pgettext_lazy("state.expired", "Its time is over"),
    "webauthn": pgettext_lazy("state.webauthn", "Passkey"),
    "totp": pgettext_lazy("state.totp", "Codes from an app"),
    "recovery_codes": pgettext_lazy("state.recovery_codes", "Backup codes"),
    "password": pgettext_lazy("state.password", "Password"),
    "provider": pgettext_lazy("state.provider", "Identity provider"),
    "up": pgettext_lazy("state.up", "Works"),
    "down": pgettext_lazy("state.down", "Does not answer"),
    "unknown": pgettext_lazy("state.unknown", "Not known yet"),
}


@dataclass(frozen=True, slots=True)
class Masked:
    """Enough to hear whether two people speak of the same account."""

    initials: str  # "A… M…"
    born: int  # the year alone


@dataclass(frozen=True, slots=True)
class AccountState:
    signs_in: bool
    closed: bool
    last_sign_in: datetime | None
    sessions: int
    ways: tuple[str, ...]  # codes of `factors.Factor`
    sharing: Mapping[str, int]  # status → how many
    files: Mapping[str, int]
    sources: tuple[tuple[str, str], ...]  # (name, state)


def masked(patient: Patient) -> Masked:
    initials = " ".join(f"{part[0].upper()}…" for part in patient.name.split())
    return Masked(initials, patient.birth_date.year)


def state_of(patient: Patient) -> AccountState:
    user = patient.user
    return AccountState(
        signs_in=user is not None,
        closed=user is not None and not user.is_active,
        last_sign_in=user.last_login if user else None,
        sessions=UserSession.objects.filter(user=user).count() if user else 0,
        ways=tuple(sorted(factors.of(user) - {Factor.PROVIDER_MFA})) if user else (),
        sharing=_by_status(patient.consents.all()),
        files=_by_status(patient.export_jobs.all()),
        sources=tuple((source.name, finding.state) for source, finding in health.findings()),
    )


@dataclass(frozen=True, slots=True)
class Saw:
    """One thing that a page did: codes only, no kind of record and nothing of what was in it."""

    page: str  # URL name; empty for what no page did
    state: Kind
    type: str
    outcome: str
    reasons: tuple[str, ...]
    at: datetime


def what_they_saw(patient: Patient, reference: str) -> list[Saw]:
    """What the log has under the reference code of a page, of this patient only; oldest first."""
    events = AuditEvent.objects.filter(patient=f"Patient/{patient.pk}", correlation_id=reference)
    return [
        Saw(
            page=str(event.context.get("page", "")).removeprefix("portal:"),
            state=_state(event),
            type=event.type,
            outcome=event.outcome,
            reasons=tuple(event.reasons),
            at=event.recorded_at,
        )
        for event in events.order_by("recorded_at", "id")[:MOST_EVENTS]
    ]


def _state(event: AuditEvent) -> Kind:
    """What the page showed for it. Whether there was anything to show is not told."""
    if event.outcome in (Outcome.DENY, Outcome.FAILED):
        return Kind.WITHHELD if event.outcome == Outcome.DENY else Kind.ERROR
    if "copy_seconds" in event.detail:
        return Kind.STALE
    return Kind.WITHHELD if "withheld" in event.detail else Kind.FRESH


def _by_status(rows: QuerySet) -> dict[str, int]:
    counted = rows.order_by("status").values_list("status").annotate(Count("pk"))
    return dict(counted)
