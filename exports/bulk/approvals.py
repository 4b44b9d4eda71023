"""Groups and approvals: what administrators change, each change with its event in the log."""

import re
from collections.abc import Collection
from datetime import date

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Patient, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from exports import commands, states
from exports.bulk import groups
from exports.models import Group, GroupApproval, GroupMember
from smart import commands as clients
from smart.models import Client

GROUP_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class NotNow(Exception):
    """It cannot be done; the message is for who asked."""


@transaction.atomic
def define(
    *,
    id: str,
    name: str,
    by: User,
    kind: str = Group.Kind.LIST,
    source: str = "",
    born_from: date | None = None,
    born_until: date | None = None,
) -> Group:
    """A new group. Raises NotNow where the id is taken, or none that FHIR has."""
    if not GROUP_ID.fullmatch(id):
        raise NotNow("The id has letters, digits, hyphens and dots, up to 64.")
    try:
        with transaction.atomic():
            group = Group.objects.create(
                id=id,
                name=name,
                kind=kind,
                source=source,
                born_from=born_from,
                born_until=born_until,
                made_by=by,
            )
    except IntegrityError:
        raise NotNow("There is a group of this id, or a list was given a rule.") from None
    _log(by, group, "define")
    return group


@transaction.atomic
def add(group: Group, patients: Collection[Patient], *, by: User) -> None:
    """Put patients on a group's list. Raises NotNow where it has none."""
    if group.kind != Group.Kind.LIST:
        raise NotNow("This group is found by a rule.")
    GroupMember.objects.bulk_create(
        [GroupMember(group=group, patient=patient) for patient in patients], ignore_conflicts=True
    )
    _log(by, group, "add", count=len(patients))


@transaction.atomic
def remove(group: Group, patients: Collection[Patient], *, by: User) -> None:
    """Take patients off a group's list. What was made with them in it is destroyed."""
    gone = [patient.pk for patient in patients]
    group.listed.filter(patient__in=gone).delete()
    _log(by, group, "remove", count=len(gone))
    for approval in group.approvals.filter(ended_at=None):
        _destroy(approval, "approval.changed")


@transaction.atomic
def close(group: Group, *, by: User) -> None:
    """Nobody exports it any more."""
    Group.objects.filter(pk=group.pk).update(is_active=False)
    _log(by, group, "close")
    for approval in group.approvals.filter(ended_at=None).select_related("client"):
        end(approval, by=by)


@transaction.atomic
def approve(group: Group, client: Client, *, purpose: str, by: User) -> GroupApproval:
    """Let a backend service export a group for a purpose. Raises NotNow."""
    if client.authorization_grant_type != Client.GRANT_CLIENT_CREDENTIALS:
        raise NotNow("This app is no backend service.")
    if not group.is_active:
        raise NotNow("This group is closed.")
    try:
        with transaction.atomic():
            approval = GroupApproval.objects.create(
                group=group, client=client, purpose=GroupApproval.Purpose(purpose), approved_by=by
            )
    except (IntegrityError, ValueError):
        raise NotNow("It is approved for this group already, or the purpose is none of ours.") from None
    _log(by, group, "approve", approval)
    _tell_client(approval, by)
    return approval


@transaction.atomic
def second(approval: GroupApproval, *, by: User) -> GroupApproval:
    """Another person's yes, which a large group needs. Raises NotNow."""
    approval = GroupApproval.objects.select_for_update(of=("self",)).get(pk=approval.pk)
    if approval.approved_by_id == by.pk:
        raise NotNow("Whoever approved it cannot be the second person.")
    if approval.ended_at or approval.seconded_at:
        raise NotNow("It has ended, or has its second person.")
    approval.seconded_at, approval.seconded_by = timezone.now(), by
    approval.save(update_fields=["seconded_at", "seconded_by"])
    _log(by, approval.group, "second", approval)
    _tell_client(approval, by)
    return approval


@transaction.atomic
def end(approval: GroupApproval, *, by: User) -> None:
    """Take an approval back. Twice changes nothing. What it let be exported goes with it."""
    approval = GroupApproval.objects.select_for_update(of=("self",)).get(pk=approval.pk)
    if approval.ended_at:
        return
    approval.ended_at, approval.ended_by = timezone.now(), by
    approval.save(update_fields=["ended_at", "ended_by"])
    _log(by, approval.group, "end", approval)
    _tell_client(approval, by)
    _destroy(approval, "approval.ended")


def _destroy(approval: GroupApproval, reason: str) -> None:
    for job in approval.jobs.filter(status__in=(*states.LIVING, *states.READY)):
        commands.block(job, reason)


def why_not(approval: GroupApproval) -> str:
    """A code: why an approval lets nothing be exported now; empty where it does."""
    if approval.ended_at or not approval.group.is_active:
        return "approval.ended"
    if needs_second(approval):
        return "approval.second"
    if not approval.client.is_approved_service:
        return "app.suspended"
    return ""


def needs_second(approval: GroupApproval) -> bool:
    """Counted now: a group that has grown large waits for a second person too."""
    if approval.seconded_at:
        return False
    most = settings.BULK_SECOND_PERSON_OVER
    return groups.members(approval.group).values("pk")[: most + 1].count() > most


def of_client(client: Client) -> list[GroupApproval]:
    """The approvals of a client that hold now, by group."""
    found = GroupApproval.objects.filter(client=client, ended_at=None).select_related("group", "client")
    return [approval for approval in found.order_by("group_id") if not why_not(approval)]


def _tell_client(approval: GroupApproval, by: User) -> None:
    """A service without a group gets no tokens: `smart` keeps the ids (`Client.is_approved_service`)."""
    open_ones = GroupApproval.objects.filter(client=approval.client, ended_at=None).select_related("group")
    ids = [each.group_id for each in open_ones if each.group.is_active and not needs_second(each)]
    clients.approve_service(approval.client, groups=ids, by=by)


def _log(by: User, group: Group, change: str, approval: GroupApproval | None = None, **more: int) -> None:
    detail: dict[str, str | int] = {"change": change, **more}
    if approval:
        detail |= {"approval": str(approval.pk), "purpose": approval.purpose}
    record(
        Entry(
            type=EventType.ADMIN_CHANGE,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk}",
            role=Role.COMPLIANCE,
            client=f"Client/{approval.client.client_id}" if approval else "",
            target=f"Group/{group.pk}",
            detail=detail,
        )
    )
