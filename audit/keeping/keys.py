"""Which keys the log is kept with: a change stands in the log itself."""

from uuid import UUID

from audit import keyring, notes, proofs
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record


def note_change(*, by: str) -> UUID | None:
    """After new keys were put into the settings everywhere: record their names. Called once per change."""
    names = keyring.in_use()
    return record(
        Entry(
            type=EventType.AUDIT_KEY,
            outcome=Outcome.DONE,
            actor=by,
            role=Role.COMPLIANCE,
            target=f"Key/{names['signing']}",
            detail={**names, "size": proofs.size_of_log()},
        )
    )


def public() -> str:
    """The log's verifier key, for witnesses and for whoever checks."""
    return str(notes.signer().verifier)
