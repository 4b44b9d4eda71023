"""Checkpoints once more, outside the database: a file that only grows, a bucket, witnesses.

The file has every checkpoint. The others take the newest one when they can be reached; what they lack is
what `audit_anchor` says they took last. So a target that is down holds nobody up, and gets on from where it
was.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection

from audit import anchor_file, bucket, witnesses
from audit.health import State, report_state
from audit.models import Anchor, Checkpoint

log = structlog.get_logger("chartkey.audit")


def to_file() -> None:
    """Append all checkpoints that the file lacks. Where it cannot be written they wait, and the log goes
    on."""
    path = Path(settings.AUDIT_ANCHOR_FILE)
    try:
        last = anchor_file.last(path)
        waiting = Checkpoint.objects.filter(size__gt=last.size if last else 0).order_by("size")
        for note in waiting.values_list("note", flat=True).iterator():
            anchor_file.append(path, note)
    except OSError as error:  # a later checkpoint takes them along
        log.error("the anchor file cannot be written", reason=type(error).__name__)


def targets() -> Mapping[str, Callable[[Checkpoint, int], str]]:
    """Where the newest checkpoint goes besides the file: what takes it, after the size that it took last,
    and returns the note to keep. Raises `ValueError` for a setting that cannot be read."""
    found: dict[str, Callable[[Checkpoint, int], str]] = {}
    for setting in settings.AUDIT_WITNESSES:
        witness = witnesses.Witness.parse(setting)
        found[f"witness {witness.cosigner.name}"] = witness.take
    if settings.AUDIT_BUCKET:
        found[f"bucket {settings.AUDIT_BUCKET}"] = bucket.take
    return found


def send() -> dict[str, str]:
    """Give every target the newest checkpoint it lacks; return what went wrong, by target."""
    newest = Checkpoint.objects.order_by("-size").first()
    failures: dict[str, str] = {}
    if newest is None:
        return failures
    for target, take in targets().items():
        taken = taken_by(target)
        if taken >= newest.size:
            continue
        try:
            note = take(newest, taken)
        except witnesses.Ahead as error:
            failures[target] = str(error)
            report_state(State.TRUNCATED, f"{target}: {error}", kept=newest.size, expected=error.size)
        except (OSError, witnesses.Refused, bucket.Refused) as error:
            failures[target] = f"{type(error).__name__}: {error}"
            log.error("an anchor was not taken", service=target, reason=type(error).__name__)
        else:
            Anchor.objects.create(target=target, size=newest.size, note=note)
    return failures


def taken_by(target: str) -> int:
    """The size that a target has taken; 0 for none."""
    newest = Anchor.objects.filter(target=target).order_by("-size").first()
    return newest.size if newest else 0


def cosigned_note() -> str:
    """The newest checkpoint that a witness has cosigned, else the newest; "" for an empty log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT note FROM audit_anchor WHERE target LIKE 'witness %%' ORDER BY size DESC, id DESC LIMIT 1"
        )
        if row := cursor.fetchone():
            return str(row[0])
    newest = Checkpoint.objects.order_by("-size").first()
    return newest.note if newest else ""
