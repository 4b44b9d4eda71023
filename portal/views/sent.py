"""What somebody sent to the clinic: the list, where each one stands, and what its author can still do."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from fhirproxy import reading as fhir
from fhirproxy.models import WriteCommand
from fhirproxy.writes import amendments, bodies, commands
from portal import drafts, records, todo
from portal.guards import PatientRequest, record_required, writers_required
from portal.may_send import may_send
from portal.models import Draft
from portal.pages import page
from portal.readings import is_very_high
from portal.sent import NEW_AGAIN, REASONS_FOR_MORE, Sent, Stage, sent
from portal.states import Kind

MOST = 50


@page("add", reads=("WriteCommand", "Draft"), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@writers_required
def add(request: PatientRequest) -> HttpResponse:
    rows = _shown_to(request).select_related("author").order_by("-created_at")[:MOST]
    found = [sent(row) for row in rows]
    context = {
        "needs_you": [one for one in found if one.stage is Stage.NEEDS_YOU],
        "sent": [one for one in found if one.stage is not Stage.NEEDS_YOU],
        "drafts": _drafts(request),
        "may_send": may_send(request),
    }
    return render(request, "portal/add.html", context)


@page("add-sent", reads=("WriteCommand",), states=(Kind.FRESH, Kind.PENDING))
@require_GET
@record_required
def one(request: PatientRequest, command_id: UUID) -> HttpResponse:
    command = get_object_or_404(_shown_to(request).select_related("author"), pk=command_id)
    found = sent(command)
    clock = amendments.clock(command)
    context = {
        "row": found,
        "clock": clock,
        "more_because": REASONS_FOR_MORE.get(clock.extended_for, "") if clock else "",
        "very_high": _is_very_high(found),
        "may_disagree": amendments.may_disagree(command),
        "statement": amendments.statement_of(command) if command.status == "rejected" else None,
        "again_url": _again_url(command),
        "may_send": may_send(request),
    }
    return render(request, "portal/add_sent.html", context)


@require_POST
@writers_required
def cancel(request: PatientRequest, command_id: UUID) -> HttpResponse:
    """Take it back, as long as it is not on its way."""
    command = get_object_or_404(_shown_to(request), pk=command_id)
    try:
        commands.cancel(command, requester=records.requester_of(request), by=request.user)
    except commands.WrongState:
        messages.warning(
            request, pgettext("sent.too_late", "It is too late to take this back. This is how it stands.")
        )
    return redirect("portal:add-sent", command_id)


@require_GET
@record_required
def go_on(request: PatientRequest, draft_id: UUID) -> HttpResponse:
    """To the page that a draft was begun on."""
    path = drafts.answers_of(_draft(request, draft_id)).get("path", "")
    if not path:
        raise Http404
    return HttpResponseRedirect(get_script_prefix().rstrip("/") + path)


@require_POST
@record_required
def throw_away(request: PatientRequest, draft_id: UUID) -> HttpResponse:
    drafts.discard(_draft(request, draft_id))
    messages.success(request, pgettext("sent.draft_gone", "We threw it away. Nothing was sent."))
    return redirect("portal:add")


def _draft(request: PatientRequest, draft_id: UUID) -> Draft:
    return get_object_or_404(drafts.unfinished(request.user, request.patient), pk=draft_id)


def _drafts(request: PatientRequest) -> list[tuple[Draft, object]]:
    mine = drafts.unfinished(request.user, request.patient).exclude(form=Draft.Form.SHARE)
    return [(draft, todo.FORMS[draft.form].name) for draft in mine]


def _shown_to(request: PatientRequest) -> QuerySet[WriteCommand]:
    """All that was sent for one's own record; a helper sees what they sent themself."""
    mine = request.patient.write_commands
    return mine.filter(author=request.user) if request.helping else mine.all()


def _is_very_high(found: Sent) -> bool:
    is_recent = timezone.now() - found.command.created_at < timedelta(days=1)
    return is_recent and is_very_high(found.systolic, found.diastolic)


def _again_url(command: WriteCommand) -> str:
    """The page on which its author sends it again, changed; empty where there is none."""
    if command.status not in (WriteCommand.Status.SENT_BACK, WriteCommand.Status.CANCELLED) or command.client:
        return ""
    resource = bodies.read(command.resource)
    if command.kind == amendments.KIND:
        about = fhir.text(resource, "about", "reference")
        return reverse("portal:wrong", args=about.split("/")) + f"?again={command.pk}"
    name = NEW_AGAIN.get(command.kind, "")
    return f"{reverse(name)}?again={command.pk}" if name else ""
