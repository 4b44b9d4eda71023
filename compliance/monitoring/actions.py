"""What is done at once about an alert, and taken back by two people: an app is suspended, sessions end.

By itself only where MONITOR_ACTIONS names the detector; by a person from the alert's page.
"""

from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import endings
from accounts.models import User
from compliance.monitoring.detectors import table
from compliance.monitoring.models import Alert, AlertAction
from compliance.monitoring.trail import NotNow, OwnDoing, step
from smart import commands as clients
from smart import states
from smart.models import Client


class Act(StrEnum):
    """Values stand in detectors.toml and in the log: never rename one."""

    SUSPEND = "suspend-client"
    END = "end-sessions"  # they may sign in again at once; nothing is left to take back


def open_to(alert: Alert) -> list[Act]:
    """What can be done about the one whom it is about."""
    if alert.subject.startswith("Client/"):
        return [Act.SUSPEND]
    return [Act.END] if alert.subject.startswith("User/") else []


def by_itself(alert: Alert) -> None:
    """What the table says, where it fits; where it cannot be done, the history says so."""
    act = table()[alert.detector].act
    if act not in open_to(alert):
        return
    try:
        do(alert, Act(act), by=None)
    except NotNow:
        step(alert, None, "act-failed")


@transaction.atomic
def do(alert: Alert, act: str, *, by: User | None) -> AlertAction:
    """Raises NotNow for what does not fit, or was done already."""
    Alert.objects.select_for_update().get(pk=alert.pk)
    if act not in open_to(alert):
        raise NotNow("That cannot be done about this one.")
    action = AlertAction(alert=alert, act=act, by=by)
    if act == Act.SUSPEND:
        _move(alert, states.Act.SUSPEND, by)
    else:
        action.ended_count = endings.end_sessions(_person(alert))
    action.save()
    step(alert, by, act)
    return action


@transaction.atomic
def undo(action: AlertAction, *, by: User) -> AlertAction:
    """The first who says so asks; a second, who is another, does it. Raises NotNow."""
    action = AlertAction.objects.select_for_update().select_related("alert").get(pk=action.pk)
    if action.act != Act.SUSPEND or action.undone_at:
        raise NotNow("There is nothing to take back.")
    if action.alert.subject == f"User/{by.pk}":
        raise OwnDoing("This is about what you did. A colleague must look at it.")
    if action.undo_asked_by_id is None:
        action.undo_asked_by = by
        action.save(update_fields=["undo_asked_by"])
        step(action.alert, by, "undo-asked")
        return action
    if action.undo_asked_by_id == by.pk:
        raise NotNow("You asked for it. A second person must agree.")
    _move(action.alert, states.Act.RESUME, by)
    action.undone_by, action.undone_at = by, timezone.now()
    action.save(update_fields=["undone_by", "undone_at"])
    step(action.alert, by, "undone")
    return action


def _move(alert: Alert, act: states.Act, by: User | None) -> None:
    client = Client.objects.filter(client_id=alert.subject.removeprefix("Client/")).first()
    if client is None or client.is_internal:
        raise NotNow("There is no such app, or it is a part of this site.")
    try:
        clients.move(client, act, by=by)
    except states.WrongState:
        raise NotNow("The app has moved on. Look at it again.") from None


def _person(alert: Alert) -> User:
    try:
        return User.objects.get(pk=UUID(alert.subject.removeprefix("User/")))
    except (ValueError, User.DoesNotExist):
        raise NotNow("There is no such account.") from None
