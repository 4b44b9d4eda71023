"""One patient's activity, newest first, in keyset pages: as quick at any depth, so no OFFSET and no COUNT."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from audit.events import Outcome, Role
from audit.models import AuditEvent

WHO: Mapping[str, tuple[str, ...]] = {
    "others": ("", *(role for role in Role if role is not Role.PATIENT)),
    "apps": (Role.CLIENT,),
    "people": (Role.HELPER,),
    "me": (Role.PATIENT,),
    "clinic": (Role.CLINICIAN, Role.SUPPORT, Role.COMPLIANCE, Role.SYSTEM),
}
RESULT: Mapping[str, tuple[Outcome, ...]] = {
    "allowed": (Outcome.PERMIT, Outcome.DONE),
    "blocked": (Outcome.DENY,),
    "failed": (Outcome.FAILED,),
}


class BadCursor(ValueError):
    """A cursor that `page` did not give."""


@dataclass(frozen=True, slots=True)
class Page:
    events: list[AuditEvent]
    next_cursor: str  # empty on the last page


def page(patient: str, *, cursor: str = "", who: str = "", result: str = "", size: int = 50) -> Page:
    """The events about one patient ("Patient/<id>") that come after the cursor.

    `who` and `result` are keys of WHO and RESULT; empty means all. Raises `BadCursor`, and
    `KeyError` for a filter that does not exist.
    """
    events = AuditEvent.objects.filter(patient=patient).order_by("-recorded_at", "-id")
    if who:
        events = events.filter(role__in=WHO[who])
    if result:
        events = events.filter(outcome__in=RESULT[result])
    if cursor:
        at, event_id = _read(cursor)
        events = events.filter(recorded_at__lte=at).exclude(recorded_at=at, id__gte=event_id)
    rows = list(events[: size + 1])
    return Page(rows[:size], _write(rows[size - 1]) if len(rows) > size else "")


def _write(event: AuditEvent) -> str:
    at = event.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    return base64.urlsafe_b64encode(f"{at} {event.id}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        at, event_id = text.split(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("a time without its zone")
        return moment, UUID(event_id)
    except (ValueError, binascii.Error):
        raise BadCursor("the cursor is not one of ours") from None
