"""FHIR AuditEvent (IHE BALP 1.1.4), rendered from the log: read and search.

The patient asks by their own session and a client by its token; both go through the gate, to the same
decision and the same log, under the category "privacy". Compliance asks by its session, for a patient whom
it names; that stands in the log as a look at it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.models import PatientIdentity, StaffRole
from audit import balp, feed
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from audit.models import AuditEvent
from consent.contents import span
from consent.decision import Access, Decision, decide
from consent.vocabulary import categories_of
from fhirproxy import answers, consents, gate, release, views
from fhirproxy.checks import Passed, Seen
from fhirproxy.consent_reads import as_uuid, own_references
from fhirproxy.interactions import COUNT, DEFAULT_PAGE, LARGEST_PAGE, LONGEST_VALUE, Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FHIR_JSON, FhirResponse

AUDITORS = (StaffRole.Role.COMPLIANCE, StaffRole.Role.PRIVACY_OFFICER)
A_PATIENT = re.compile(r"(?:Patient/)?([A-Za-z0-9\-.]{1,255})")
SEARCHED = ("_id", "action", "agent", "altid", "date", "outcome", "patient", "type")
SHAPING = ("_count", "_cursor", "_sort")
NONE = Q(pk__in=[])
# Prefixes of a date, against its first and last moment (FHIR R4, 3.1.1.5.4).
COMPARED: Mapping[str, Callable[[datetime, datetime], Q]] = {
    "eq": lambda first, last: Q(recorded_at__gte=first, recorded_at__lte=last),
    "gt": lambda _, last: Q(recorded_at__gt=last),
    "ge": lambda first, _: Q(recorded_at__gte=first),
    "lt": lambda first, _: Q(recorded_at__lt=first),
    "le": lambda _, last: Q(recorded_at__lte=last),
    "sa": lambda _, last: Q(recorded_at__gt=last),
    "eb": lambda first, _: Q(recorded_at__lt=first),
}


@csrf_exempt  # nothing is changed here
@views.answering
def type_level(request: HttpRequest) -> HttpResponse:
    """Search by GET, or by POST to _search."""
    return _answer(request, _asked)


@csrf_exempt
@views.answering
def instance(request: HttpRequest, event_id: str) -> HttpResponse:

    def asked(request: HttpRequest) -> Interaction:
        _check_manner(request, reads=request.method == "GET")
        return Interaction("read", "AuditEvent", event_id)

    return _answer(request, asked)


def _answer(request: HttpRequest, asked: Callable[[HttpRequest], Interaction]) -> HttpResponse:
    if _is_auditor(request):
        return views.http(_for_auditor(request, _asked_by_auditor(request, asked)))
    requester = consents.person_or_client(request)
    interaction = views.refusing(requester, lambda: asked(request))
    answer = read if interaction.code == "read" else search
    return views.http(gate.serve(requester, interaction, answer=answer))


def _check_manner(request: HttpRequest, *, reads: bool) -> None:
    views.accepts_json(request)
    if not reads:
        raise Refusal(405, "The log is read here, and nothing else.", {"Allow": "GET"})


def _asked(request: HttpRequest) -> Interaction:
    """The search that a request asks for. Raises Refusal for all that is not served."""
    posted = request.method == "POST" and request.path.endswith("/_search")
    _check_manner(request, reads=request.method == "GET" or posted)
    query = [(name, value) for name, value in views.query(request) if name != "_format"]
    for name, value in query:
        if name not in (*SEARCHED, *SHAPING):
            raise Refusal(400, f"The search parameters served for AuditEvent are {', '.join(SEARCHED)}.")
        if len(value) > LONGEST_VALUE or "\x00" in value:
            raise Refusal(400, f"The value of {name} is too long, or has a character that none has.")
    shape = {name: value for name, value in query if name in SHAPING}
    if sum(name in SHAPING for name, _ in query) > len(shape):
        raise Refusal(400, f"{', '.join(SHAPING)} are given once.")
    count = shape.get("_count", str(DEFAULT_PAGE))
    if not (COUNT.fullmatch(count) and 0 < int(count) <= LARGEST_PAGE):
        raise Refusal(400, f"_count takes a number from 1 to {LARGEST_PAGE}.")
    if shape.get("_sort", "-date") != "-date":
        raise Refusal(400, "AuditEvents come newest first: _sort=-date.")
    params = tuple((name, value) for name, value in query if name in SEARCHED)
    for name, value in params:
        _condition(name, value)
    return Interaction(
        "search-type", "AuditEvent", params=params, count=int(count), cursor=shape.get("_cursor", "")
    )


def read(call: Call) -> FhirResponse:
    """One event of the patient's own. What is another's is not found."""
    event = _of_id(_own(call), call.interaction.id)
    if event is None:
        raise release.refuse(call, ("record.not-found",), 404)
    decision = _decide(call)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 404)
    passed = Passed()
    seen = _seen(call, event)
    passed.take(seen, decision)
    release.let_out(call, passed)
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, seen.body)


def search(call: Call) -> FhirResponse:
    """Newest first, without a total."""
    own = own_references(call)
    if not own or any(
        n == "patient" and v not in {*own, call.patient_id} for n, v in call.interaction.params
    ):
        release.refuse(call, ("record.not-yours",), 404)
        return answers.searchset(call.interaction, Passed(), "")
    decision = _decide(call)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 403)
    name = f"{call.requester.actor} {call.requester.patient_id} {call.requester.consent_id}"
    try:
        page = _page(_own(call), call.interaction, name)
    except feed.BadCursor:
        raise release.refuse(call, ("cursor.invalid",), 400) from None
    passed = Passed()
    for event in page.events:
        passed.take(_seen(call, event), decision)
    release.let_out(call, passed)
    return _searchset(call.interaction, passed, page)


def _page(events: QuerySet[AuditEvent], asked: Interaction, name: str) -> feed.Page[AuditEvent]:
    """`name` binds cursors to whoever asks, and to what was asked for."""
    wanted = Q()
    for param, value in asked.params:
        if param != "patient":
            wanted &= _condition(param, value)
    name = f"{name} {sorted(asked.params)}"
    return feed.page_of(events, name, feed.Filters(), wanted, cursor=asked.cursor, size=asked.count)


def _searchset(asked: Interaction, passed: Passed, page: feed.Page[AuditEvent]) -> FhirResponse:
    answer = answers.searchset(replace(asked, elements=frozenset()), passed, "")
    if not page.next_cursor:
        return answer
    bundle = json.loads(answer.body)
    again = [*asked.params, ("_count", str(asked.count)), ("_cursor", page.next_cursor)]
    url = f"{settings.FHIR_BASE_URL}/AuditEvent?{urlencode(again)}"
    bundle["link"] = [{"relation": "next", "url": url}]
    return FhirResponse(200, answer.headers, json.dumps(bundle).encode())


def _own(call: Call) -> QuerySet[AuditEvent]:
    """The patient's own, and nobody's where this source does not know them."""
    if not call.patient_id:
        return AuditEvent.objects.none()
    return AuditEvent.objects.filter(patient=f"Patient/{call.requester.patient_id}")


def _of_id(events: QuerySet[AuditEvent], text: str) -> AuditEvent | None:
    event_id = as_uuid(text)
    return events.filter(id=event_id).first() if event_id else None


def _decide(call: Call) -> Decision:
    """On all of them at once: an AuditEvent has no labels, and is of one category."""
    access = Access(
        call.interaction.code,
        "AuditEvent",
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=categories_of({"resourceType": "AuditEvent"}),
        actors=call.requester.actors,
    )
    return decide(access, call.authority)


def _seen(call: Call, event: AuditEvent) -> Seen:
    whole = call.requester.facts.relationship == "self"
    resource = _resource(event, f"Patient/{call.patient_id}", whole=whole)
    return Seen(json.dumps(resource).encode(), resource, frozenset(), categories_of(resource))


def _resource(event: AuditEvent, patient: str, *, whole: bool) -> dict[str, Any]:
    return balp.audit_event(event, patient=patient, site=settings.CLINIC_NAME, whole=whole)


def _is_auditor(request: HttpRequest) -> bool:
    if "Authorization" in request.headers:  # then there is no session
        return False
    user = request.user
    if not user.is_authenticated or not user.is_staff:
        return False
    return user.staff_roles.filter(role__in=AUDITORS).exists()


def _asked_by_auditor(request: HttpRequest, asked: Callable[[HttpRequest], Interaction]) -> Interaction:
    """A search names one patient. Raises Refusal, which stands in the log."""
    try:
        interaction = asked(request)
        named = [value for name, value in interaction.params if name == "patient"]
        if interaction.code != "read" and (len(named) != 1 or not A_PATIENT.fullmatch(named[0])):
            raise Refusal(400, "Name the patient: patient=Patient/<id>.")
    except Refusal as refusal:
        _log_look(request, "", None, (f"request.{refusal.status}",))
        raise
    return interaction


def _for_auditor(request: HttpRequest, asked: Interaction) -> FhirResponse:
    """A search names its patient; what was found, or not, the look at it is in the log first."""
    if asked.code == "read":
        event = _of_id(AuditEvent.objects.all(), asked.id)
        _log_look(request, event.patient if event else "", asked)
        if event is None:
            raise Refusal(404, NOT_FOUND)
        body = json.dumps(_resource(event, _known_as(event.patient), whole=True)).encode()
        return FhirResponse(200, {"Content-Type": FHIR_JSON}, body)
    known = next(value for name, value in asked.params if name == "patient").removeprefix("Patient/")
    identity = PatientIdentity.objects.filter(source=Source.primary().slug, fhir_id=known).first()
    reference = f"Patient/{identity.patient_id}" if identity else ""
    _log_look(request, reference, asked)
    page: feed.Page[AuditEvent] = feed.Page([], "")
    passed = Passed()
    if identity:
        events = AuditEvent.objects.filter(patient=reference)
        try:
            page = _page(events, asked, f"User/{request.user.pk}")
        except feed.BadCursor:
            raise Refusal(400, release.SAID[400]) from None
    for event in page.events:
        resource = _resource(event, f"Patient/{known}", whole=True)
        passed.take(
            Seen(json.dumps(resource).encode(), resource, frozenset(), frozenset()), Decision(True, ())
        )
    return _searchset(asked, passed, page)


def _known_as(patient: str) -> str:
    """How the primary EHR knows a patient of the log; empty where it does not."""
    pk = as_uuid(patient.removeprefix("Patient/"))
    slug = Source.primary().slug
    found = PatientIdentity.objects.filter(patient=pk, source=slug).values_list("fhir_id", flat=True).first()
    return f"Patient/{found}" if found else ""


def _log_look(
    request: HttpRequest, patient: str, asked: Interaction | None, refused: tuple[str, ...] = ()
) -> None:
    names = {name for name, _ in asked.params} if asked else set()
    record(
        Entry(
            type=EventType.AUDIT_READ,
            outcome=Outcome.DENY if refused else Outcome.DONE,
            actor=f"User/{request.user.pk}",
            role=Role.COMPLIANCE,
            patient=patient,
            interaction=asked.code if asked else "",
            resource_types=("AuditEvent",),
            reasons=refused,
            detail={"filters": "|".join(sorted(names))[:199]} if names else {},
        )
    )


def _condition(name: str, value: str) -> Q:
    """One search parameter: any of the values between its commas. Raises Refusal for one that is none."""
    found = NONE
    for part in value.split(","):
        found |= FILTERS[name](part)
    return found


def _by_date(value: str) -> Q:
    prefix, text = (value[:2], value[2:]) if value[:2] in COMPARED else ("eq", value)
    try:
        return COMPARED[prefix](*span(text))
    except (ValueError, TypeError, OverflowError):
        raise Refusal(400, "Write dates as ge2026-05-03 or lt2026-05-03T14:23:00Z.") from None


def _by_agent(value: str) -> Q:
    """A reference as the log has it ("User/…", "Client/…"), alone or as an identifier of ours."""
    system, _, reference = value.rpartition("|")
    if system not in ("", balp.REFERENCE):
        return NONE
    return Q(actor=reference) | Q(client=reference)


def _by_type(value: str) -> Q:
    """By AuditEvent.type and subtype: BALP's codes, and the codes of our own events."""
    system, _, code = value.rpartition("|")
    types = [
        t.value
        for t, pattern in balp.PATTERNS.items()
        if (code == t and system in ("", balp.EVENT_TYPE))
        or (code == pattern.type[1] and system in ("", pattern.type[0]))
    ]
    return Q(type__in=types)


def _by_action(value: str) -> Q:
    code = value.rpartition("|")[2]
    if code not in ("C", "R", "U", "D", "E"):
        raise Refusal(400, "action takes C, R, U, D or E.")
    plain = [t.value for t, pattern in balp.PATTERNS.items() if pattern.action == code]
    looks = [t.value for t, pattern in balp.PATTERNS.items() if pattern in (balp.READ, balp.QUERY)]
    # What was looked for or read is told apart by its interaction, where it has one (`balp.pattern_of`).
    other = Q(type__in=plain) & ~Q(type__in=looks)
    if code == "E":
        return other | Q(type__in=looks) & (Q(interaction="search-type") | Q(interaction="", type__in=plain))
    if code == "R":
        named = ~Q(interaction__in=("", "search-type"))
        return other | Q(type__in=looks) & (named | Q(interaction="", type__in=plain))
    return other


def _by_outcome(value: str) -> Q:
    code = value.rpartition("|")[2]
    outcomes = [ours for ours, theirs in balp.OUTCOMES.items() if theirs == code]
    if not outcomes and code != "12":
        raise Refusal(400, "outcome takes 0, 4, 8 or 12.")
    return Q(outcome__in=outcomes)


FILTERS: Mapping[str, Callable[[str], Q]] = {
    "_id": lambda value: Q(id=as_uuid(value)),
    "action": _by_action,
    "agent": _by_agent,
    "altid": lambda value: Q(actor=value.rpartition("|")[2]),
    "date": _by_date,
    "outcome": _by_outcome,
    "patient": lambda _: Q(),
    "type": _by_type,
}
