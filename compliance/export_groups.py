"""The console's pages for bulk exports: groups of patients, and which service may export which of them.

Every page here was put into the log by `Console.admin_view` before it opened.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from accounts.models import Patient, PatientIdentity
from exports.bulk import approvals
from exports.bulk import groups as membership
from exports.bulk.approvals import NotNow
from exports.models import Group, GroupApproval
from fhirproxy.models import Source
from smart.models import Client

MOST_COUNTED = 100_000


def page(request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole)


@require_http_methods(["GET", "POST"])
def groups(request: HttpRequest) -> HttpResponse:
    """All groups, and a form for a new one."""
    if request.method == "POST":
        try:
            made = _define(request.POST, request.user)
            return redirect("admin:export-group", made.pk)
        except NotNow as error:
            messages.error(request, str(error))
            return redirect("admin:export-groups")
    rows = Group.objects.order_by("-is_active", "id")
    waiting = [each for each in _open_approvals() if approvals.needs_second(each)]
    context = {"groups": rows, "waiting": waiting, "sources": Source.objects.order_by("slug")}
    return page(request, "export_groups", "Groups for export", **context)


def _open_approvals() -> list[GroupApproval]:
    found = GroupApproval.objects.filter(ended_at=None, group__is_active=True, seconded_at=None)
    return list(found.select_related("group", "client", "approved_by"))


def _define(said: QueryDict, by: Any) -> Group:
    is_rule = said.get("kind") == Group.Kind.RULE
    return approvals.define(
        id=said.get("id", "").strip(),
        name=said.get("name", "").strip()[:200],
        kind=Group.Kind.RULE if is_rule else Group.Kind.LIST,
        source=said.get("source", "") if is_rule else "",
        born_from=_day(said.get("born_from", "")) if is_rule else None,
        born_until=_day(said.get("born_until", "")) if is_rule else None,
        by=by,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise NotNow("A day is written as 1990-12-31.") from None


@require_http_methods(["GET", "POST"])
def group(request: HttpRequest, group_id: str) -> HttpResponse:
    """One group: how many there are in it, who may export it, and what can be changed."""
    found = get_object_or_404(Group, pk=group_id)
    if request.method == "POST":
        act = ACTS.get(request.POST.get("do", ""))
        try:
            if act is None:
                raise NotNow("Press one of the buttons.")
            act(found, request.POST, request.user)
        except NotNow as error:
            messages.error(request, str(error))
        return redirect("admin:export-group", group_id)
    held = found.approvals.select_related("client", "approved_by", "seconded_by", "ended_by")
    services = Client.objects.filter(authorization_grant_type=Client.GRANT_CLIENT_CREDENTIALS)
    context = {
        "group": found,
        "count": membership.members(found).values("pk")[:MOST_COUNTED].count(),
        "most": settings.BULK_SECOND_PERSON_OVER,
        "approvals": [(each, approvals.why_not(each)) for each in held.order_by("-approved_at")],
        "services": services.filter(status=Client.Status.ACTIVE).order_by("client_id"),
        "purposes": GroupApproval.Purpose.choices,
        "is_list": found.kind == Group.Kind.LIST,
        "jobs": found.approvals.filter(jobs__isnull=False).values_list("jobs", flat=True)[:50],
    }
    return page(request, "export_group", f"Group {found.pk}", **context)


def _add(group: Group, said: QueryDict, by: Any) -> None:
    approvals.add(group, _patients(said.get("patients", "")), by=by)


def _remove(group: Group, said: QueryDict, by: Any) -> None:
    approvals.remove(group, _patients(said.get("patients", "")), by=by)


def _patients(text: str) -> list[Patient]:
    """By their FHIR ids at the first EHR, with spaces or line breaks between. Raises NotNow."""
    ids = {part.removeprefix("Patient/") for part in text.split()}
    known = PatientIdentity.objects.filter(source=Source.primary().slug, fhir_id__in=ids)
    found = list(known.select_related("patient"))
    if not ids or len(found) < len(ids):
        raise NotNow(f"{len(ids) - len(found)} of {len(ids)} are not known here. Nothing was changed.")
    return [identity.patient for identity in found]


def _approve(group: Group, said: QueryDict, by: Any) -> None:
    client = Client.objects.filter(client_id=said.get("client", "")).first()
    if client is None:
        raise NotNow("Choose a service.")
    approvals.approve(group, client, purpose=said.get("purpose", ""), by=by)


def _of(group: Group, said: QueryDict) -> GroupApproval:
    number = said.get("approval", "")
    found = group.approvals.filter(pk=int(number)).first() if number.isdigit() else None
    if found is None:
        raise NotNow("There is no such approval.")
    return found


Act = Callable[[Group, QueryDict, Any], object]
ACTS: Mapping[str, Act] = {
    "add": _add,
    "remove": _remove,
    "approve": _approve,
    "second": lambda group, said, by: approvals.second(_of(group, said), by=by),
    "end": lambda group, said, by: approvals.end(_of(group, said), by=by),
    "close": lambda group, said, by: approvals.close(group, by=by),
}
