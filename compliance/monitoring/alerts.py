"""Alerts: raised once for what is one thing, put off, judged, made a case, told to the patient, closed.

Each change is one transaction with a step of the alert's history and a row in the log.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Patient, User
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from compliance import investigations
from compliance.models import Investigation
from compliance.monitoring import actions
from compliance.monitoring.detectors import Detector, Finding, table, tuning_of
from compliance.monitoring.models import Alert
from compliance.monitoring.trail import NotNow, OwnDoing, step
from notices import commands as notices

Status, Verdict = Alert.Status, Alert.Verdict
MOST_EVENTS = 200
LONGEST_SNOOZE = timedelta(days=30)
JUDGED_SINCE = timedelta(days=180)  # feedback that is older moves no limit
LATELY = timedelta(days=60)  # longer than any window is judged
GROWS = (
    *("starts_at", "count", "limit", "against", "mean", "windows", "events", "found_count"),
    "found_at",
)
Key = tuple[str, str, str, str]


def take_in(found: Iterable[Finding], now: datetime) -> list[Alert]:
    """Raise an alert for what is new; what is there already grows. Returns the new ones.

    What was closed is not raised again by the same window.
    """
    latest = {_key_of(finding): finding for finding in sorted(found, key=_start)}
    if not latest:
        return []
    there: dict[Key, Alert] = {}
    subjects = {key[2] for key in latest}
    lately = Q(status=Status.OPEN) | Q(found_at__gt=now - LATELY)
    rows = Alert.objects.filter(lately, subject__in=subjects, detector__in={key[0] for key in latest})
    for alert in rows.select_for_update().order_by("raised_at", "pk"):
        there[_key(alert)] = alert
    grown = []
    for key, finding in latest.items():
        known = there.get(key)
        if known and known.status == Status.OPEN and _grow(known, finding, now):
            grown.append(known)
    Alert.objects.bulk_update(
        grown,
        ["starts_at", "count", "limit", "against", "mean", "windows", "events", "found_count", "found_at"],
    )
    new = [f for key, f in latest.items() if _is_new(there.get(key), f)]
    return [_raise(finding, now) for finding in new]


def _is_new(alert: Alert | None, finding: Finding) -> bool:
    if alert is None:
        return True
    return alert.status == Status.CLOSED and finding.window.starts_at > alert.starts_at


def _grow(alert: Alert, finding: Finding, now: datetime) -> bool:
    """Whether there is more than was known."""
    window = finding.window
    same = window.starts_at == alert.starts_at
    if window.starts_at < alert.starts_at or (same and window.count <= alert.count):
        return False
    alert.found_count += not same
    alert.starts_at, alert.count, alert.found_at = window.starts_at, window.count, now
    alert.limit, alert.against = finding.limit, finding.against
    alert.mean, alert.windows = finding.mean, finding.windows
    alert.events = list(dict.fromkeys([*alert.events, *window.events]))[-MOST_EVENTS:]
    return True


def _raise(finding: Finding, now: datetime) -> Alert:
    window = finding.window
    alert = Alert.objects.create(
        detector=finding.detector.name,
        severity=finding.detector.severity,
        kind=window.kind,
        subject=window.subject,
        about=window.about,
        starts_at=window.starts_at,
        count=window.count,
        limit=finding.limit,
        against=finding.against,
        mean=finding.mean,
        windows=finding.windows,
        events=list(window.events),
        raised_at=now,
        found_at=now,
    )
    record(
        Entry(
            type=EventType.ALERT_RAISE,
            outcome=Outcome.DONE,
            actor="System/monitor",
            role=Role.SYSTEM,
            target=f"Alert/{alert.pk}",
            count=window.count if window.count < 2**31 else None,
            detail={"detector": alert.detector, "severity": alert.severity, "against": alert.against},
        )
    )
    if alert.detector in settings.MONITOR_ACTIONS:
        actions.by_itself(alert)
    return alert


def _start(finding: Finding) -> datetime:
    return finding.window.starts_at


def _key_of(finding: Finding) -> Key:
    window = finding.window
    return finding.detector.name, window.kind, window.subject, window.about


def _key(alert: Alert) -> Key:
    return alert.detector, alert.kind, alert.subject, alert.about


# What people do about them


@transaction.atomic
def snooze(alert: Alert, *, by: User, days: int, reason: str) -> None:
    """Put it off: it goes on growing and stays off the list until then. Raises NotNow."""
    alert = _open(alert, by)
    if not reason.strip() or not timedelta() < timedelta(days=days) <= LONGEST_SNOOZE:
        raise NotNow(f"Give a reason, and from 1 to {LONGEST_SNOOZE.days} days.")
    alert.snoozed_until = timezone.now() + timedelta(days=days)
    alert.save(update_fields=["snoozed_until"])
    step(alert, by, "snoozed", reason)


@transaction.atomic
def wake(alert: Alert, *, by: User) -> None:
    """Back on the list before its time."""
    alert = _open(alert, by)
    alert.snoozed_until = None
    alert.save(update_fields=["snoozed_until"])
    step(alert, by, "woken")


@transaction.atomic
def close(alert: Alert, *, by: User, verdict: str, note: str) -> None:
    """Say whether it was something; that moves the detector's limit. Raises NotNow."""
    alert = _open(alert, by)
    if verdict not in Verdict or not note.strip():
        raise NotNow("Say whether it was something, and why.")
    alert.status, alert.verdict = Status.CLOSED, verdict
    alert.save(update_fields=["status", "verdict"])
    step(alert, by, f"closed-{verdict}", note)


@transaction.atomic
def note(alert: Alert, *, by: User, text: str) -> None:
    """Keep something for colleagues. Raises NotNow for an empty one."""
    if not text.strip():
        raise NotNow("Write the note first.")
    step(alert, by, "note", text)


@transaction.atomic
def open_case(alert: Alert, *, by: User) -> Investigation:
    """An investigation with its events; asked twice, the same one."""
    alert = Alert.objects.select_for_update().get(pk=alert.pk)
    if alert.case_id:
        return Investigation.objects.get(pk=alert.case_id)
    alert.case = investigations.open_case(
        by=by,
        origin=Investigation.Origin.ALERT,
        events=events_of(alert),
        patient=patient_of(alert),
        search={"alert": str(alert.pk)},
    )
    alert.save(update_fields=["case"])
    step(alert, by, "case")
    return alert.case


@transaction.atomic
def tell(alert: Alert, *, by: User) -> None:
    """Let the patient know that somebody looks at a use of their record: a person decides it, once.

    It then stands in their activity list, and a notice says where. Raises NotNow.
    """
    alert = Alert.objects.select_for_update().get(pk=alert.pk)
    patient = patient_of(alert)
    if patient is None or patient.user is None or alert.told_at:
        raise NotNow("There is no patient to be told, or they were told.")
    alert.told_at = timezone.now()
    alert.save(update_fields=["told_at"])
    step(alert, by, "told", patient=f"Patient/{patient.pk}")
    notices.enqueue(
        "use_checked",
        recipient=f"User/{patient.user.pk}",
        email=patient.user.email,
        language=patient.user.language,
        context={},
    )


def patient_of(alert: Alert) -> Patient | None:
    """The one whose record it is about, where there is one."""
    kind, _, pk = alert.about.partition("/")
    if kind != "Patient":
        return None
    return Patient.objects.select_related("user").filter(pk=pk).first()


def events_of(alert: Alert) -> list[AuditEvent]:
    """Its rows of the log that are still kept, newest first."""
    return list(AuditEvent.objects.filter(id__in=alert.events).order_by("-recorded_at", "-id"))


def _open(alert: Alert, by: User) -> Alert:
    """Locked. Raises NotNow where it is closed, OwnDoing for who would judge themselves."""
    alert = Alert.objects.select_for_update().get(pk=alert.pk)
    if alert.subject == f"User/{by.pk}":
        raise OwnDoing("This is about what you did. A colleague must look at it.")
    if alert.status != Status.OPEN:
        raise NotNow("It is closed already.")
    return alert


# What feedback made of the detectors


def verdicts(since: datetime) -> Counter[tuple[str, str]]:
    """How many alerts of a detector had a verdict; "" is none yet. One statement."""
    rows = Alert.objects.filter(raised_at__gte=since).order_by().values_list("detector", "verdict")
    return Counter(rows)


def tunings() -> Mapping[str, float]:
    """What the limit of each detector is multiplied by. One statement."""
    judged = verdicts(timezone.now() - JUDGED_SINCE)
    return {name: tuning(detector, judged) for name, detector in table().items()}


def tuning(detector: Detector, judged: Counter[tuple[str, str]]) -> float:
    name = detector.name
    return tuning_of(wrong=judged[name, Verdict.WRONG], right=judged[name, Verdict.RIGHT])
