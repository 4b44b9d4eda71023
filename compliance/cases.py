"""The console's pages for investigators: the search, cases, and the queue of disclosure requests.

Every page here was put into the log by `Console.admin_view` before it opened.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Patient
from audit import evidence, feed, sealed
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent, LogLeaf
from audit.paragraphs import paragraph
from compliance import disclosures, investigations
from compliance.models import DisclosureRequest, Investigation
from compliance.searching import ReasonForm, SearchForm, give_reason, log_search, reason_of

MOST_CASES = 200


def _page(request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole)


@require_http_methods(["GET", "POST"])
def log_search_page(request: HttpRequest) -> HttpResponse:
    """First the reason, then the search. A POST with events opens a case with them."""
    if request.method == "POST" and "reason" in request.POST:
        form = ReasonForm(request.POST)
        if form.is_valid():
            give_reason(request, form.cleaned_data["reason"])
            return redirect("admin:log-search")
    if not reason_of(request):
        return _page(request, "reason", "Search the log", form=ReasonForm(request.POST or None))
    search = SearchForm(request.GET)
    if not search.is_valid() or not search.fields_asked:
        return _page(request, "log_search", "Search the log", form=search)
    try:
        found = search.page()
    except feed.BadCursor:
        search.add_error(None, "This page link was changed or is of another search. Search again.")
        return _page(request, "log_search", "Search the log", form=search)
    log_search(request, search)
    if request.method == "POST":
        return _save(request, search)
    older = urlencode(search.fields_asked | {"after": found.next_cursor}) if found.next_cursor else ""
    context = {"form": search, "found": found, "older": older, "reason": reason_of(request)}
    return _page(request, "log_search", "Search the log", **context)


def _save(request: HttpRequest, search: SearchForm) -> HttpResponse:
    """A case with the events that were ticked, or with the search alone."""
    ids = [pk for pk in map(_uuid, request.POST.getlist("event")) if pk]
    events = AuditEvent.objects.filter(id__in=ids[: investigations.MOST_EVENTS])
    named = _uuid(search.cleaned_data["patient"].removeprefix("Patient/"))
    patient = Patient.objects.filter(pk=named).first() if named else None
    case = investigations.open_case(
        by=request.user,  # type: ignore[arg-type]  # the console's guard let no one else in
        origin=Investigation.Origin.SEARCH,
        events=events,
        patient=patient,
        search=search.fields_asked,
    )
    return redirect("admin:case", case.pk)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@require_GET
def cases(request: HttpRequest) -> HttpResponse:
    """Open ones first."""
    rows = Investigation.objects.select_related("assigned_to").order_by("-opened_at", "-id")
    waiting = rows.filter(status__in=investigations.OPEN)[:MOST_CASES]
    done = rows.exclude(status__in=investigations.OPEN)[:50]
    return _page(request, "cases", "Investigations", waiting=waiting, done=done)


@require_GET
def case(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """One investigation, with what an auditor sees of its events: the exact network address too."""
    found = get_object_or_404(Investigation.objects.select_related("assigned_to", "patient"), pk=case_id)
    events = investigations.events_of(found)
    _log_look(request, found, EventType.AUDIT_READ)
    leaves = LogLeaf.objects.filter(event_id__in=[e.id for e in events]).values_list("event_id", "seq")
    places = dict(leaves)
    told = [
        {"event": e, "text": paragraph(e, seq=places.get(e.id)), "origin": sealed.opened(e) or {}}
        for e in events
    ]
    steps = found.steps.select_related("by")
    return _page(request, "case", f"Investigation {found.pk}", case=found, told=told, steps=steps)


@require_POST
def case_change(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Take it, note something, answer, close, hold: by the button that was pressed."""
    found = get_object_or_404(Investigation, pk=case_id)
    by: Any = request.user
    what = request.POST.get("do", "")
    try:
        if what not in CHANGES:
            raise investigations.NotNow("Press one of the buttons.")
        CHANGES[what](found, by, request.POST.get("text", ""))
    except investigations.OwnDoing as error:
        investigations.log_refused(found, by=by, what=what)
        messages.error(request, str(error))
    except investigations.NotNow as error:
        messages.error(request, str(error))
    return redirect("admin:case", case_id)


Change = Callable[[Investigation, Any, str], object]
CHANGES: Mapping[str, Change] = {
    "take": lambda case, by, _: investigations.take(case, by=by),
    "note": lambda case, by, text: investigations.note(case, by=by, text=text),
    "answer": lambda case, by, text: investigations.answer(case, by=by, text=text),
    "close": lambda case, by, _: investigations.close(case, by=by),
    "hold": lambda case, by, _: investigations.hold(case, by=by, held=True),
    "release": lambda case, by, _: investigations.hold(case, by=by, held=False),
}


@require_GET
def case_pack(request: HttpRequest, case_id: UUID) -> HttpResponseBase:
    """The events with their proofs, for `chartkey_verify.py`."""
    found = get_object_or_404(Investigation, pk=case_id)
    _log_look(request, found, EventType.AUDIT_DOWNLOAD)
    lines = evidence.bundle(investigations.events_of(found))
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    response.headers["Content-Disposition"] = f'attachment; filename="case-{found.pk}.ndjson"'
    return response


@require_GET
def disclosure_queue(request: HttpRequest) -> HttpResponse:
    """Who waits for an accounting of disclosures, and how long there is."""
    soon = timezone.now() + disclosures.SOON
    rows = [{"asked": asked, "soon": asked.due_at < soon} for asked in disclosures.queue()]
    return _page(request, "disclosures", "Accounting of disclosures", rows=rows, now=timezone.now())


@require_http_methods(["GET", "POST"])
def disclosure(request: HttpRequest, asked_id: UUID) -> HttpResponse:
    """What would be answered now; by a button it is, or it takes 30 days more."""
    asked = get_object_or_404(DisclosureRequest.objects.select_related("patient"), pk=asked_id)
    if request.method == "POST":
        by: Any = request.user
        try:
            if request.POST.get("do") == "extend":
                disclosures.extend(asked, by=by, reason=request.POST.get("text", ""))
            else:
                disclosures.answer(asked, by=by)
        except disclosures.NotNow as error:
            messages.error(request, str(error))
        return redirect("admin:disclosures")
    _log_patient(
        request, f"Patient/{asked.patient_id}", f"DisclosureRequest/{asked.pk}", EventType.AUDIT_READ
    )
    lines = disclosures.accounting(asked.patient)
    return _page(request, "disclosure", "Accounting of disclosures", asked=asked, lines=lines)


def _log_look(request: HttpRequest, case: Investigation, event: EventType) -> None:
    patient = f"Patient/{case.patient_id}" if case.patient_id else ""
    _log_patient(request, patient, f"Investigation/{case.pk}", event)


def _log_patient(request: HttpRequest, patient: str, target: str, event: EventType) -> None:
    record(
        Entry(
            type=event,
            outcome=Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role=Role.COMPLIANCE,
            patient=patient,
            target=target,
        )
    )
