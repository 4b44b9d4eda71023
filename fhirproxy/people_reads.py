"""Reads of people whom we keep ourselves: a patient's helpers, and whoever signed in (`fhirUser`).

A RelatedPerson of ours is of the patient, and decided on like any other resource of theirs. What the scope
`fhirUser` opens is who signed in, in the capacity in which they let the app in, and nobody else (SMART 2.2).
All else is the EHR's, and asked for there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.models import RelatedPerson, StaffRole, User
from accounts.relation_states import S
from consent.decision import Access, Decision, Provision, ProvisionType, decide
from consent.requester import Requester
from consent.vocabulary import categories_of
from fhirproxy import answers, gate, people, release, views
from fhirproxy.checks import Passed, Seen
from fhirproxy.consent_reads import as_uuid, own_references
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import Refusal
from fhirproxy.people import Resource
from fhirproxy.release import Call
from fhirproxy.upstream import FHIR_JSON, FhirResponse
from smart import identity
from smart.models import AccessToken
from smart.scopes import Scope

SHOWN = frozenset(S) - {S.ASKED, S.DENIED}  # who only asked is nobody to the patient
SEARCHED = frozenset({"_id", "name", "patient"})  # with any other parameter, the EHR's alone are found


@csrf_exempt  # a bearer token opens this, never a cookie
@views.answering
def instance(request: HttpRequest, kind: str, resource_id: str) -> HttpResponse:
    views.accepts_json(request)
    requester = views.bearer(request)
    found = _ours(requester, kind, resource_id) if request.method == "GET" else None
    if found is None:
        return views.answer(request, requester, f"{kind}/{resource_id}")
    views.refusing(requester, lambda: _refuse_query(request))
    asked = _as_themself(requester, kind) if _is_own(requester, found) else requester
    answer = partial(_read, resource=found)
    return views.http(gate.serve(asked, Interaction("read", kind, resource_id), answer=answer))


@csrf_exempt
@views.answering
def related_persons(request: HttpRequest) -> HttpResponse:
    """A search: what the EHR has, and on its first page the helpers that we know of."""
    views.accepts_json(request)
    requester = views.bearer(request)
    theirs = views.answer(request, requester, request.path.partition("/r4/")[2])
    query = [pair for pair in views.query(request) if pair[0] not in ("_count", "_format")]
    if theirs.status_code != 200 or {name for name, _ in query} - SEARCHED:
        return theirs
    if not any(_matches(relation, query) for relation in _helpers(requester)):
        return theirs
    asked = Interaction("search-type", "RelatedPerson", params=tuple(query))
    return _together(theirs, gate.serve(requester, asked, answer=_search))


def _refuse_query(request: HttpRequest) -> None:
    if set(request.GET) - {"_format"}:
        raise Refusal(400, "Nothing but _format can be added to this address.")


def _together(theirs: HttpResponse, ours: FhirResponse) -> HttpResponse:
    bundle, more = json.loads(theirs.content), json.loads(ours.body).get("entry", [])
    if entries := [*bundle.get("entry", []), *more]:
        bundle["entry"] = entries
    theirs.content = json.dumps(bundle).encode()
    return theirs


def _ours(requester: Requester, kind: str, resource_id: str) -> Resource | None:
    """What we keep under this address for this requester; None for what is the EHR's, or nobody's."""
    if kind == "RelatedPerson":
        relation_id = as_uuid(resource_id)
        relation = _helpers(requester).filter(pk=relation_id).first() if relation_id else None
        return people.related_person(relation, _patient(requester)) if relation else None
    return next((mine for mine in _themself(requester, kind) if mine["id"] == resource_id), None)


def _helpers(requester: Requester) -> QuerySet[RelatedPerson]:
    mine = RelatedPerson.objects.filter(patient=requester.patient_id, status__in=SHOWN)
    return mine.select_related("user", "patient").order_by("-period_start", "pk")


def _patient(requester: Requester) -> str:
    return f"Patient/{requester.identities.get(Source.primary().slug, '')}"


def _themself(requester: Requester, kind: str) -> Iterable[Resource]:
    """Who let the app in, as a resource of this type: nothing without the scope `fhirUser`.

    A Practitioner that the token's scopes reach is the EHR's, which knows more.
    """
    token = _who_signed_in(requester)
    if token is None or token.user is None:
        return
    reference = _fhir_user(token)
    if kind == "Person":
        yield people.person(token.user, [reference] if not reference.startswith("Person/") else [])
    if reference.startswith("Practitioner/"):
        if kind == "Practitioner" and not _reaches(requester, kind):
            yield people.practitioner(token.user, reference.partition("/")[2])
        if kind == "PractitionerRole":
            yield from map(people.practitioner_role, _roles(token.user))


def _fhir_user(token: AccessToken) -> str:
    whole = identity.fhir_user_of(token.user, token.patient, token.authorization_id)
    return whole.removeprefix(f"{settings.FHIR_BASE_URL}/")


def _roles(user: User) -> Iterable[StaffRole]:
    return user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).select_related("user")


def _reaches(requester: Requester, kind: str) -> bool:
    return any(scope.allows("read", kind, None) for scope in requester.scopes or ())


def _is_own(requester: Requester, resource: Resource) -> bool:
    """Whether it is who let the app in, and the app was given the scope `fhirUser`."""
    if resource["resourceType"] != "RelatedPerson":
        return True  # nobody else's is found at all
    token = _who_signed_in(requester)
    return token is not None and _fhir_user(token) == f"RelatedPerson/{resource['id']}"


def _who_signed_in(requester: Requester) -> AccessToken | None:
    """The token, if it was given the scope `fhirUser`."""
    assert requester.token_id is not None
    token = AccessToken.objects.select_related("user").get(pk=requester.token_id)
    return token if "fhirUser" in token.scope.split() else None


def _as_themself(requester: Requester, kind: str) -> Requester:
    """With what `fhirUser` opens; where nothing is in force any more, that is nothing."""
    if requester.missing is not None:
        return requester
    permit = Provision("fhir-user", ProvisionType.PERMIT, resource_types=frozenset({kind}))
    scopes = (*(requester.scopes or ()), Scope("user", kind, "r"))
    return replace(requester, scopes=scopes, provisions=(*requester.provisions, permit))


def _read(call: Call, resource: Resource) -> FhirResponse:
    seen, decision = _look(call, resource)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 404, seen.categories)
    passed = Passed()
    passed.take(seen, decision)
    release.let_out(call, passed)
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, answers.body_of(call.interaction, seen, decision))


def _search(call: Call) -> FhirResponse:
    passed, own, params = Passed(), own_references(call), call.interaction.params
    mine = {value for name, value in params if name == "patient"} <= {*own, call.patient_id}
    if own and mine:
        for relation in _helpers(call.requester):
            if _matches(relation, params):
                resource = people.related_person(relation, f"Patient/{call.patient_id}")
                passed.take(*_look(call, resource))
    release.let_out(call, passed)
    return answers.searchset(call.interaction, passed, "")


def _matches(relation: RelatedPerson, params: Sequence[tuple[str, str]]) -> bool:
    """By `_id`, and by the beginning of any part of the name (FHIR R4, 3.1.1.4.8); any of the values
    between the commas of one."""
    parts = [relation.user.name.casefold(), *relation.user.name.casefold().split()]
    return all(
        any(
            wanted == str(relation.pk)
            if name == "_id"
            else any(part.startswith(wanted.casefold()) for part in parts)
            for wanted in value.split(",")
            if wanted
        )
        for name, value in params
        if name != "patient"
    )


def _look(call: Call, resource: Resource) -> tuple[Seen, Decision]:
    """The resource, and the gate's decision on it: it has no labels."""
    kinds = categories_of(resource)
    access = Access(
        call.interaction.code,
        str(resource["resourceType"]),
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=kinds,
        actors=call.requester.actors,
    )
    seen = Seen(json.dumps(resource).encode(), resource, frozenset(), kinds)
    return seen, decide(access, call.authority)
