""" "I do not know who this is": a patient asks about one line of the list, and sees what comes of it."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from audit import sentences
from compliance import investigations
from compliance.models import Investigation
from compliance.names import names_of
from portal.forms import QuestionForm
from portal.guards import PatientRequest, patient_required
from portal.pages import page
from portal.views.activity import log_reading, own_event


@page("activity-report", reads=("AuditEvent",))
@require_http_methods(["GET", "POST"])
@patient_required
def report(request: PatientRequest, event_id: UUID) -> HttpResponse:
    found = own_event(request, event_id)
    form = QuestionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        text = form.cleaned_data["text"]
        case = investigations.ask(found, patient=request.patient, by=request.user, text=text)
        return redirect("portal:question", case.id)
    sentence = sentences.sentence(found, names_of([found]), f"User/{request.user.pk}")
    context = {"event": found, "form": form, "sentence": sentence}
    return render(request, "portal/activity_report.html", context, status=422 if form.errors else 200)


@page("questions", reads=("Investigation",))
@require_GET
@patient_required
def questions(request: PatientRequest) -> HttpResponse:
    return render(request, "portal/questions.html", {"cases": _asked(request)[:50]})


@page("question", reads=("Investigation", "AuditEvent"))
@require_GET
@patient_required
def question(request: PatientRequest, case_id: UUID) -> HttpResponse:
    """How far it is, and the answer. What staff noted among themselves is not on it."""
    case = get_object_or_404(_asked(request), pk=case_id)
    events = [e for e in investigations.events_of(case) if e.patient == f"Patient/{request.patient.pk}"]
    log_reading(request)
    names, viewer = names_of(events), f"User/{request.user.pk}"
    told = [{"event": e, "sentence": sentences.sentence(e, names, viewer)} for e in events]
    steps = case.steps.filter(what__in=("received", "assigned", "answered"))
    context = {"case": case, "told": told, "steps": {step.what: step.at for step in steps}}
    return render(request, "portal/question.html", context)


def _asked(request: PatientRequest) -> QuerySet[Investigation]:
    """The patient's own questions. What staff look into by themselves is none of these."""
    return request.patient.investigations.filter(origin=Investigation.Origin.PATIENT)
