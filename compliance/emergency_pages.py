"""The console's queue of emergency views, and the page on which one is reviewed."""

from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.paragraphs import paragraph
from compliance import emergencies
from consent.emergency_models import EmergencyAccess

TITLE = "Emergency views"


def _page(request: HttpRequest, name: str, title: str, **context: object) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole)


@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """What waits, with its clock; and each month's numbers."""
    now = timezone.now()
    rows = [
        {
            "view": view,
            "late": emergencies.is_late(view, now),
            "due_at": view.opened_at + emergencies.TO_REVIEW,
            "told": bool(emergencies.notices_of(view)),
        }
        for view in emergencies.queue()
    ]
    return _page(request, "emergencies", TITLE, rows=rows, months=emergencies.by_month(now))


@require_http_methods(["GET", "POST"])
def view(request: HttpRequest, view_id: UUID) -> HttpResponse:
    """The reason, what was read, whether the patient was told; it is confirmed, or becomes a case."""
    found = get_object_or_404(
        EmergencyAccess.objects.select_related("user", "patient", "reviewed_by"), pk=view_id
    )
    if request.method == "POST":
        return _review(request, found)
    record(
        Entry(
            type=EventType.AUDIT_READ,
            outcome=Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role=Role.COMPLIANCE,
            patient=f"Patient/{found.patient_id}",
            target=f"EmergencyAccess/{found.pk}",
        )
    )
    told = [paragraph(event, seq=None) for event in emergencies.seen_by(found)]
    context = {"view": found, "told": told, "notices": emergencies.notices_of(found)}
    context["due_at"] = found.opened_at + emergencies.TO_REVIEW
    context["late"] = emergencies.is_late(found, timezone.now())
    return _page(request, "emergency", TITLE, **context)


def _review(request: HttpRequest, found: EmergencyAccess) -> HttpResponse:
    acts = {"confirm": emergencies.confirm, "escalate": emergencies.escalate}
    act = acts.get(request.POST.get("do", ""))
    by, note = request.user, request.POST.get("note", "")
    try:
        if act is None:
            raise emergencies.NotNow("Press one of the buttons.")
        reviewed = act(found, by=by, note=note)  # type: ignore[arg-type]  # the console's guard let no one else in
    except emergencies.NotNow as error:
        emergencies.note_refusal(found, by)  # type: ignore[arg-type]
        messages.error(request, str(error))
        return redirect("admin:emergency-view", found.pk)
    if reviewed.case_id:
        return redirect("admin:case", reviewed.case_id)
    messages.success(request, "It is confirmed.")
    return redirect("admin:emergency-views")
