"""Clinicians' queue of proposed changes: what would change, and yes, partly, no, or somebody else."""

import json
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import npgettext, pgettext
from django.views.decorators.http import require_GET, require_POST

from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent import authority
from consent.decision import Reason
from consent.requester import Requester
from consent.vocabulary import categories_of
from fhirproxy import treating
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import EhrFailure
from fhirproxy.writes import commands, dispatch, reviews
from fhirproxy.writes.proposals import InvalidResource
from fhirproxy.writes.states import WrongState
from portal import review_page, review_queue
from portal.guards import StaffRequest, clinician_required
from portal.pages import page
from portal.review_forms import AcceptForm, ConflictForm, PassOnForm, SendBackForm
from portal.states import Kind

MOST_ROWS = 100
Status = WriteCommand.Status


@page("review", reads=("WriteCommand",), purpose="TREAT", states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@clinician_required
def review(request: StaffRequest) -> HttpResponse:
    """What waits for this clinician: proposals of the patients that they treat, as they chose to see it."""
    waiting = review_queue.waiting(request.user)
    form = review_queue.QueueForm(request.GET or None)
    chosen = form.of(waiting, request.user)
    rows = list(chosen[:MOST_ROWS])
    for row in {row.patient_id: row for row in rows}.values():
        _log_look(request, row)
    context = {
        "rows": [review_page.row(row, request.user) for row in rows],
        "form": form,
        "count": chosen.count(),
        "figures": review_queue.figures(request.user, waiting),
        "behind": review_queue.waits_behind_a_reason(request.user),
    }
    return render(request, "portal/review.html", context)


@page(
    "review-item",
    reads=("WriteCommand", "Observation", "Provenance", "CareTeam"),
    purpose="TREAT",
    states=(Kind.FRESH, Kind.ERROR),
)
@require_GET
@clinician_required
def item(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    return _page(request, command, requester)


@require_POST
@clinician_required
def accept(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    form = AcceptForm(command, reviews.parts(command), request.POST)
    if not form.is_valid():
        return _page(request, command, requester, 422, accept=form)
    try:
        command = reviews.approve(command, requester=requester, by=request.user, **form.cleaned_data)
    except WrongState:
        return _moved_on(request, command_id)
    except InvalidResource as error:
        text = pgettext("review.part_not_whole", "It cannot stand without this: {problem}")
        form.add_error("leaving", text.format(problem=error))
        return _page(request, command, requester, 422, accept=form)
    dispatch.send(command.id)
    return redirect("portal:review-done", command_id)


@require_POST
@clinician_required
def accept_many(request: StaffRequest) -> HttpResponse:
    """Those of the declared low-risk kinds that were ticked; each is decided on by itself."""
    ids = [UUID(found) for found in request.POST.getlist("id") if _is_uuid(found)][:MOST_ROWS]
    found = review_queue.waiting(request.user).filter(pk__in=ids)
    done = 0
    for command in filter(review_queue.may_go_in_bulk, found):
        _log_look(request, command)
        requester = _requester(request, command, treats=True)
        try:
            commands.approve(command, requester=requester, by=request.user)
        except (WrongState, commands.NotAllowed):
            continue
        done += dispatch.send(command.id).status != Status.BLOCKED
    said = npgettext("review.many.done", "%(count)d was accepted.", "%(count)d were accepted.", done) % {
        "count": done
    }
    (messages.success if done == len(ids) else messages.warning)(request, said)
    return redirect("portal:review")


@require_POST
@clinician_required
def send_back(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    form = SendBackForm(command, request.POST)
    if not form.is_valid():
        return _page(request, command, requester, 422, back=form)
    say_no = reviews.reject if form.is_final else reviews.send_back
    act = partial(say_no, command, requester=requester, by=request.user, **form.cleaned_data)
    return _done(request, command_id, act, "portal:review-done")


@require_POST
@clinician_required
def pass_on(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, requester = _command(request, command_id)
    form = PassOnForm(command, review_page.colleagues(command, request.user), request.POST)
    if not form.is_valid():
        return _page(request, command, requester, 422, passing=form)
    act = partial(reviews.pass_on, command, requester=requester, by=request.user, **form.cleaned_data)
    return _done(request, command_id, act, "portal:review")


@require_POST
@clinician_required
def settle(request: StaffRequest, command_id: UUID) -> HttpResponse:
    """A conflict: take the proposal up to what the chart says now, by the sides that were chosen."""
    command, requester = _command(request, command_id)
    try:
        found, _ = reviews.compare(command)
    except (EhrFailure, commands.NoTarget):
        return _page(request, command, requester, 503)
    form = ConflictForm(command, found, request.POST)
    if not form.is_valid():
        return _page(request, command, requester, 422, conflict=form)
    act = partial(
        reviews.rebase,
        command,
        requester=requester,
        by=request.user,
        choices=form.choices(),
        seen=form.cleaned_data["seen"],
    )
    return _done(request, command_id, act, "portal:review-item")


@page("review-done", reads=("WriteCommand",), purpose="TREAT", states=(Kind.FRESH, Kind.PENDING))
@require_GET
@clinician_required
def done(request: StaffRequest, command_id: UUID) -> HttpResponse:
    command, _ = _command(request, command_id)
    following = review_queue.following(request.user, command)
    context = {
        "row": review_page.row(command, request.user),
        "following": following,
        "ended": review_page.ended(command),
    }
    return render(request, "portal/review_done.html", context)


def _done(request: StaffRequest, command_id: UUID, act: Any, then: str) -> HttpResponse:
    try:
        act()
    except (WrongState, EhrFailure, commands.NoTarget):
        return _moved_on(request, command_id)
    return redirect(then) if then == "portal:review" else redirect(then, command_id)


def _page(
    request: StaffRequest, command: WriteCommand, requester: Requester, status: int = 200, **forms: Any
) -> HttpResponse:
    context = review_page.of(command, requester, request.user, **forms)
    return render(request, "portal/review_item.html", context, status=status)


def _command(request: StaffRequest, command_id: UUID) -> tuple[WriteCommand, Requester]:
    """The proposal, if it is of a patient whom this clinician treats; else there is none (404)."""
    found = WriteCommand.objects.select_related("patient", "passed_to", "author", "client")
    command = get_object_or_404(found, id=command_id)
    treats = treating.treats(request.user, command.patient)
    _log_look(request, command, refused=not treats)
    if not treats:
        raise Http404
    return command, _requester(request, command, treats=treats)


def _requester(request: StaffRequest, command: WriteCommand, *, treats: bool) -> Requester:
    return authority.for_clinician(request.user, command.patient, timezone.now(), treats=treats)


def _log_look(request: StaffRequest, command: WriteCommand, *, refused: bool = False) -> None:
    """A proposal names the patient and says what was measured: to look at it is to read a record."""
    record(
        Entry(
            type=EventType.RECORD_READ,
            outcome=Outcome.DENY if refused else Outcome.PERMIT,
            actor=f"User/{request.user.pk}",
            role="clinician",
            patient=f"Patient/{command.patient_id}",
            interaction="read",
            resource_types=(command.resource_type,),
            categories=tuple(sorted(categories_of(json.loads(command.resource)))),
            purpose="TREAT",
            reasons=(Reason.ROLE,) if refused else (),
            target=f"WriteCommand/{command.id}",
        )
    )


def _moved_on(request: StaffRequest, command_id: UUID) -> HttpResponse:
    text = pgettext("review.moved_on", "Somebody has dealt with this already. This is how it stands.")
    messages.warning(request, text)
    return redirect("portal:review-item", command_id)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
