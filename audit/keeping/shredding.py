"""Erase what is personal in the events about somebody, and nothing that they prove."""

from django.db import transaction

from audit import sealed
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import DetailKey


@transaction.atomic
def shred(subject: str, *, by: str) -> int:
    """Destroy all keys of a subject ("Patient/..." or the actor of events that name no patient).

    Network addresses and user agents of their events can then be read by nobody; the events, their hashes and
    all proofs stay. Needs the owner's role. Returns how many keys went; where none did,
    nothing happened and nothing is recorded.
    """
    count, _ = DetailKey.objects.filter(subject=subject).delete()
    if not count:
        return 0
    record(
        Entry(
            type=EventType.AUDIT_SHRED,
            outcome=Outcome.DONE,
            actor=by,
            role=Role.COMPLIANCE,
            patient=subject if subject.startswith("Patient/") else "",
            target=subject,
            count=count,
        )
    )
    sealed.forget(subject)
    return count
