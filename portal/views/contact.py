"""How the clinic reaches somebody: the details, the change beside what stands now, and sending it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from accounts import stepup
from accounts.stepup import Action
from fhirproxy import reading as fhir
from fhirproxy.writes import commands
from notices import commands as notices
from portal import contact as details
from portal import records, sending
from portal.contact_form import LABELS, ContactForm, language_name
from portal.guards import PatientRequest, keeps_typed, writers_required
from portal.loading import needs_records
from portal.models import Draft
from portal.pages import StepUp, page
from portal.sending import Outgoing, Sheet


@page("contact", reads=("Patient", "Draft"))
@require_http_methods(["GET", "POST"])
@writers_required
@needs_records
@keeps_typed
def contact(request: PatientRequest) -> HttpResponse:
    patient = _patient(request)
    sheet, now = _sheet(patient), details.facts_of(patient)
    draft = sending.draft_of(request, sheet)
    if request.method != "POST":
        return sending.fill(request, sheet)
    form = ContactForm(request.POST, initial=now)
    if request.POST.get("do") == "later" or not form.is_valid():
        return sending.fill(request, sheet)
    if not _differences(now, form.cleaned_data):
        messages.info(request, pgettext("contact.same", "You changed nothing, so there is nothing to send."))
        return redirect("portal:contact")
    sending.keep(request, sheet, draft)
    return redirect("portal:contact-check")


@page("contact-check", reads=("Patient", "Draft"), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@writers_required
@needs_records
def check(request: PatientRequest) -> HttpResponse:
    """What the clinic has now and what it would have, side by side. It is sent with the version that was
    shown; where the record has moved on meanwhile, the page shows the new one first."""
    patient = _patient(request)
    sheet, now = _sheet(patient), details.facts_of(patient)
    draft = sending.draft_of(request, sheet)
    if draft is None:
        return redirect("portal:contact")
    wanted = {**dict.fromkeys(now, ""), **sending.typed_in(draft)}
    version = fhir.text(patient, "meta", "versionId")
    rows = _differences(now, wanted)
    stale = request.method == "POST" and request.POST.get("version") != version
    if request.method == "POST" and rows and not stale:
        stepup.require(request, Action.CONTACT)
        sheet = _sheet(patient, wanted, version)
        try:
            return _tell(request, sending.send(request, sheet, ContactForm({}, initial=now), draft))
        except commands.StaleVersion:
            stale = True
    context = {
        "form": ContactForm(),
        "rows": rows,
        "version": version,
        "stale": stale,
        "key": sending.new_key(request),
    }
    return render(request, "portal/contact_check.html", context, status=409 if stale else 200)


def _patient(request: PatientRequest) -> dict[str, Any]:
    return records.read(request, "Patient", sending.patient_id(request))


def _sheet(patient: dict[str, Any], wanted: dict[str, str] | None = None, version: str = "") -> Sheet:
    now = details.facts_of(patient)
    return Sheet(
        form=Draft.Form.CONTACT,
        template="portal/contact.html",
        make_form=lambda data, files, initial: ContactForm(data, initial=dict(initial)),
        make=lambda form, at: Outgoing(
            details.changed(patient, wanted or now), f"Patient/{patient['id']}", version
        ),
        read_back=details.facts_of,
        initial=now,
    )


def _differences(now: dict[str, str], wanted: dict[str, str]) -> list[tuple[object, str, str]]:
    """(what, as it is now, as it would be)."""
    pairs = [(name, now[name], wanted.get(name, "")) for name in details.FACTS]
    return [
        (LABELS[name], _shown(name, before), _shown(name, after))
        for name, before, after in pairs
        if before != after
    ]


def _shown(name: str, value: str) -> str:
    return language_name(value) if name == "language" and value else value


def _tell(request: PatientRequest, answer: HttpResponse) -> HttpResponse:
    """Who is reached otherwise from now on is told where they were reached until now."""
    user = request.patient.user
    if user and answer.status_code == 302:
        notices.enqueue(
            "contact_asked",
            recipient=f"User/{user.pk}",
            email=user.email,
            language=user.language,
            context={},
        )
    return answer
