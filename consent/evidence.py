"""The papers behind a request to help: sent, looked at by staff, and destroyed.

Content is sealed before it is kept, and is nowhere else; the log says who sent, saw and destroyed it.
"""

import hashlib
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts import relationships, secrets
from accounts.evidence_files import NotAPaper, media_type
from accounts.evidence_models import TRANSITIONS, Evidence, Step
from accounts.models import RelatedPerson, RelatedPersonChange
from accounts.relations import Refused
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent import helping
from consent.versions import lock

if TYPE_CHECKING:
    from accounts.models import User

LARGEST = 5 * 1024 * 1024  # bytes of one paper
MOST = 6  # papers of one request, at once
MOST_EVER = 30  # with those that were taken back
Status = Evidence.Status


def add(relation: RelatedPerson, *, kind: str, content: bytes, by: "User") -> Evidence:
    """Keep a paper of a request that waits. Raises Refused, which stands in the log."""
    try:
        return _add(relation, kind, content, by)
    except Refused as error:
        _log(EventType.EVIDENCE_ADD, relation, by, Role.HELPER, refused=error.code)
        raise


@transaction.atomic
def _add(relation: RelatedPerson, kind: str, content: bytes, by: "User") -> Evidence:
    if len(content) > LARGEST:
        raise Refused("evidence.size")
    try:
        found = media_type(content)
    except NotAPaper:
        raise Refused("evidence.type") from None
    relation = _waiting(relation, by)
    if kind not in relationships.EVIDENCE:
        raise Refused("evidence.type")
    if relation.papers.exclude(status=Status.GONE).count() >= MOST or relation.papers.count() >= MOST_EVER:
        raise Refused("evidence.count")
    id = uuid.uuid4()
    paper = Evidence.objects.create(
        id=id,
        relation=relation,
        kind=kind,
        media_type=found,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        content=secrets.seal(content, about=id.bytes),
        uploaded_by=by,
    )
    _log(EventType.EVIDENCE_ADD, relation, by, Role.HELPER, paper)
    return paper


@transaction.atomic
def remove(paper: Evidence, *, by: "User") -> None:
    """Who sent it takes it back: it is destroyed at once. Gone already: nothing changes. Raises Refused."""
    relation = _waiting(paper.relation, by)
    if found := _locked(paper):
        _become(found, Step.REMOVED)
        _log(EventType.EVIDENCE_DESTROY, relation, by, Role.HELPER, found, why=Step.REMOVED)


def look(paper: Evidence, *, by: "User") -> bytes:
    """The content, for staff who decides about the request. Raises Refused; each look stands in the log."""
    try:
        return _look(paper, by)
    except Refused as error:
        _log(EventType.EVIDENCE_VIEW, paper.relation, by, Role.COMPLIANCE, paper, refused=error.code)
        raise


@transaction.atomic
def _look(paper: Evidence, by: "User") -> bytes:
    helping.check_staff(paper.relation, by)
    found = _locked(paper)
    if found is None or found.content is None:
        raise Refused("evidence.gone")
    content = secrets.unseal(bytes(found.content), about=found.pk.bytes)
    _become(found, Step.LOOKED)
    _log(EventType.EVIDENCE_VIEW, paper.relation, by, Role.COMPLIANCE, found)
    return content


def destroy_due() -> int:
    """Destroy the papers of requests that were answered EVIDENCE_KEPT_DAYS ago, at most 200 at once."""
    since = timezone.now() - timedelta(days=settings.EVIDENCE_KEPT_DAYS)
    answers = RelatedPersonChange.objects.filter(relation=OuterRef("relation"), made_at__lte=since)
    due = Evidence.objects.exclude(status=Status.GONE).filter(
        ~Exists(RelatedPerson.objects.filter(pk=OuterRef("relation"), status=RelatedPerson.Status.ASKED)),
        Exists(answers.exclude(status=RelatedPerson.Status.ASKED)),
    )
    return sum(_destroy(paper) for paper in due.defer("content").select_related("relation")[:200])


@transaction.atomic
def _destroy(paper: Evidence) -> bool:
    found = _locked(paper)
    if found is None:
        return False
    _become(found, Step.OVER)
    _log(EventType.EVIDENCE_DESTROY, paper.relation, None, Role.SYSTEM, found, why=Step.OVER)
    return True


def _waiting(relation: RelatedPerson, by: "User") -> RelatedPerson:
    """The relationship, while it is a request of this person's. Raises Refused."""
    lock(relation.patient_id)
    relation = RelatedPerson.objects.select_related("patient").get(pk=relation.pk)
    if relation.status != RelatedPerson.Status.ASKED or relation.user_id != by.pk:
        raise Refused("evidence.state")
    return relation


def _locked(paper: Evidence) -> Evidence | None:
    """None where it is gone."""
    return Evidence.objects.select_for_update().filter(pk=paper.pk).exclude(status=Status.GONE).first()


def _become(paper: Evidence, step: Step) -> None:
    paper.status = TRANSITIONS[Status(paper.status)][step]
    if paper.status == Status.GONE:
        paper.content, paper.gone_at = None, timezone.now()
        paper.save(update_fields=["status", "content", "gone_at"])
    else:
        paper.save(update_fields=["status"])


def _log(
    event: EventType,
    relation: RelatedPerson,
    by: "User | None",
    role: str,
    paper: Evidence | None = None,
    *,
    refused: str = "",
    why: str = "",
) -> None:
    done = Outcome.PERMIT if event is EventType.EVIDENCE_VIEW else Outcome.DONE
    record(
        Entry(
            type=event,
            outcome=Outcome.DENY if refused else done,
            actor=f"User/{by.pk}" if by else "System/consent",
            role=role,
            patient=f"Patient/{relation.patient_id}",
            target=f"Evidence/{paper.pk}" if paper else f"RelatedPerson/{relation.pk}",
            reasons=(refused,) if refused else (),
            detail={"about": f"User/{relation.user_id}"} | ({"why": why} if why else {}),
        )
    )
