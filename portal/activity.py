"""Activity as people read it: the audit rows themselves, with names, and repeats folded into one line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from math import inf
from typing import cast

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts.models import Patient
from audit import feed
from audit.events import EventType, Role
from audit.models import AuditEvent
from smart.models import Client

FOLDED_WITHIN = timedelta(hours=1)
FEW_LINES = 10  # that a page should have, where there are
MORE = 250  # events that are read on for them
MOST_ENTRIES = 300  # that the details of one line name
OWN_READING: dict[str, str] = {
    EventType.RECORD_READ: "read",
    EventType.RECORD_SEARCH: "read",
    EventType.EXPORT_READ: "export",
    EventType.EXPORT_GIVE: "export",
    EventType.RECORD_PREVIEW: "preview",
}
# By what the log calls the device class.
DEVICES: Mapping[str, Promise] = {
    "phone": pgettext_lazy("activity.device.phone", "It came from a phone."),
    "tablet": pgettext_lazy("activity.device.tablet", "It came from a tablet."),
    "computer": pgettext_lazy("activity.device.computer", "It came from a computer."),
    "program": pgettext_lazy("activity.device.program", "It came from a program, like an app."),
}


@dataclass(slots=True)
class Line:
    """One line of the list: the newest of the events it stands for, with the categories of them all."""

    event: AuditEvent
    ids: list[str]
    requests: set[str]
    categories: set[str]

    @property
    def count(self) -> int:
        """How often somebody did it: the searches behind one page of one's own record are one look."""
        return len(self.requests if _is_own_reading(self.event) else self.ids)


@dataclass(frozen=True, slots=True)
class Lines:
    """A page of the list, folded; the rest as `feed.Page` has it."""

    lines: list[Line]
    next_cursor: str
    looked_back_to: datetime | None


def fold(events: Iterable[AuditEvent]) -> list[Line]:
    """Newest first, as the events came. The same thing by the same actor within an hour is one line."""
    lines: list[Line] = []
    _fold_into(lines, events)
    return _with_categories(lines)


def folded_page(patient: str, filters: feed.Filters, cursor: str) -> Lines:
    """A page of the list; where it is one thing again and again, of more events, so that whoever asks without
    end does not push all else out of sight. Raises as `feed.page`."""
    found = feed.page(patient, filters, cursor=cursor)
    lines: list[Line] = []
    _fold_into(lines, found.events)
    if not found.next_cursor or found.looked_back_to or len(lines) >= FEW_LINES:
        return Lines(_with_categories(lines), found.next_cursor, found.looked_back_to)
    begun, older = len(lines), feed.glances(patient, filters, cursor=found.next_cursor, size=MORE)
    taken = _fold_into(lines, older.events, most=feed.SIZE)
    if heads := lines[begun:]:
        newest, oldest = heads[0].event.recorded_at, heads[-1].event.recorded_at
        around = AuditEvent.objects.filter(patient=patient, recorded_at__range=(oldest, newest))
        whole = around.in_bulk([line.event.id for line in heads])
        for line in heads:
            line.event = whole[line.event.id]
    _with_categories(lines)
    if taken < len(older.events):
        last = older.events[taken - 1]
        return Lines(lines, feed.write_cursor(last.recorded_at, last.id, patient), None)
    return Lines(lines, older.next_cursor, older.looked_back_to)


def _fold_into(lines: list[Line], events: Iterable[AuditEvent | feed.Glance], most: float = inf) -> int:
    """Stops before there would be more lines than `most`; returns how many events it took."""
    open_lines = {_key(line.event): line for line in lines}
    taken = 0
    for event in events:
        key = _key(event)
        line = open_lines.get(key)
        if line and line.event.recorded_at - event.recorded_at <= FOLDED_WITHIN:
            line.ids.append(str(event.id))
            line.requests.add(_request_of(event))
            line.categories.update(event.categories)
        elif len(lines) < most:
            head = cast(AuditEvent, event)
            open_lines[key] = line = Line(head, [str(event.id)], {_request_of(event)}, set(event.categories))
            lines.append(line)
        else:
            break
        taken += 1
    return taken


def _with_categories(lines: list[Line]) -> list[Line]:
    for line in lines:
        if len(line.ids) > 1:
            line.event.categories = sorted(line.categories)
    return lines


def entries_behind(newest: AuditEvent) -> list[AuditEvent]:
    """The events of the line that this one heads, newest first; at most MOST_ENTRIES."""
    since = newest.recorded_at - FOLDED_WITHIN
    around = AuditEvent.objects.filter(
        patient=newest.patient, actor=newest.actor, recorded_at__range=(since, newest.recorded_at)
    ).order_by("-recorded_at", "-id")
    key, place = _key(newest), (newest.recorded_at, newest.id)
    alike = (e for e in around.iterator() if (e.recorded_at, e.id) <= place and _key(e) == key)
    return list(islice(alike, MOST_ENTRIES))


def _is_own_reading(event: AuditEvent | feed.Glance) -> bool:
    return event.role == Role.PATIENT and event.type in OWN_READING


def _request_of(event: AuditEvent | feed.Glance) -> str:
    return event.correlation_id or str(event.id)


def _key(event: AuditEvent | feed.Glance) -> tuple[object, ...]:
    """People who page through their own record, or take it all away, make a line and not a page of lines."""
    own = _is_own_reading(event)
    kind = OWN_READING[event.type] if own else event.type
    categories = () if own else tuple(event.categories)
    return (event.actor, kind, event.outcome, tuple(event.reasons), event.consent, categories, event.target)


def clients_of(patient: Patient) -> dict[str, str]:
    """The apps that the patient ever shared with, by client id: the ones a list can be asked for."""
    clients = Client.objects.filter(consents__patient=patient).order_by("name").distinct()
    return dict(clients.values_list("client_id", "name"))
