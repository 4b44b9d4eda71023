"""Ask the care team: a message, a request for a visit, a photo or a letter. Never for emergencies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from fhirproxy import questionnaires as kept_by_clinic
from fhirproxy import reading as fhir
from fhirproxy.interactions import FHIR_ID
from fhirproxy.models import Source, WriteCommand
from fhirproxy.outcomes import EhrFailure
from fhirproxy.reading import Moment
from portal import outgoing, questionnaires, sending
from portal.guards import PatientRequest, keeps_typed, record_required, writers_required
from portal.loading import Wanted, load
from portal.may_send import may_send
from portal.models import Draft
from portal.pages import page
from portal.send_forms import DocumentForm, MessageForm, VisitForm
from portal.sending import Outgoing, Sheet
from portal.states import Kind
from portal.views.wrong import NAMED, OTHERS

MESSAGES = pgettext_lazy("ask.messages", "Messages")
MOST_MESSAGES = 30
NO_MESSAGES = frozenset({outgoing.CORRECTION, outgoing.DISAGREEMENT})


@page(
    "ask",
    reads=("Communication", "Questionnaire"),
    states=(Kind.FRESH, Kind.STALE, Kind.EMPTY, Kind.ERROR),
)
@require_GET
@record_required
def ask(request: PatientRequest) -> HttpResponse:
    """What one can send, which forms there are, and what was written both ways."""
    loaded = load(request, Wanted("Communication", MESSAGES))
    found = [one.item.resource for one in loaded.found[0]]
    context = {
        "state": loaded.state,
        "talk": messages_of(found)[:MOST_MESSAGES],
        "forms": _forms() if "ask-form" in may_send(request) else [],
        "may_send": may_send(request),
    }
    return render(request, "portal/ask.html", context, status=loaded.status)


@page("ask-message", reads=("Draft",))
@require_http_methods(["GET", "POST"])
@writers_required
@keeps_typed
def message(request: PatientRequest) -> HttpResponse:
    """`about` in the address: an item of the record that the message is about."""
    about = request.GET.get("about", "")
    kind, _, key = about.partition("/")
    if kind not in NAMED.keys() | OTHERS or not FHIR_ID.match(key):
        about = ""
    patient_id = sending.patient_id(request)
    sheet = Sheet(
        form=Draft.Form.MESSAGE,
        about=about,
        template="portal/ask_send.html",
        context={
            "title": pgettext("sent.message", "Message to the care team"),
            "what_happens": pgettext(
                "ask.message.when", "Somebody reads it on a working day. The answer comes here."
            ),
        },
        make_form=_form(MessageForm),
        make=lambda form, at: Outgoing(
            outgoing.message(patient_id=patient_id, about=about, at=at, **form.cleaned_data)
        ),
        read_back=outgoing.message_of,
        initial={"topic": "result"} if kind in ("Observation", "DiagnosticReport") else {},
    )
    return sending.fill(request, sheet)


@page("ask-visit", reads=("Draft",))
@require_http_methods(["GET", "POST"])
@writers_required
@keeps_typed
def visit(request: PatientRequest) -> HttpResponse:
    patient_id = sending.patient_id(request)
    sheet = Sheet(
        form=Draft.Form.VISIT,
        template="portal/ask_send.html",
        context={
            "title": pgettext("sent.visit", "Request for a visit"),
            "what_happens": pgettext(
                "ask.visit.when", "This is no visit yet. The clinic looks for a time and tells you."
            ),
        },
        make_form=_form(VisitForm),
        make=lambda form, at: Outgoing(outgoing.visit_request(patient_id=patient_id, **form.cleaned_data)),
        read_back=outgoing.visit_request_of,
    )
    return sending.fill(request, sheet)


@page("add-document", reads=("Draft",))
@require_http_methods(["GET", "POST"])
@writers_required
@keeps_typed
def document(request: PatientRequest) -> HttpResponse:
    """The words are kept as a draft; a file is not: it has to be chosen again."""
    patient_id = sending.patient_id(request)

    def make(form: forms.Form, at: Any) -> Outgoing:
        content, kind = form.cleaned_data["file"]
        title = form.cleaned_data["title"]
        made = outgoing.document(
            patient_id=patient_id, title=title, content=content, content_type=kind, at=at
        )
        return Outgoing(made, origin=WriteCommand.Origin.DOCUMENT)

    sheet = Sheet(
        form=Draft.Form.DOCUMENT,
        template="portal/add_document.html",
        make_form=lambda data, files, initial: DocumentForm(data, files, initial=dict(initial)),
        make=make,
        read_back=outgoing.document_of,
    )
    return sending.fill(request, sheet)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the record, written by the patient (or for them), or to them."""

    when: Moment | None
    is_own: bool
    who: str
    text: str


def messages_of(found: list[Any]) -> list[Message]:
    """The newest first. Corrections and statements are in the list of what was sent."""
    made = []
    for each in found:
        ours = {code for one in fhir.objects(each, "category") for code in fhir.codes(one, outgoing.MESSAGE)}
        text = " ".join(fhir.text(part, "contentString") for part in fhir.objects(each, "payload")).strip()
        sender = fhir.first(each, "sender")
        if text and fhir.text(each, "status") != "entered-in-error" and not ours & NO_MESSAGES:
            is_own = fhir.text(sender, "reference").startswith("Patient/")
            made.append(Message(fhir.moment(fhir.text(each, "sent")), is_own, fhir.display(sender), text))
    return fhir.newest_first(made)


def _forms() -> list[tuple[str, str]]:
    """(id, title) of the clinic's forms; none while it does not answer."""
    try:
        found = kept_by_clinic.offered(Source.primary())
    except EhrFailure:
        return []
    return [(str(each["id"]), questionnaires.title_of(each)) for each in found]


def _form(kind: type[forms.Form]) -> Callable[[Any, Any, Mapping[str, Any]], forms.Form]:
    return lambda data, files, initial: kind(data, initial=dict(initial))
