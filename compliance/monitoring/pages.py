"""The console's pages for alerts and detectors. `Console.admin_view` put each of them into the log."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.paragraphs import paragraph
from compliance.monitoring import actions, alerts
from compliance.monitoring.actions import Act
from compliance.monitoring.detectors import MOST_TUNED, How, table
from compliance.monitoring.models import Alert, Cursor, StoredBaseline
from compliance.monitoring.sentences import names_of, why
from compliance.monitoring.tallies import EVERYBODY
from compliance.monitoring.trail import NotNow, OwnDoing, log_step
from compliance.readonly import CappedPaginator
from exports import spreadsheet

PAGE, MOST_SAVED = 50, 5_000
COLUMNS = ("Raised", "Severity", "Detector", "Subject", "About", "Why", "Stands", "Verdict", "Events")


class AlertForm(forms.Form):
    """What of the list is wanted; "waiting" is open and not put off."""

    STANDS = [("waiting", "Waiting"), ("snoozed", "Put off"), ("closed", "Closed"), ("all", "All")]

    stands = forms.ChoiceField(choices=STANDS, required=False, initial="waiting")
    severity = forms.ChoiceField(
        choices=[("", "Any"), *((s, s) for s in ("high", "medium", "low"))], required=False
    )
    detector = forms.ChoiceField(choices=[("", "Any")], required=False)
    subject = forms.CharField(max_length=300, required=False, help_text="User/…, Client/…, Network/…")
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = [(name, each.title) for name, each in table().items()]
        self.fields["detector"].choices = [("", "Any"), *rows]  # type: ignore[attr-defined]

    def rows(self, now: datetime) -> QuerySet[Alert]:
        data = self.cleaned_data
        wanted = _standing(data["stands"] or "waiting", now)
        wanted &= Q(**{n: data[n] for n in ("severity", "detector", "subject") if data[n]})
        if data["since"]:
            wanted &= Q(raised_at__gte=timezone.make_aware(datetime.combine(data["since"], time.min)))
        return Alert.objects.filter(wanted)


def _standing(stands: str, now: datetime) -> Q:
    snoozed = Q(snoozed_until__gt=now)
    is_open = Q(status=Alert.Status.OPEN)
    by_name = {"waiting": is_open & ~snoozed, "snoozed": is_open & snoozed, "closed": ~is_open}
    return by_name.get(stands, Q())


def waiting_count() -> int:
    """Alerts that wait for somebody, counted no further than the list shows."""
    return (
        Alert.objects.filter(_standing("waiting", timezone.now())).order_by()[: CappedPaginator.MOST].count()
    )


@require_GET
def alert_list(request: HttpRequest) -> HttpResponse:
    """The newest first; with `save` as a file."""
    form = AlertForm(request.GET)
    rows = form.rows(timezone.now()) if form.is_valid() else Alert.objects.none()
    if "save" in request.GET and form.is_valid():
        return _saved(request, rows)
    page = CappedPaginator(rows, PAGE).get_page(request.GET.get("page"))
    names = names_of(page)
    told = [{"alert": alert, "why": why(alert, names), "title": _title(alert)} for alert in page]
    query = request.GET.copy()
    query.pop("page", None)
    context = {"form": form, "page": page, "told": told, "query": query.urlencode(), "now": timezone.now()}
    return _page(request, "alerts", "Alerts", **context)


def _saved(request: HttpRequest, rows: QuerySet[Alert]) -> HttpResponse:
    """The same as a spreadsheet, and a row in the log that it was saved."""
    found = list(rows[:MOST_SAVED])
    _log_look(request, "Console/alerts", EventType.AUDIT_DOWNLOAD, count=len(found))
    text = "".join(spreadsheet.lines(_lines(found)))
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="alerts.csv"'
    return response


def _lines(found: list[Alert]) -> Iterator[tuple[str, ...]]:
    names = names_of(found)
    yield COLUMNS
    for alert in found:
        raised = timezone.localtime(alert.raised_at).isoformat(timespec="seconds")
        said = (raised, alert.severity, alert.detector, alert.subject, alert.about, why(alert, names))
        yield (*said, alert.status, alert.verdict, " ".join(map(str, alert.events)))


@require_GET
def alert_page(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """Why it fired, against which baseline, with the events; what was done, and what can be."""
    alert = get_object_or_404(Alert.objects.select_related("case"), pk=alert_id)
    _log_look(request, f"Alert/{alert.pk}", EventType.AUDIT_READ)
    patient = alerts.patient_of(alert)
    events = alerts.events_of(alert)
    context = {
        "alert": alert,
        "detector": table().get(alert.detector),
        "why": why(alert, names_of([alert])),
        "told": [{"event": event, "text": paragraph(event, seq=None)} for event in events],
        "steps": alert.steps.select_related("by"),
        "actions": alert.actions.select_related("by", "undo_asked_by", "undone_by"),
        "acts": actions.open_to(alert),
        "can_tell": bool(patient and patient.user_id) and alert.told_at is None,
        "is_open": alert.status == Alert.Status.OPEN,
        "is_off": bool(alert.snoozed_until and alert.snoozed_until > timezone.now()),
    }
    return _page(request, "alert", _title(alert), **context)


@require_POST
def alert_change(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """By the button that was pressed."""
    alert = get_object_or_404(Alert, pk=alert_id)
    by: Any = request.user
    what = request.POST.get("do", "")
    try:
        if what not in CHANGES:
            raise NotNow("Press one of the buttons.")
        CHANGES[what](alert, by, request.POST)
    except OwnDoing as error:
        log_step(alert, by, what, Outcome.DENY)
        messages.error(request, str(error))
    except NotNow as error:
        messages.error(request, str(error))
    if what == "case" and (found := Alert.objects.get(pk=alert.pk)).case_id:
        return redirect("admin:case", found.case_id)
    return redirect("admin:alert", alert_id)


def _undo(alert: Alert, by: Any, said: Mapping[str, str]) -> None:
    number = said.get("action", "")
    if not number.isdigit():
        raise NotNow("There is nothing to take back.")
    actions.undo(get_object_or_404(alert.actions, pk=int(number)), by=by)


def _snooze(alert: Alert, by: Any, said: Mapping[str, str]) -> None:
    days = said.get("days", "")
    alerts.snooze(alert, by=by, days=int(days) if days.isdigit() else 0, reason=said.get("text", ""))


def _close(alert: Alert, by: Any, said: Mapping[str, str], verdict: str) -> None:
    alerts.close(alert, by=by, verdict=verdict, note=said.get("text", ""))


Change = Callable[[Alert, Any, Mapping[str, str]], object]
CHANGES: Mapping[str, Change] = {
    "note": lambda alert, by, said: alerts.note(alert, by=by, text=said.get("text", "")),
    "snooze": _snooze,
    "wake": lambda alert, by, _: alerts.wake(alert, by=by),
    "right": lambda alert, by, said: _close(alert, by, said, "right"),
    "wrong": lambda alert, by, said: _close(alert, by, said, "wrong"),
    "case": lambda alert, by, _: alerts.open_case(alert, by=by),
    "tell": lambda alert, by, _: alerts.tell(alert, by=by),
    "undo": _undo,
    **{act.value: lambda alert, by, _, act=act: actions.do(alert, act, by=by) for act in Act},  # type: ignore[misc]
}


@require_GET
def detector_list(request: HttpRequest) -> HttpResponse:
    """Each with its limits, how many baselines it has, and how often it was wrong."""
    since = timezone.now() - alerts.JUDGED_SINCE
    judged = alerts.verdicts(since)
    known = _known_baselines()
    rows = [
        {
            "detector": each,
            "kinds": ", ".join(sorted(each.kinds)),
            "alerts": sum(judged[each.name, verdict] for verdict in ("", "right", "wrong")),
            "right": judged[each.name, "right"],
            "wrong": judged[each.name, "wrong"],
            "rate": _rate(judged[each.name, "wrong"], judged[each.name, "right"]),
            "tuning": alerts.tuning(each, judged),
            "learns": each.how in (How.ABOVE, How.HOURS),
            "baselines": known.get(each.measure, (0, 0)),
        }
        for each in table().values()
    ]
    cursor = Cursor.objects.first()
    context = {"rows": rows, "cursor": cursor, "tuned": MOST_TUNED, "days": alerts.JUDGED_SINCE.days}
    return _page(request, "detectors", "Detectors", **context)


def _rate(wrong: int, right: int) -> float | None:
    """Of those that were judged, the share that was nothing, in percent."""
    return 100 * wrong / (wrong + right) if wrong + right else None


def _known_baselines() -> dict[str, tuple[int, int]]:
    """Measure → subjects with a baseline that is long enough, and subjects with any."""
    enough = Q(pk=None)
    for each in table().values():
        enough |= Q(measure=each.measure, windows__gte=each.history)
    rows = (
        StoredBaseline.objects.exclude(subject=EVERYBODY)
        .values("measure")
        .annotate(all=Count("pk"), enough=Count("pk", filter=enough))
        .values_list("measure", "enough", "all")
    )
    return {measure: (long, some) for measure, long, some in rows}


def _title(alert: Alert) -> str:
    known = table().get(alert.detector)
    return known.title if known else alert.detector


def _page(request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole)


def _log_look(request: HttpRequest, target: str, event: EventType, count: int | None = None) -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role=Role.COMPLIANCE,
            target=target,
            count=count,
        )
    )
