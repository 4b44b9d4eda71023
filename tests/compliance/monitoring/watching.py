"""Made-up days for the monitor: events of given moments, placed in the log as the sequencer places them.

A test's own transaction never ends, so the sequencer would wait for it for ever; `place` does not wait.
The days are those of the next month, so that what commands record today stands before all of them.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from audit.events import EventType, Outcome, Role
from audit.log import Entry
from compliance.monitoring import runs
from compliance.monitoring.models import Alert
from demo.traffic.cast import first_monday
from demo.traffic.ordinary import entry
from demo.traffic.writing import Event, write

PLACE = """
INSERT INTO log_leaf (seq, event_id, xid, leaf)
SELECT (SELECT coalesce(max(seq), -1) FROM log_leaf) + row_number() OVER (ORDER BY e.xid, e.id),
       e.id, e.xid, e.leaf
  FROM audit_event e
 WHERE e.recorded_at >= %s AND NOT EXISTS (SELECT FROM log_leaf l WHERE l.event_id = e.id)
"""
ACME = "Client/acme"
MONDAY = first_monday(timezone.localtime() + timedelta(days=32))


def at(day: int, hour: float = 10, seconds: float = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, seconds=seconds)


def app_reads(when: datetime, times: int = 1, *, network: str = "", **more) -> list[Event]:
    said = {"client": ACME, "purpose": "PATRQT", "patient": "Patient/p"} | more
    read = entry(EventType.RECORD_SEARCH, said["client"], Role.CLIENT, said.pop("patient"), **said)
    return [Event(when + timedelta(seconds=i), read, network) for i in range(times)]


def reads(user, when: datetime, times: int = 1, *, network: str = "10.0.0.0/24", **more) -> list[Event]:
    """A clinician's, each of another patient unless `patient` names one."""
    actor, one = f"User/{user.pk}", more.pop("patient", "")
    read = [
        entry(EventType.RECORD_SEARCH, actor, Role.CLINICIAN, one or f"Patient/{i}", **more)
        for i in range(times)
    ]
    return [Event(when + timedelta(seconds=i), each, network) for i, each in enumerate(read)]


def told(type: EventType, outcome: Outcome, when: datetime, **more) -> Event:
    return Event(when, Entry(type=type, outcome=outcome, **more))


def place() -> None:
    with connection.cursor() as cursor:
        cursor.execute(PLACE, [MONDAY])


def watch(*parts: list[Event] | Event, limit: int = 100_000) -> list[Alert]:
    """Write these events, let the monitor read them, and return what is open, oldest first."""
    events = [event for part in parts for event in (part if isinstance(part, list) else [part])]
    if events:
        write(events)
    place()
    while runs.run(limit=limit, by_log=True):
        pass
    return list(Alert.objects.filter(status="open").order_by("raised_at", "detector"))


def names(alerts: list[Alert]) -> set[str]:
    return {alert.detector for alert in alerts}
