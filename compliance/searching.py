"""The investigator's search of the log: any fields together, in keyset pages, after a reason was given.

Every page of it, and every row that is opened, is an event itself, with the reason and the fields that were
searched by; the values of a search are kept only where they are references.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import JSONField, Min, Q, QuerySet
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils import timezone

from audit import context, feed
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent

REASON_HOLDS = timedelta(minutes=30)
SESSION = "compliance.search_reason"
ASSURANCES = ("mfa", "sfa", "client", "internal", "none", "unknown")
A_CHECKSUM = re.compile(r"[0-9a-f]{64}")


class SearchReason(StrEnum):
    """Why somebody searches the log; kept in it."""

    COMPLAINT = "complaint"
    ALERT = "alert"
    REVIEW = "review"
    PATIENT_REQUEST = "patient-request"
    LEGAL = "legal"
    SECURITY = "security"


class ReasonForm(forms.Form):
    reason = forms.ChoiceField(
        label="Why do you search the log?",
        choices=[
            (SearchReason.COMPLAINT, "A complaint"),
            (SearchReason.ALERT, "An alert"),
            (SearchReason.REVIEW, "A regular review"),
            (SearchReason.PATIENT_REQUEST, "A patient asked"),
            (SearchReason.LEGAL, "A legal duty"),
            (SearchReason.SECURITY, "A security incident"),
        ],
        widget=forms.RadioSelect,
    )


def _codes(codes: type[StrEnum]) -> list[tuple[str, str]]:
    return [("", "any"), *((code.value, code.value) for code in codes)]


class SearchForm(forms.Form):
    """Any of these together. References are written as the log has them: "User/…", "Client/…"."""

    COLUMNS: Mapping[str, str] = {
        **{name: name for name in ("actor", "patient", "client", "type", "role", "outcome", "interaction")},
        **{name: name for name in ("purpose", "consent", "target", "correlation_id")},
        # What an event says of the request that it came from (`audit.context`).
        **{name: f"said__context__{name}" for name in ("assurance", "device", "network", "session", "token")},
        "reason": "reasons__contains",
        "category": "categories__contains",
    }
    actor = forms.CharField(required=False, max_length=300)
    patient = forms.CharField(required=False, max_length=300)
    client = forms.CharField(required=False, max_length=300)
    type = forms.ChoiceField(required=False, choices=_codes(EventType))
    outcome = forms.ChoiceField(required=False, choices=_codes(Outcome), label="decision or outcome")
    role = forms.ChoiceField(required=False, choices=_codes(Role))
    interaction = forms.CharField(required=False, max_length=40)
    reason = forms.CharField(required=False, max_length=60)
    category = forms.CharField(required=False, max_length=60)
    purpose = forms.CharField(required=False, max_length=60)
    consent = forms.CharField(required=False, max_length=300)
    target = forms.CharField(required=False, max_length=300)
    correlation_id = forms.CharField(required=False, max_length=200)
    assurance = forms.ChoiceField(
        required=False, choices=[("", "any"), *((code, code) for code in ASSURANCES)]
    )
    device = forms.CharField(required=False, max_length=20)
    network = forms.CharField(required=False, max_length=60, help_text="As the log has it: 192.0.2.0/24")
    session = forms.CharField(required=False, max_length=64)
    token = forms.CharField(
        required=False, max_length=64, help_text="What events call it, or the SHA-256 of an access token"
    )
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, kind in (("patient", "Patient/"), ("client", "Client/"), ("consent", "Consent/")):
            if data.get(name) and not data[name].startswith(kind):
                self.add_error(name, f"Write it as {kind}…")
        if data.get("since") and data.get("until") and data["until"] < data["since"]:
            self.add_error("until", "The first day must come before the last day.")
        return data

    def clean_token(self) -> str:
        """A token's own digest is known where tokens are kept; the log has another name for it."""
        given = str(self.cleaned_data["token"]).lower()
        return context.reference(f"token {given}") if A_CHECKSUM.fullmatch(given) else given

    @property
    def fields_asked(self) -> dict[str, str]:
        """What was searched by, as an address and a saved case keep it."""
        return {name: str(value) for name, value in self.cleaned_data.items() if value and name != "after"}

    def page(self, *, size: int = 50) -> feed.Page[AuditEvent]:
        """Raises feed.BadCursor."""
        filters = feed.Filters(since=self._moment("since"), until=self._moment("until", days=1))
        name = f"investigator {sorted(self.fields_asked.items())}"
        cursor = self.cleaned_data["after"]
        events = AuditEvent.objects.alias(said=Cast("payload", JSONField())).filter(self._exact())
        if self.cleaned_data["patient"]:
            return feed.page_of(events, name, filters, self._codes(), cursor=cursor, size=size)
        events = events.filter(filters.within())
        if cursor:
            events = events.filter(id__lt=feed.read_cursor(cursor, name)[1])
        return _by_id(events, self._codes(), name, size)

    def _exact(self) -> Q:
        """What an index answers by itself."""
        data = self.cleaned_data
        return Q(**{n: data[n] for n in ("patient", "client", "correlation_id") if data[n]})

    def _codes(self) -> Q:
        """What rows must be looked at for: a page looks through so many of them and says how far it came."""
        wanted = Q()
        for name, column in self.COLUMNS.items():
            if (value := self.cleaned_data[name]) and name not in ("patient", "client", "correlation_id"):
                wanted &= Q(**{column: [value] if column.endswith("contains") else value})
        return wanted

    def _moment(self, name: str, days: int = 0) -> datetime | None:
        day = self.cleaned_data[name]
        return timezone.make_aware(datetime.combine(day, time.min)) + timedelta(days=days) if day else None


def _by_id(events: QuerySet[AuditEvent], wanted: Q, name: str, size: int) -> feed.Page[AuditEvent]:
    """A page of the whole log, along its primary key: ids are of version 7, so they go by time."""
    events, oldest = events.order_by("-id"), None
    rows = events
    if wanted:
        oldest = events.values("recorded_at")[: feed.MOST_LOOKED_AT].aggregate(at=Min("recorded_at"))["at"]
        rows = events.filter(wanted, id__gte=_first_id(oldest)) if oldest else events.none()
    found = list(rows[: size + 1])
    if len(found) > size:
        last = found[size - 1]
        return feed.Page(found[:size], feed.write_cursor(last.recorded_at, last.id, name))
    if oldest and events.filter(id__lt=_first_id(oldest)).exists():
        return feed.Page(found, feed.write_cursor(oldest, _first_id(oldest), name), oldest)
    return feed.Page(found, "")


def _first_id(at: datetime) -> UUID:
    """No event of that millisecond, or of a later one, has an id below (RFC 9562, 5.7)."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def give_reason(request: HttpRequest, reason: str) -> None:
    request.session[SESSION] = [reason, timezone.now().timestamp()]


def reason_of(request: HttpRequest) -> str:
    """The reason that holds; empty where none was given, or it is too old."""
    reason, at = request.session.get(SESSION, ["", 0])
    return reason if timezone.now().timestamp() - at < REASON_HOLDS.total_seconds() else ""


def log_search(request: HttpRequest, form: SearchForm) -> None:
    """The search in the log, and in that of the patient whom it names."""
    asked = form.fields_asked
    record(
        Entry(
            type=EventType.AUDIT_READ,
            outcome=Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role=Role.COMPLIANCE,
            patient=asked.get("patient", ""),
            target="Console/log-search",
            detail={"reason": reason_of(request), "filters": "|".join(sorted(asked))[:199]},
        )
    )
