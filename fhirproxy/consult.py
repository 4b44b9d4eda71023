"""Other systems ask what a patient's choices say: CDS Hooks `patient-consent-consult`, as the LEAP and
SHIFT consent decision services have it.

May ask: a client about the patient whose token it holds, and compliance staff about anyone. Who is no
patient here gets the answer of a patient who said nothing.
"""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from accounts.models import PatientIdentity, StaffRole, User
from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import authority, fhir, history, provisions, valuesets, verdict
from consent.decision import Reason
from consent.models import Consent
from consent.requester import Requester
from consent.verdict import Answer, Verdict
from consent.vocabulary import ACT_CODE, Category, Purpose
from fhirproxy import asking, budgets, consent_reads, gate, release, views
from fhirproxy.consents import check_csrf
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure, Refusal
from fhirproxy.questions import HOOK, OTHER_SCOPES, Question, question_of
from fhirproxy.release import Call
from fhirproxy.upstream import FhirResponse

NOBODY = UUID(int=0)  # is asked about where there is no such patient, so that it costs the same
REDACT = {"system": ACT_CODE, "code": "REDACT"}
INDICATOR = {Answer.PERMIT: "info", Answer.DENY: "critical", Answer.NO_CONSENT: "warning"}
WORDS = {
    Answer.PERMIT: "The patient's choices allow this. Leave out what the obligations name.",
    Answer.DENY: "The patient's choices do not allow this.",
    Answer.NO_CONSENT: "No choice was found that allows this.",
}
DECIDING = (Consent.Kind.PREFERENCE, Consent.Kind.RESTRICTION, Consent.Kind.SHARE)


@require_GET
def discovery(request: HttpRequest) -> HttpResponse:
    """What CDS Hooks asks of a service: which hooks it has."""
    service = {
        "hook": HOOK,
        "id": HOOK,
        "title": "Patient consent",
        "description": "Whether a patient's choices allow somebody to use their records for a purpose.",
    }
    return JsonResponse({"services": [service]})


@csrf_exempt  # `_staff` asks for the token where a session, and no bearer token, opens this
@views.answering
def consult(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        raise Refusal(405, "A question is posted.", {"Allow": "POST"})
    if "Authorization" not in request.headers:
        return views.http(_by_staff(*_asked_by_staff(request)))
    client = views.bearer(request)
    question = views.refusing(client, lambda: question_of(request))
    answer = gate.serve(
        client,
        Interaction("read", "Consent"),
        event=EventType.CONSENT_CONSULT,
        answer=lambda call: _by_client(call, question),
    )
    return views.http(answer)


def _staff(request: HttpRequest) -> User:
    user = request.user
    if not user.is_authenticated:
        raise views.unauthorized("", "Sign in, or send an access token: Authorization: Bearer …")
    allowed = user.staff_roles.filter(role=StaffRole.Role.COMPLIANCE).exists()
    if not allowed:
        _record_refusal(user, Reason.ROLE)
        raise Refusal(403, "This is for compliance staff, and for clients about their own patient.")
    return user


def _asked_by_staff(request: HttpRequest) -> tuple[User, Question]:
    user = _staff(request)
    try:
        check_csrf(request)
        return user, question_of(request)
    except Refusal as refusal:
        _record_refusal(user, f"request.{refusal.status}")
        raise


def _record_refusal(user: User, reason: str) -> None:
    """Of whom the question was, nobody knows yet."""
    record(
        Entry(
            type=EventType.RECORD_REFUSE,
            outcome=Outcome.DENY,
            actor=f"User/{user.pk}",
            reasons=(reason,),
        )
    )


def _by_client(call: Call, question: Question) -> FhirResponse:
    """A scope for some consents only is not enough: the answer is about all of them."""
    decision = consent_reads.decide_on(call, {})
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 403)
    client = call.requester
    known = _patient(question) == client.patient_id
    about = authority.for_other_system(client.patient_id if known else NOBODY, (), question.purpose)
    said, card = _card(replace(about, actors=_actors(question)), question)
    reasons = () if known else (Reason.NOT_YOURS,)
    if not _record(client, question, said.answer, reasons, client.still_in_force()):
        raise release.overtaken(call)
    return card


def _by_staff(user: User, question: Question) -> FhirResponse:
    patient_id = _patient(question)
    about = authority.for_other_system(patient_id or NOBODY, (), question.purpose)
    asker = replace(about, actor=f"User/{user.pk}", role="compliance")
    budgets.admit(asker)
    try:
        said, card = _card(replace(about, actors=_actors(question)), question)
    except EhrFailure:
        _record(asker, question, "", ("ehr.no-answer",), None)
        raise
    reasons = () if patient_id else (Reason.NOT_YOURS,)
    if not _record(asker, question, said.answer, reasons, about.still_in_force()):
        raise Refusal(503, release.SAID[503], {"Retry-After": "1"})
    return card


def _patient(question: Question) -> UUID | None:
    """The one patient whom these identifiers name, of those that we know: FHIR ids at an EHR of ours."""
    sources = {source.base_url: source.slug for source in Source.objects.exclude(base_url="")}
    sources[settings.FHIR_BASE_URL] = Source.primary().slug
    names = [(sources.get(system), value.removeprefix("Patient/")) for system, value in question.patients]
    named = Q(pk__in=[])
    for source, fhir_id in names:
        named |= Q(source=source, fhir_id=fhir_id)
    found = set(PatientIdentity.objects.filter(named).values_list("patient_id", flat=True))
    return found.pop() if len(found) == 1 else None


def _actors(question: Question) -> frozenset[str]:
    """References as provisions name them; none at all where one of those named is not known here."""
    found = [_references(system, value) for system, value in question.actors]
    return frozenset().union(*found) if all(found) else frozenset()


def _references(system: str, value: str) -> frozenset[str]:
    if not system:
        return frozenset({value})
    if system == fhir.CLIENT_ID:
        return frozenset({f"Client/{value}"})
    params = (("identifier", f"{system}|{value}"),)
    return frozenset(
        f"{kind}/{json.loads(body)['id']}"
        for kind in ("Organization", "Practitioner")
        for body in asking.page(Source.primary(), kind, params).bodies
    )


def _card(about: Requester, question: Question) -> tuple[Verdict, FhirResponse]:
    said = _verdict(about, question)
    extension: dict[str, Any] = {
        "decision": said.answer,
        "obligations": [{"id": REDACT, "parameters": said.redact}] if said.redact else [],
        "dateTime": about.now.isoformat(),
    }
    if said.entries:
        extension["content"] = [{"entry": i, "decision": a} for i, a in enumerate(said.entries)]
    if said.answer is not Answer.NO_CONSENT:
        extension["basedOn"] = _based_on(about)
    card = {
        "summary": said.answer,
        "detail": WORDS[said.answer],
        "indicator": INDICATOR[said.answer],
        "source": {"label": settings.CLINIC_NAME, "url": settings.BASE_URL},
        "extension": extension,
    }
    body = json.dumps({"cards": [card]}).encode()
    return said, FhirResponse(200, {"Content-Type": "application/json"}, body)


def _verdict(about: Requester, question: Question) -> Verdict:
    unknown = about.patient_id == NOBODY or not about.actors
    if unknown or question.scope in OTHER_SCOPES:
        return verdict.NOTHING_SAID
    if question.records is not None:
        return verdict.on_records(about, question.records, valuesets.codes(about.valuesets))
    return verdict.on_kinds(about, question.categories, question.types)


def _based_on(about: Requester) -> list[dict[str, str]]:
    """The versions that speak of those who are asked about; with none of them a default decided."""
    versions = history.in_force_at(about.patient_id, about.now).filter(consent__kind__in=DECIDING)
    return [
        {"reference": f"Consent/{version.consent_id}/_history/{version.number}"}
        for version in versions
        if verdict.concerning(provisions.read_back(version.provisions), about)
    ]


def _record(
    asker: Requester,
    question: Question,
    answer: str,
    reasons: tuple[str, ...],
    only_if: tuple[str, list[Any]] | None,
) -> bool:
    """One event for each question; false where what it rests on changed before the answer could leave."""
    if Reason.NOT_YOURS in reasons:
        budgets.refused(asker)
    refused = Outcome.DENY if answer else Outcome.FAILED
    event = record(
        Entry(
            type=EventType.CONSENT_CONSULT,
            outcome=refused if reasons else Outcome.PERMIT,
            actor=asker.actor,
            on_behalf_of=asker.on_behalf_of,
            role=asker.role,
            patient=f"Patient/{asker.patient_id}" if asker.patient_id != NOBODY else "",
            client=asker.client,
            interaction="read",
            resource_types=("Consent",),
            categories=(Category.PRIVACY,),
            purpose=Purpose.PATRQT if asker.client else Purpose.HOPERAT,
            reasons=reasons,
            consent=f"Consent/{asker.consent_id}" if asker.consent_id else "",
            consent_number=asker.consent_number,
            detail={"answer": answer, "asked": question.purpose} if answer else {},
        ),
        only_if=only_if,
    )
    return event is not None
