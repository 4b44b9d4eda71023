"""Somebody has looked at what was found, and says that the log goes on from here."""

from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit import anchor_file, health, sequencer
from audit.events import EventType, Outcome, Role
from audit.log import EPOCH, Entry, record
from audit.models import AuditEvent, Checkpoint, LogLeaf, LogState


class NothingToAcknowledge(ValueError):
    """The log is not known to be shorter than it was, or changed."""


def acknowledge(*, by: str) -> LogState:
    """Write into the log what was lost, by whose word it goes on, and lift the hold.

    `by` is a reference ("User/..."). What anchors and journals know of the lost entries stays where it is,
    and `verify_audit` counts it from then on as lost. Raises `NothingToAcknowledge`.
    """
    found = health.current()
    if found is None or health.State(found.state) not in health.STAYS:
        raise NothingToAcknowledge
    path = Path(settings.AUDIT_ANCHOR_FILE)
    with transaction.atomic():
        record(
            Entry(
                type=EventType.AUDIT_ACKNOWLEDGE,
                outcome=Outcome.DONE,
                actor=by,
                role=Role.COMPLIANCE,
                target=f"LogState/{found.id}",
                detail=_cut(found, path),
            )
        )
        lifted = LogState.objects.create(state=health.State.WHOLE, holds=False, what="acknowledged")
    sequencer.catch_up()
    newest = Checkpoint.objects.order_by("-size").first()
    last = anchor_file.last(path)
    if newest and last and last.size > newest.size:  # the file goes on from here, too
        anchor_file.append(path, newest.note)
    return lifted


def _cut(found: LogState, path: Path) -> dict[str, str | int]:
    """From where on entries are lost: in the tree, in the anchor file (bytes) and in time."""
    detail: dict[str, str | int] = {"state": found.state}
    if found.state != health.State.TRUNCATED or found.kept is None or found.expected is None:
        return detail
    last = LogLeaf.objects.filter(seq=found.kept - 1).first()
    event = AuditEvent.objects.filter(id=last.event_id).first() if last else None
    since: datetime = event.recorded_at if event else EPOCH
    return detail | {
        "kept": found.kept,
        "expected": found.expected,
        "offset": path.stat().st_size if path.exists() else 0,
        "since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    }
