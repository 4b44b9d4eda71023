"""Whose record: pick, switch, and what it means to act for somebody else."""

from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import stepup
from accounts.models import Patient, RelatedPerson, User
from accounts.relation_states import LIVING, S, Why
from accounts.stepup import Action
from audit.events import Role
from consent import ages, helper_rights, helping
from consent.decision import Reason
from portal import acting, helper_words
from portal.guards import signed_in, time_zone_of
from portal.pages import page
from portal.states import Kind

LONGEST = 50  # relationships on the page


@dataclass(frozen=True, slots=True)
class Choice:
    """One person whom the reader helps, or did."""

    relation: RelatedPerson
    reason: Reason | None  # why not, now
    text: str  # the state in words
    soon: str  # what a birthday will change, where one is near
    current: bool
    is_living: bool


@page("acting", reads=("RelatedPerson", "Consent"), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@signed_in
def pick(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    with timezone.override(time_zone_of(user)), acting.prefixed(None):
        now = acting.in_session(request)
        choices = [_choice(relation, now) for relation in _relations(user)]
        context = {
            "choices": [c for c in choices if c.reason is None],
            "others": [c for c in choices if c.reason is not None],
            "own": Patient.objects.filter(user=user).first(),
            "acting_now": now is not None,
        }
        return render(request, "portal/acting.html", context)


@page("acting-rules", reads=("RelatedPerson", "Consent"))
@require_GET
@signed_in
def rules(request: HttpRequest, relation_id: UUID) -> HttpResponse:
    """What acting for somebody means: shown before the first time in a session."""
    user = cast(User, request.user)
    relation = acting.relation_of(user, relation_id)
    with timezone.override(time_zone_of(user)), acting.prefixed(None):
        if relation is None:
            raise Http404
        standing = helper_rights.standing(relation)
        if standing.reason is not None:
            return _over(request, standing)
        context = {"relation": relation, "soon": helper_words.birthday_soon(relation)}
        context |= {
            "sees": helper_words.sees(relation),
            "teen": ages.is_teen(relation.patient, timezone.now()),
        }
        return render(request, "portal/acting_rules.html", context)


@require_POST
@signed_in
def switch(request: HttpRequest) -> HttpResponse:
    """Act for somebody, or for oneself again. The first time in a session leads over the rules."""
    user, wanted = cast(User, request.user), request.POST.get("who", "")
    seen = request.session.get(acting.SEEN, [])
    if wanted != "me" and wanted not in seen and "agree" in request.POST:
        stepup.require(request, Action.ACTING_FIRST)
    with acting.prefixed(None):
        if wanted == "me":
            acting.end(request)
            return redirect(_next(request))
        relation = acting.relation_of(user, _uuid(wanted))
        if relation is None:
            return redirect("portal:acting")
        rules_first = str(relation.pk) not in seen and "agree" not in request.POST
        if rules_first and helper_rights.standing(relation).reason is None:
            return redirect("portal:acting-rules", relation.pk)
        if refused := begin(request, user, relation):
            return refused
    with acting.prefixed(relation.pk):
        return redirect(_next(request))


def begin(request: HttpRequest, user: User, relation: RelatedPerson) -> HttpResponse | None:
    """This session acts for that patient from now on, and the log has it; or the page that says why not."""
    standing = helper_rights.standing(relation)
    if standing.reason is not None:
        helping.note_acting(relation, by=user, refused=standing.reason)
        return _over(request, standing)
    helping.note_acting(relation, by=user)
    acting.begin(request, relation)
    return None


@page("acting-stop", reads=("RelatedPerson",))
@require_http_methods(["GET", "POST"])
@signed_in
def stop(request: HttpRequest, relation_id: UUID) -> HttpResponse:
    """The helper's own end of it; of a request, its withdrawal. What ended stays ended."""
    user = cast(User, request.user)
    relation = acting.relation_of(user, relation_id)
    if relation is None:
        raise Http404
    with timezone.override(time_zone_of(user)), acting.prefixed(None):
        if relation.status not in LIVING:
            return _over(request, helper_rights.standing(relation))
        if request.method != "POST":
            return render(request, "portal/acting_stop.html", {"relation": relation})
        why = Why.WITHDRAWN if relation.status == S.ASKED else Why.HELPER_STOPPED
        helping.end(relation, why, by=user, role=Role.HELPER)
        if acting.in_session(request) == relation.pk:
            acting.end(request)
        messages.success(request, pgettext("acting.stopped", "You do not help this person any more."))
        return redirect("portal:acting")


def _over(request: HttpRequest, standing: helper_rights.Standing) -> HttpResponse:
    context = {"standing": standing, "text": helper_words.why_over(standing)}
    return render(request, "portal/acting_over.html", context, status=403)


def _next(request: HttpRequest) -> str:
    """The same page of the other record, where a stale tab asked for it; else home. Never another site."""
    path = urlsplit(request.POST.get("next", "")).path
    known = path.startswith("/") and not path.startswith(("//", "/for/", "/o/", "/admin"))
    home = reverse("portal:home")
    return home.rstrip("/") + path if known else home


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _relations(user: User) -> list[RelatedPerson]:
    """The newest of each patient; those that are over stay, so that it can be said why."""
    rows = user.helps.select_related("patient").order_by("patient_id", "-period_start")
    newest: dict[UUID, RelatedPerson] = {}
    for row in rows[: LONGEST * 4]:
        kept = newest.get(row.patient_id)
        if kept is None or (kept.status not in (S.ASKED, S.CONFIRMED, S.NARROWED)):
            newest.setdefault(row.patient_id, row)
    return sorted(newest.values(), key=lambda relation: relation.patient.name)[:LONGEST]


def _choice(relation: RelatedPerson, now: UUID | None) -> Choice:
    standing = helper_rights.standing(relation)
    return Choice(
        relation=relation,
        reason=standing.reason,
        text=helper_words.state_words(standing),
        soon=helper_words.birthday_soon(relation) if standing.reason is None else "",
        current=relation.pk == now,
        is_living=relation.status in LIVING,
    )
