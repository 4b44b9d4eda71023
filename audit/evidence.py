"""What a patient or an auditor takes home: events with their proofs, for
`audit/verifier/chartkey_verify.py`."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from audit import anchors, journal_check, notes, proofs
from audit.keyring import open_checkpoint
from audit.models import AuditEvent, LogLeaf

VERIFIER = Path(__file__).parent / "verifier" / "chartkey_verify.py"  # to hand out beside the list
BATCH = 200


def bundle(events: Iterable[AuditEvent]) -> Iterator[str]:
    """The lines (NDJSON) of a list: the checkpoint, then each event with its payload, place and proof.

    All proofs are against one checkpoint, the newest that a witness has cosigned where there is one. An event
    that is newer has `proof` null. One small group of statements for each event with a proof.
    """
    note = anchors.cosigned_note()
    size = open_checkpoint(note).size if note else 0
    yield _line({"checkpoint": note, "key": key()})
    batch: list[AuditEvent] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            yield from _with_proofs(batch, size)
            batch = []
    yield from _with_proofs(batch, size)


def key() -> str:
    """The log's verifier key, which `chartkey_verify.py` is given."""
    return str(notes.signer().verifier)


def of_patient(patient: str) -> Iterator[str]:
    """The bundle of everything about one patient ("Patient/<id>"), newest first."""
    return bundle(AuditEvent.objects.filter(patient=patient).order_by("-recorded_at", "-id").iterator(BATCH))


def _with_proofs(events: list[AuditEvent], size: int) -> Iterator[str]:
    places = dict(
        LogLeaf.objects.filter(event_id__in=[e.id for e in events], seq__lt=size).values_list(
            "event_id", "seq"
        )
    )
    for event in events:
        line: dict[str, object] = {"payload": event.payload, "index": None, "proof": None}
        if (seq := places.get(event.id)) is not None:
            path = proofs.inclusion(seq, size).path
            line |= {"index": seq, "proof": [base64.b64encode(node).decode() for node in path]}
        yield _line(line)


def receipt(text: str) -> str:
    """What the log has of a receipt ("id.leaf.mac"): "sealed", "waiting", "missing", or "forged"."""
    return journal_check.receipt(text)


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
