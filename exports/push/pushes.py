"""Send an export: file by file, the manifest last, so that whoever finds it there has all of it.

What let the export be made is looked at before each file and again between pieces of it: a revoke, the end of
an approval or of the destination stops it there. A file that broke off is sent again from its beginning.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from uuid import uuid4

import rfc8785
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import User
from audit.events import EventType, Outcome, Role
from audit.keeping import faults
from audit.log import Entry, record
from consent.decision import Reason
from exports import commands, manifests, reading, states
from exports.bulk import approvals, manifest, overtaken
from exports.bulk.approvals import NotNow
from exports.models import Destination, ExportFile, ExportJob, Push
from exports.push import destinations, sending
from exports.push.sending import Content, NotSent
from exports.sealing import Destroyed

S = Push.Status
ENDS = frozenset({S.STOPPED, S.FAILED})
TRANSITIONS: Mapping[S, frozenset[S]] = MappingProxyType(
    {
        S.WAITING: ENDS | {S.HELD, S.SENDING},
        S.HELD: ENDS | {S.SENDING},
        S.SENDING: ENDS | {S.DONE},
        S.DONE: frozenset(),
        S.STOPPED: frozenset(),
        S.FAILED: frozenset(),
    }
)
OPEN = (S.WAITING, S.SENDING)  # there is work to do
LEASE = timedelta(minutes=2)  # longer than any step of a request
PIECE, LOOK = 64 * 1024, 4 * 1024 * 1024  # bytes at once, and between two looks at what allows it
PAUSES = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 240))  # before the same file is tried again


class Stopped(Exception):
    """What allows it has ended: a code of the log. Empty: somebody else works on it now."""


def enqueue_due() -> None:
    """Tell workers of all that is due; what the queue forgets is due again at the next sweep."""
    held = Push.objects.filter(status=S.HELD).exclude(job__status__in=states.READY)
    held.update(status=S.STOPPED, reason="push.ended", finished_at=timezone.now())
    for push in Push.objects.filter(status__in=OPEN, next_at__lte=timezone.now()).exclude(
        job__status__in=states.LIVING
    ):
        try:
            current_app.send_task("exports.tasks.run_push", [push.pk])
        except OperationalError:
            faults.report("System/queue", "queue.down")
            return


def run(push_id: int) -> None:
    """Carry a push on from where it stands. Safe to run twice."""
    push = _take(push_id)
    if push is None:
        return
    try:
        _check(push)
        if push.status == S.WAITING and _needs_second(push):
            _become(push, S.HELD)
            return
        if push.status == S.WAITING:
            _become(push, S.SENDING)
        _send_all(push)
    except Stopped as stopped:
        if str(stopped):
            _become(push, S.STOPPED, str(stopped))
    except Destroyed:  # the job ended, and its files with it
        push.job.refresh_from_db()
        _become(push, S.STOPPED, push.job.reason or "push.ended")
    except NotSent as problem:
        _again_or_never(push, problem)


def needs_second(job: ExportJob) -> bool:
    return bool(job.position.get("of", 0) > settings.BULK_SECOND_PERSON_OVER)


def release(push: Push, *, by: User) -> None:
    """A second person's yes, which a large export needs each time. Raises NotNow."""
    with transaction.atomic():
        push = Push.objects.select_for_update(of=("self",)).select_related("destination").get(pk=push.pk)
        if push.status != S.HELD:
            raise NotNow("This export waits for nobody.")
        approval = push.job.approval
        if by.pk in (push.destination.registered_by_id, approval.approved_by_id if approval else None):
            raise NotNow("Whoever registered the destination or approved the group cannot release it.")
        push.status, push.released_at, push.released_by = S.SENDING, timezone.now(), by
        push.next_at = push.released_at
        push.save(update_fields=["status", "released_at", "released_by", "next_at"])
        _log(push, Outcome.DONE, by=by, change="release")
        transaction.on_commit(enqueue_due)


def _needs_second(push: Push) -> bool:
    return push.released_at is None and needs_second(push.job)


def _take(push_id: int) -> Push | None:
    """Hold it for a while; None if it is over, not due or somebody else's."""
    now = timezone.now()
    due = Push.objects.filter(pk=push_id, status__in=OPEN, next_at__lte=now).exclude(
        job__status__in=states.LIVING
    )
    holder = uuid4()
    if not due.update(holder=holder, next_at=now + LEASE):
        return None
    return Push.objects.select_related("destination__client").get(pk=push_id)


def _mine(push: Push) -> QuerySet[Push]:
    return Push.objects.filter(pk=push.pk, holder=push.holder, status__in=OPEN)


def _check(push: Push) -> None:
    """Look at all that it rests on, at this moment, and hold it on. Raises Stopped."""
    if not _mine(push).update(next_at=timezone.now() + LEASE):
        raise Stopped
    job = ExportJob.objects.select_related("approval__group", "approval__client").get(pk=push.job_id)
    push.job = job
    if job.status not in states.READY or job.is_over or job.approval is None:
        raise Stopped(job.reason or "push.ended")
    if not Destination.objects.filter(pk=push.destination_id, ended_at=None).exists():
        raise Stopped("push.ended")
    if destinations.problem(push.destination.url):
        raise Stopped("push.not-allowed")
    if why := approvals.why_not(job.approval):
        raise Stopped(why)
    if overtaken.by_a_patient(job):
        commands.block(job, Reason.CHANGED)
        raise Stopped(Reason.CHANGED)


def _send_all(push: Push) -> None:
    files = push.job.files.exclude(sha256="").exclude(kind=ExportFile.Kind.PACKAGE)
    for file in files.order_by("kind", "resource_type", "number"):
        if str(file.pk) in push.sent:
            continue
        _check(push)
        _log(push, Outcome.PERMIT, file=str(file.pk), type=file.resource_type, count=file.count)
        content = Content(_pieces(push, file), file.size, file.sha256)
        sending.put(push.destination, f"{push.job_id}/{manifest.name_of(file)}", content)
        push.sent = [*push.sent, str(file.pk)]
        if not _mine(push).update(sent=push.sent, attempts=0, reason=""):
            raise Stopped
        push.attempts = 0
    _check(push)
    for name, body in _about(push.job):
        sending.put(push.destination, f"{push.job_id}/{name}", Content.of(body))
    _become(push, S.DONE)


def _about(job: ExportJob) -> Iterator[tuple[str, bytes]]:
    """The signature (`exports.manifests`), and after all else the manifest, with the files' names there."""
    said = manifest.of(job) | {"requiresAccessToken": False}
    for kind in ("output", "deleted", "error"):
        said[kind] = [item | {"url": item["url"].rpartition("/")[2]} for item in said[kind]]
    yield "manifest.json.jws", manifests.sign(said).encode()
    yield "manifest.json", rfc8785.dumps(said)


def _pieces(push: Push, file: ExportFile) -> Iterator[bytes]:
    seen = 0
    with reading.opened(file, push.job) as content:
        while piece := content.read(PIECE):
            seen += len(piece)
            if seen >= LOOK:
                _check(push)
                seen = 0
            yield piece


def _again_or_never(push: Push, problem: NotSent) -> None:
    _log(push, Outcome.FAILED, reason=problem.reason)
    if problem.is_final or push.attempts >= len(PAUSES):
        _become(push, S.FAILED, problem.reason, told=True)
        return
    wait = timezone.now() + PAUSES[push.attempts]
    _mine(push).update(attempts=push.attempts + 1, next_at=wait, holder=None, reason=problem.reason)


@transaction.atomic
def _become(push: Push, status: Push.Status, reason: str = "", *, told: bool = False) -> None:
    """Only from a state that it may follow, and only by the run that holds it."""
    before = [now for now, then in TRANSITIONS.items() if status in then]
    over = timezone.now() if not TRANSITIONS[status] else None
    changed = _mine(push).filter(status__in=before)
    if not changed.update(status=status, reason=reason, finished_at=over):
        return
    push.status = status
    if over and not told:
        outcome = Outcome.DONE if status == S.DONE else Outcome.FAILED
        _log(push, outcome, reason=reason)


def _log(
    push: Push, outcome: Outcome, *, by: User | None = None, reason: str = "", **detail: str | int
) -> None:
    job = push.job
    record(
        Entry(
            type=EventType.EXPORT_PUSH,
            outcome=outcome,
            actor=f"User/{by.pk}" if by else "System/exports",
            role=Role.COMPLIANCE if by else Role.SYSTEM,
            client=f"Client/{push.destination.client.client_id}",
            purpose=job.approval.purpose if job.approval else "",
            resource_types=tuple(job.resource_types),
            reasons=(reason,) if reason else (),
            detail={"destination": str(push.destination_id), **detail},
            target=f"ExportJob/{job.pk}",
        )
    )


def said_of(job: ExportJob) -> dict[str, str] | None:
    """What a service is told of the push of its export, in the manifest's extension."""
    push: Push | None = Push.objects.filter(job=job).first()
    if push is None:
        return None
    problem = sending.SAID.get(push.reason, "What allowed it has ended." if push.reason else "")
    found = {"destination": str(push.destination_id), "status": push.status}
    return found | ({"problem": problem} if problem else {})
