"""A form of the clinic, filled in on one page: a Questionnaire, sent as a QuestionnaireResponse."""

from datetime import datetime
from typing import cast

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from fhirproxy import questionnaires as kept_by_clinic
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from portal import drafts, questionnaires, records, sending
from portal.answers_form import AnswersForm
from portal.guards import PatientRequest, keeps_typed, writers_required
from portal.loading import needs_records
from portal.models import Draft
from portal.pages import page
from portal.sending import Outgoing, Sheet


@page("ask-form", reads=("Questionnaire", "Draft"))
@require_http_methods(["GET", "POST"])
@writers_required
@needs_records
@keeps_typed
def form(request: PatientRequest, form_id: str) -> HttpResponse:
    """The version is pinned: where the clinic changed the form since it was begun or opened, what fits is
    kept, the page says so, and nothing is sent before it was looked at again."""
    try:
        asked = kept_by_clinic.find(Source.primary(), form_id)
    except EhrFailure as error:
        raise records.Unavailable(error.diagnostics, of_ehr=True) from error
    if asked is None:
        raise Http404
    title, items = questionnaires.title_of(asked), questionnaires.items_of(asked)
    if questionnaires.cannot(asked) or not any(item.asks for item in items):
        return render(request, "portal/ask_form_cannot.html", {"title": title})
    pin = kept_by_clinic.pin(asked)
    patient_id = sending.patient_id(request)

    def make(filled: forms.Form, at: datetime) -> Outgoing:
        answers = cast(AnswersForm, filled).answers()
        return Outgoing(questionnaires.response(asked, items, answers, patient_id=patient_id, at=at))

    sheet = Sheet(
        form=Draft.Form.ANSWERS,
        about=form_id,
        template="portal/ask_form.html",
        make_form=lambda data, files, initial: AnswersForm(items, data, initial),
        make=make,
        context={"title": title, "about": asked.get("description", ""), "pin": pin},
    )
    draft = sending.draft_of(request, sheet)
    if request.method == "POST" and request.POST.get("pin") != pin:
        draft = sending.keep(request, sheet, draft)
        filled = AnswersForm(items, None, sending.typed_in(draft))
        return sending.show(request, sheet, filled, draft, status=409, changed=True)
    if request.method == "GET" and draft and drafts.answers_of(draft).get("pin") not in ("", pin):
        filled = AnswersForm(items, None, sending.typed_in(draft))
        return sending.show(request, sheet, filled, draft, changed=True)
    return sending.fill(request, sheet)
