"""FHIR Group: what a service may export, read and searched by that service alone."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from exports.bulk import approvals
from exports.bulk.callers import Caller
from exports.bulk.views import for_services
from exports.models import Group
from fhirproxy import views
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.upstream import FHIR_JSON

SEARCHED = frozenset({"_id", "name", "type", "_format", "_count"})


@for_services("GET", "POST")
def search(caller: Caller, request: HttpRequest) -> HttpResponse:
    """The groups that are approved for the caller, by `_id` and the beginning of a `name`."""
    _allowed(caller, "search-type")
    given = dict(views.query(request))
    if unknown := set(given) - SEARCHED:
        raise Refusal(400, f"The search parameter {min(unknown)[:40]} is not served for Group.")
    ids = given["_id"].split(",") if "_id" in given else None
    name = given.get("name", "").casefold()
    found = [
        group
        for group in _groups(caller)
        if (ids is None or group.pk in ids)
        and group.name.casefold().startswith(name)
        and given.get("type", "person").rpartition("|")[2] == "person"
    ]
    base = f"{settings.FHIR_BASE_URL}/Group"
    entries = [
        {"fullUrl": f"{base}/{g.pk}", "resource": resource(g), "search": {"mode": "match"}} for g in found
    ]
    body = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries}
    return _fhir({k: v for k, v in body.items() if v != []})


@for_services("GET")
def read(caller: Caller, request: HttpRequest, group_id: str) -> HttpResponse:
    _allowed(caller, "read")
    found = next((group for group in _groups(caller) if group.pk == group_id), None)
    if found is None:
        raise Refusal(404, NOT_FOUND)
    return _fhir(resource(found))


def resource(group: Group) -> dict[str, Any]:
    """Without its members, and their number: held against an export they would tell who said no."""
    return {
        "resourceType": "Group",
        "id": group.pk,
        "active": group.is_active,
        "type": "person",
        "actual": True,
        "name": group.name,
    }


def _groups(caller: Caller) -> list[Group]:
    return [approval.group for approval in approvals.of_client(caller.client)]


def _allowed(caller: Caller, interaction: str) -> None:
    if not any(scope.allows(interaction, "Group", None) for scope in caller.scopes):
        raise Refusal(403, "scope-not-granted")


def _fhir(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(json.dumps(body), content_type=FHIR_JSON)
