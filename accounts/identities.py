"""Which record at an EHR is whose: rows that begin and end, with the reason and an audit row.

The caller holds the patient's lock (`consent.versions.lock`), so that no answer leaves by an identity
that has just ended: see `fhirproxy.identities` and `consent.merging`.
"""

import uuid
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.matching import Comparison, Verdict
from accounts.models import IdentityMatch, Patient, PatientIdentity, StaffRole
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

if TYPE_CHECKING:
    from accounts.models import User

LONGEST = 255  # characters of an id
MAY_DECIDE = (StaffRole.Role.COMPLIANCE, StaffRole.Role.PRIVACY_OFFICER, StaffRole.Role.ADMINISTRATOR)
Status, Method = IdentityMatch.Status, IdentityMatch.Method


# What rooms above keep of a link, by the kind of thing: (patient, source) is told when it ends.
on_end: dict[str, Callable[[uuid.UUID, str], None]] = {}


class Refused(ValueError):
    """What cannot be joined, parted or merged. `code` stands in the log; the message says the cure."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def may_decide(actor: "User | None") -> bool:
    """Whether this person may say whose a record is where its data leave a doubt."""
    return bool(actor and actor.is_active and actor.staff_roles.filter(role__in=MAY_DECIDE).exists())


def propose(patient: Patient, source: str, found: Collection[Comparison], *, by: "User | None") -> None:
    """Keep what was found at a source, in place of the proposals that were open there."""
    now = timezone.now()
    standing = [c for c in found if c.verdict is not Verdict.NONE]
    old = patient.matches.filter(source=source, status=Status.PROPOSED)
    old.exclude(fhir_id__in=[c.candidate.fhir_id for c in standing]).update(
        status=Status.REFUSED, decided_at=now, reason="It was not found any more."
    )
    for one in standing:
        IdentityMatch.objects.update_or_create(
            patient=patient,
            source=source,
            fhir_id=one.candidate.fhir_id,
            status=Status.PROPOSED,
            defaults={
                "verdict": one.verdict,
                "agreed": sorted(one.agreed),
                "differed": sorted(one.differed),
                "made_at": now,
                "made_by": by,
            },
        )


def check_free(patient: Patient, source: str, fhir_id: str) -> None:
    """Raises Refused where the record, or the patient's place at the source, is taken."""
    if not 0 < len(fhir_id) <= LONGEST:
        raise Refused("identity.id", f"An id has 1 to {LONGEST} characters.")
    if patient.merged_into_id:
        raise Refused("identity.merged", "This patient was merged into another. Join the record to that one.")
    if PatientIdentity.objects.filter(source=source, fhir_id=fhir_id).exclude(patient=patient).exists():
        raise Refused(
            "identity.taken",
            "That record is joined to another patient. Undo that link first, or merge the two.",
        )
    if patient.identities.filter(source=source).exists():
        raise Refused("identity.taken", "The patient has a record there already. Undo that link first.")


def begin(match: IdentityMatch, *, by: "User | None", method: str, reason: str) -> PatientIdentity:
    """Join the record of a proposal. Raises Refused."""
    check_free(match.patient, match.source, match.fhir_id)
    identity = PatientIdentity.objects.create(
        patient=match.patient, source=match.source, fhir_id=match.fhir_id
    )
    match.identity, match.method = identity, method
    settle(match, Status.LINKED, by=by, reason=reason)
    log(
        EventType.IDENTITY_LINK,
        match.patient,
        f"Source/{match.source}",
        by=by,
        method=method,
        identity=identity.pk,
    )
    return identity


def end(identity: PatientIdentity, *, by: "User | None", reason: str) -> None:
    """Part a record from the patient's. The row stays, and says until when. Twice changes nothing."""
    if identity.ended_at is not None:
        return
    identity.ended_at = timezone.now()
    identity.save(update_fields=["ended_at"])
    for forget in on_end.values():
        forget(identity.patient_id, identity.source)
    match = identity.matches.filter(status=Status.LINKED).first() or IdentityMatch(
        patient=identity.patient,
        identity=identity,
        source=identity.source,
        fhir_id=identity.fhir_id,
        verdict=Verdict.PERSON,  # joined before matches were kept
    )
    settle(match, Status.UNDONE, by=by, reason=reason)
    log(EventType.IDENTITY_UNLINK, identity.patient, f"Source/{identity.source}", by=by, identity=identity.pk)


def move(identity: PatientIdentity, to: Patient, *, by: "User", reason: str) -> PatientIdentity:
    """The same record as another of our patients': the old row ends, a new one begins. Raises Refused."""
    end(identity, by=by, reason=reason)
    match = IdentityMatch(
        patient=to, source=identity.source, fhir_id=identity.fhir_id, verdict=Verdict.PERSON, made_by=by
    )
    return begin(match, by=by, method=Method.MERGE, reason=reason)


def came_from(identity: PatientIdentity) -> uuid.UUID | None:
    """By whose merge the patient has a record; None where it is theirs by a link of its own.

    Told by the rows before it. A merge that was undone left no trace; a record that its EHR merged
    away meanwhile goes on as the one that survived.
    """
    owners: list[uuid.UUID] = []
    row: PatientIdentity | None = identity
    while row:
        owners.append(row.patient_id)
        row = _row_before(row)
    since: list[uuid.UUID] = []
    for owner in reversed(owners):
        since = [*since[: since.index(owner)], owner] if owner in since else [*since, owner]
    return since[-2] if len(since) > 1 else None


def _row_before(row: PatientIdentity) -> PatientIdentity | None:
    """The row that ended when this one began; None for one that began with a match."""
    methods = set(row.matches.values_list("method", flat=True))
    before = PatientIdentity.ever.filter(source=row.source, pk__lt=row.pk).order_by("-pk")
    if Method.MERGE in methods:
        return before.filter(fhir_id=row.fhir_id).first()
    return before.filter(patient=row.patient_id).first() if Method.SURVIVOR in methods else None


def settle(match: IdentityMatch, status: str, *, by: "User | None", reason: str) -> None:
    match.status, match.decided_at, match.decided_by, match.reason = status, timezone.now(), by, reason[:200]
    match.save()


def log(
    event: EventType,
    patient: Patient,
    target: str,
    *,
    by: "User | None",
    refused: str = "",
    **detail: str | int,
) -> None:
    """`refused` is the code of a refusal. Ids of the EHR stay out of the log: its rows are kept for long."""
    record(
        Entry(
            type=event,
            outcome=Outcome.DENY if refused else Outcome.DONE,
            actor=f"User/{by.pk}" if by else "System/identities",
            role=Role.COMPLIANCE if may_decide(by) else Role.SYSTEM if by is None else "",
            patient=f"Patient/{patient.pk}",
            target=target,
            reasons=(refused,) if refused else (),
            detail={name: value for name, value in detail.items() if value != ""},
        )
    )
