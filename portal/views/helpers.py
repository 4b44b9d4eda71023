"""Who may act for a patient: invite by a code, see exactly what they see, change, stop."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import relations, stepup
from accounts.models import HelperInvitation, RelatedPerson, User
from accounts.relation_states import HELPING, LIVING, Why
from accounts.relations import Refused
from accounts.stepup import Action
from consent import ages, helper_codes, helper_requests, helper_rights, helping
from consent.decision import Reason
from consent.versions import Act
from portal import acting, helper_words, sees
from portal.authorization import text_of
from portal.guards import PatientRequest, patient_required, signed_in, time_zone_of
from portal.helper_forms import AskForm, CodeForm, InviteForm, LevelForm, prefilled
from portal.pages import StepUp, page
from portal.states import Kind
from smart.models import StaffAuthorization

NEW = timedelta(days=7)  # a helper is shown first, with a button to stop, for so long
MOST_PAST = 20


@dataclass(frozen=True, slots=True)
class Helper:
    """One helper on a page of the patient's."""

    relation: RelatedPerson
    name: str
    chip: tuple[Promise, str]
    kind: str | Promise  # who they are
    level: str | Promise
    sees: list[Promise]
    hides: list[Promise]
    is_new: bool
    is_living: bool
    needs_check: bool
    is_theirs: bool  # the patient alone decides about it


@page("helpers", reads=("RelatedPerson", "Consent"), states=(Kind.FRESH, Kind.EMPTY))
@require_GET
@patient_required
def helpers(request: PatientRequest) -> HttpResponse:
    rows = request.patient.helpers.select_related("user", "patient").order_by("-period_start")
    shown = [_helper(relation) for relation in rows[:100]]
    now = timezone.now()
    context = {
        "living": [one for one in shown if one.is_living],
        "past": [one for one in shown if not one.is_living][:MOST_PAST],
        "invitations": request.patient.invitations.filter(
            taken_at=None, cancelled_at=None, expires_at__gt=now
        ).order_by("-made_at"),
        "teen": ages.is_teen(request.patient, now),
        "soon": helper_words.own_birthday_soon(request.patient),
        "topics": helper_words.private_topics(),
    }
    return render(request, "portal/helpers.html", context)


@page("helper-invite", reads=("RelatedPerson",), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@patient_required
def invite(request: PatientRequest) -> HttpResponse:
    """Choose, prove that it is you, and get a code to read out. The code is shown once."""
    year = timezone.localdate() + timedelta(days=365)
    form = InviteForm(request.POST if request.method == "POST" else None, initial={"until": year})
    context = {"form": form, "levels": helper_words.LEVELS, "topics": helper_words.private_topics()}
    if request.method != "POST" or not form.is_valid():
        return render(request, "portal/helper_invite.html", context, status=422 if form.errors else 200)
    stepup.require(request, Action.HELPER)
    shown = render_to_string("portal/helper_invite.html#question", context, request)
    chosen = form.cleaned_data
    try:
        invitation, code = helper_codes.invite(
            request.patient,
            relationship=chosen["relationship"],
            level=chosen["level"],
            categories=chosen["categories"],
            may_share=chosen["may_share"],
            may_write=chosen["may_write"],
            until=chosen["end"],
            act=_act(request, shown),
        )
    except Refused as error:
        form.add_error(None, helper_words.refused(error.code))
        return render(request, "portal/helper_invite.html", context, status=422)
    made = {"invitation": invitation, "code": code, "hours": relations.OPEN_FOR.total_seconds() // 3600}
    return render(request, "portal/helper_code.html", made)


@require_POST
@patient_required
def take_back(request: PatientRequest, invitation_id: UUID) -> HttpResponse:
    invitation = get_object_or_404(HelperInvitation, pk=invitation_id, patient=request.patient)
    relations.cancel(invitation, by=request.user)
    messages.success(request, pgettext("helper.code.cancelled", "The code does not work any more."))
    return redirect("portal:helpers")


@page("helper", reads=("RelatedPerson", "Consent"))
@require_http_methods(["GET", "POST"])
@patient_required
def helper(request: PatientRequest, relation_id: UUID) -> HttpResponse:
    """One helper: what they can see, until when, and the form that changes it."""
    relation = _own(request, relation_id)
    start = prefilled(relation, helper_rights.categories_now(relation))
    form = LevelForm(request.POST if request.method == "POST" else None, initial=start)
    if request.method != "POST" or not form.is_valid():
        return _page(request, relation, form, 422 if form.errors else 200)
    chosen = form.cleaned_data
    kinds = helper_rights.categories_of(chosen["level"], chosen["categories"])
    rights = {name: chosen[name] for name in ("may_share", "may_write")}
    if helper_rights.is_wider(relation, kinds, **rights, until=chosen["end"]):
        stepup.require(request, Action.HELPER)
    shown = render_to_string("portal/helper.html#question", _context(relation, form), request)
    try:
        helping.change(
            relation,
            level=chosen["level"],
            categories=chosen["categories"],
            may_share=chosen["may_share"],
            may_write=chosen["may_write"],
            until=chosen["end"],
            act=_act(request, shown),
            seen=_version(request),
        )
    except Refused as error:
        return _refused(request, relation, error)
    messages.success(request, pgettext("helper.changed", "You changed what they can see."))
    return redirect("portal:helper", relation_id)


@page("helper-sees", reads=("Consent", "Observation"), states=(Kind.FRESH, Kind.ERROR))
@require_GET
@patient_required
def helper_sees(request: PatientRequest, relation_id: UUID) -> HttpResponse:
    """Exactly what they see now, counted. htmx asks for it after the page: it reads the whole record."""
    relation = _own(request, relation_id)
    found = sees.of_helper(request.user, relation)
    if request.htmx:
        return render(request, "portal/sees.html", {"sees": found})
    context = {"sees": found, "helper": _helper(relation)}
    return render(request, "portal/helper_sees.html", context, status=503 if found.failed else 200)


@require_POST
@patient_required
def act_on(request: PatientRequest, relation_id: UUID) -> HttpResponse:
    """Stop, go on for another year, or give back what an age took: one button each."""
    relation, do = _own(request, relation_id), request.POST.get("do", "")
    if do in ("renew", "assent"):
        stepup.require(request, Action.HELPER)
    try:
        if do == "stop":
            helping.end(relation, Why.PATIENT_STOPPED, by=request.user, role="patient")
            text = pgettext("helper.stopped", "You stopped their help. They can no longer see your records.")
        elif do == "renew":
            helping.approve_again(relation, act=_act(request, ""), seen=_version(request))
            text = pgettext("helper.renewed", "You said that they can go on.")
        elif do == "assent":
            helping.give_back(relation, act=_act(request, ""), seen=_version(request))
            text = pgettext(
                "helper.assented", "They see these kinds of record again. Private topics stay private."
            )
        else:
            return redirect("portal:helper", relation_id)
    except Refused as error:
        return _refused(request, relation, error)
    messages.success(request, text)
    return redirect("portal:helpers")


@page("helper-join", reads=("RelatedPerson",))
@require_http_methods(["GET", "POST"])
@signed_in
def join(request: HttpRequest) -> HttpResponse:
    """A helper enters the code that a patient gave them, with their own sign-in."""
    user = cast(User, request.user)
    form = CodeForm(request.POST if request.method == "POST" else None)
    with timezone.override(time_zone_of(user)), acting.prefixed(None):
        if request.method == "POST" and form.is_valid():
            act = Act(by=user, channel="portal", role="helper", language=get_language() or "en")
            try:
                relation = helper_codes.accept(form.cleaned_data["code"], by=user, act=act)
            except Refused as error:
                helper_codes.note_wrong_code(user, error)
                form.add_error(
                    "code" if error.code == "helper.code" else None, helper_words.refused(error.code)
                )
            else:
                return redirect("portal:acting-rules", relation.pk)
        return render(request, "portal/helper_join.html", {"form": form}, status=422 if form.errors else 200)


@page("helper-ask", reads=("RelatedPerson",))
@require_http_methods(["GET", "POST"])
@signed_in
def ask(request: HttpRequest) -> HttpResponse:
    """Ask to help without a code. The answer is the same whether we know such a patient or not."""
    user = cast(User, request.user)
    form = AskForm(request.POST if request.method == "POST" else None)
    with timezone.override(time_zone_of(user)), acting.prefixed(None):
        if request.method == "POST" and form.is_valid():
            helper_requests.ask_for(
                user,
                name=form.cleaned_data["name"],
                born=form.cleaned_data["born"],
                relationship=form.cleaned_data["relationship"],
                basis=form.cleaned_data["basis"],
                evidence=form.cleaned_data["evidence"],
            )
            return render(request, "portal/helper_asked.html")
        return render(request, "portal/helper_ask.html", {"form": form}, status=422 if form.errors else 200)


def _own(request: PatientRequest, relation_id: UUID) -> RelatedPerson:
    return get_object_or_404(request.patient.helpers.select_related("user", "patient"), pk=relation_id)


def _version(request: HttpRequest) -> int:
    """The version that the page with the form showed."""
    value = request.POST.get("version", "")
    return int(value) if value.isdecimal() and len(value) < 9 else -1


def _refused(request: PatientRequest, relation: RelatedPerson, error: Refused) -> HttpResponse:
    """The page as it is now, with why nothing was changed."""
    now = _own(request, relation.pk)
    form = LevelForm(None, initial=prefilled(now, helper_rights.categories_now(now)))
    messages.error(request, helper_words.refused(error.code))
    return _page(request, now, form, 409)


def _page(request: PatientRequest, relation: RelatedPerson, form: LevelForm, status: int) -> HttpResponse:
    return render(request, "portal/helper.html", _context(relation, form), status=status)


def _context(relation: RelatedPerson, form: LevelForm) -> dict[str, object]:
    now = timezone.now()
    teen = ages.is_teen(relation.patient, now) and not helper_rights.is_past_teen_rules(relation)
    given_back = relation.reason == Why.TEEN_ASSENT
    return {
        "helper": _helper(relation),
        "form": form,
        "basis": helper_words.BASES[relation.basis],
        "changes": relation.changes.order_by("-number")[:20],
        "reasons": helper_words.steps(relation),
        "topics": helper_words.private_topics(),
        "apps": StaffAuthorization.in_force().filter(helper=relation).select_related("client"),
        "teen": teen,
        "may_assent": teen and ages.law_of(relation.patient).assent and not given_back,
    }


def _helper(relation: RelatedPerson) -> Helper:
    standing = helper_rights.standing(relation)
    living = relation.status in LIVING and standing.reason not in (Reason.EXPIRED, Reason.OF_AGE)
    return Helper(
        relation=relation,
        name=relation.user.name,
        chip=helper_words.chip(relation),
        kind=helper_words.RELATIONSHIPS[relation.relationship],
        level=helper_words.LEVELS[relation.level][0],
        sees=helper_words.sees(relation),
        hides=helper_words.hides(relation),
        is_new=relation.status in HELPING and relation.period_start > timezone.now() - NEW,
        is_living=living,
        is_theirs=helper_rights.may_patient_change(relation, timezone.now()),
        needs_check=living and relation.status in HELPING and standing.reason is Reason.HOLD,
    )


def _act(request: PatientRequest, shown: str) -> Act:
    text = text_of(SafeString(shown)) if shown else ""
    return Act(by=request.user, channel="portal", text_shown=text, language=get_language() or "en")
