"""Home: one clear next thing, and who can see the records."""

from datetime import timedelta
from functools import partial

import structlog
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.views.decorators.http import require_GET

from accounts.models import RelatedPerson, StaffRole
from audit.events import EventType
from audit.models import AuditEvent
from consent import helper_rights
from consent.models import Consent
from consent.vocabulary import Category
from exports.models import ExportJob
from portal import acting, ask_first, drafts, helper_words, recipients, rows, todo
from portal.consent_facts import OPEN, SHARED, name_of
from portal.guards import PatientRequest, anyone, record_required, roles_of
from portal.loading import Loaded, Wanted, load
from portal.next_action import Action, in_order
from portal.pages import page
from portal.states import Kind
from portal.templatetags.portal import has_record
from portal.views.records import APPOINTMENTS, shown_to
from portal.views.results import RESULTS

log = structlog.get_logger("chartkey.home")
MOST_TASKS, MOST_SHARES = 4, 3


@page(
    "home",
    reads=("Appointment", "Observation", "Consent", "ExportJob", "WriteCommand", "Draft"),
    states=(Kind.FRESH, Kind.STALE, Kind.PARTIAL, Kind.EMPTY, Kind.ERROR),
)
@require_GET
@anyone
def home(request: HttpRequest) -> HttpResponseBase:
    if not request.user.is_authenticated:
        return render(request, "portal/welcome.html")
    acts = acting.in_session(request) or acting.in_address(request)
    if not acts and not has_record(request.user):
        if StaffRole.Role.CLINICIAN in roles_of(request.user):
            return redirect("portal:review")
        if not request.user.is_staff and request.user.helps.exists():
            return redirect("portal:acting")
    return own_home(request)


@record_required
def own_home(request: PatientRequest) -> HttpResponse:
    if request.helping:
        return _acting_home(request, request.helping)
    loaded, consents = _load(request), list(_consents(request))
    actions = in_order(_actions(request, loaded, consents))
    if actions:
        log.info("home action chosen", reason=actions[0].rule.name.lower())
    context = {
        "state": loaded.state,
        "first": actions[0] if actions else None,
        "tasks": actions[1 : 1 + MOST_TASKS],
        "shares": _named(request, consents[:MOST_SHARES]),
        "waiting": _waiting(request),
        "more_shares": max(0, len(consents) - MOST_SHARES),
        "soon": timezone.now() + todo.SOON,
    }
    return render(request, "portal/home.html", context)


def _acting_home(request: PatientRequest, relation: RelatedPerson) -> HttpResponse:
    """For a helper: what comes next of what they may see, and which records there are."""
    now = timezone.now()
    seen = helper_rights.visible(relation, now)
    booked: list[rows.Row] = []
    state = None
    if Category.APPOINTMENTS in seen:
        loaded = load(request, Wanted("Appointment", APPOINTMENTS, (("date", f"ge{timezone.localdate()}"),)))
        state, booked = loaded.state, rows.rows_of(loaded.found[0], partial(rows.appointment, now=now))
    context = {
        "state": state,
        "visits": [row for row in booked if row.is_current][::-1][:MOST_TASKS],
        "shown": shown_to(request),
        "soon": helper_words.birthday_soon(relation),
        "until": relation.period_end,
    }
    return render(request, "portal/acting_home.html", context)


def _load(request: PatientRequest) -> Loaded:
    since = timezone.localdate() - todo.NEW
    return load(
        request,
        Wanted(
            "Observation", RESULTS, (("category", "laboratory"), ("date", f"ge{since - timedelta(days=1)}"))
        ),
        Wanted("Appointment", APPOINTMENTS, (("date", f"ge{timezone.localdate()}"),)),
    )


def _consents(request: PatientRequest):
    running = Q(period_end=None) | Q(period_end__gt=timezone.now())
    return (
        request.patient.consents.filter(running, kind__in=SHARED, status__in=OPEN)
        .select_related("client", "helper__user")
        .order_by("-created_at")
    )


def _named(request: PatientRequest, consents: list[Consent]) -> list[tuple[Consent, str | Promise]]:
    names = recipients.names_of(request, consents)
    return [(consent, names.get(consent.recipient) or name_of(consent)) for consent in consents]


def _waiting(request: PatientRequest) -> int:
    """How many proposals wait for the patient's answer; a limit waits for the clinic's."""
    proposed = request.patient.consents.filter(status=Consent.Status.PROPOSED)
    return proposed.exclude(kind=Consent.Kind.RESTRICTION).count()


def _actions(request: PatientRequest, loaded: Loaded, consents: list[Consent]) -> list[Action]:
    now = timezone.now()
    new, booked = loaded.found
    ready = list(request.patient.export_jobs.filter(expires_at__gt=now, status__in=todo.READY))
    return [
        *todo.from_emergencies(request.patient.emergency_views.filter(opened_at__gt=now - todo.NEW)[:1]),
        *todo.from_results(ask_first.read_all(request, new), now),
        *todo.from_consents([c for c in consents if c.period_end and c.is_active], now),
        *todo.from_jobs(ready, now, _saved(request, ready)),
        *todo.from_commands(request.patient.write_commands.filter(status="sent_back")),
        *todo.from_drafts(drafts.unfinished(request.user, request.patient)),
        *todo.from_appointments(rows.rows_of(booked, partial(rows.appointment, now=now))),
    ]


def _saved(request: PatientRequest, jobs: list[ExportJob]) -> set[str]:
    """Those of the jobs whose file was saved at least once, as references: the log knows."""
    if not jobs:
        return set()
    events = AuditEvent.objects.filter(
        patient=f"Patient/{request.patient.pk}",
        recorded_at__gte=min(job.created_at for job in jobs),
        type=EventType.EXPORT_DOWNLOAD,
        target__in=[f"ExportJob/{job.id}" for job in jobs],
    )
    return set(events.values_list("target", flat=True))
