"""Who can see a patient's records: everyone and every use on one page, each with the way to change it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import stepup
from accounts.stepup import Action
from consent import commands, explain, helper_rights
from consent.directives import directives
from consent.explain import TREATMENT, Kind
from consent.merging import is_new_records
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import TOPICS, Category
from consent.words import CATEGORY, TOPIC
from exports.models import HealthLink
from fhirproxy import preview
from fhirproxy.interactions import FHIR_ID
from fhirproxy.outcomes import Refusal
from fhirproxy.served import RECORD
from portal import consent_facts, helper_words, limits, recipients, records, share_steps, viewers
from portal.authorization import text_of
from portal.consent_facts import OPEN, SHARED, facts
from portal.guards import PatientRequest, patient_required
from portal.limits import LimitForm
from portal.loading import needs_records
from portal.pages import page
from portal.views.problems import UNAVAILABLE, problem

Status, ConsentKind = Consent.Status, Consent.Kind
# The page of an item, by its type; what has none is found among the records.
PAGE_OF = {"Observation": "result", "DiagnosticReport": "report", "DocumentReference": "document"}


@page("sharing", reads=("Consent", "Organization"))
@require_GET
@patient_required
def sharing(request: PatientRequest) -> HttpResponse:
    found = explain.viewers(request.patient, types=RECORD)
    names = recipients.names_of(request, [viewer.consent for viewer in found])
    rows = [viewers.row(viewer, names, whole=True) for viewer in found]
    asked = list(request.patient.consents.filter(kind=ConsentKind.RESTRICTION).order_by("-created_at")[:20])
    shared = [row for row in rows if row.kind in (Kind.APP, Kind.HELPER, Kind.SHARE)]
    goes_on = any(row.permitted and not row.paused for row in shared)
    context = {
        "apps": [row for row in rows if row.kind is Kind.APP],
        "people": [row for row in rows if row.kind in (Kind.HELPER, Kind.SHARE)],
        "uses": [row for row in rows if row.kind in (Kind.CARE_TEAM, Kind.USE)],
        "paused": any(row.paused for row in rows),
        "joined": any(row.joined for row in rows),
        "goes_on": goes_on,
        "proposals": [_proposal(consent) for consent in _proposals(request)],
        "limits": [_limit(consent) for consent in asked],
    }
    return render(request, "portal/sharing.html", context)


@page("who", reads=("Consent", "Observation", "Organization"))
@require_GET
@patient_required
@needs_records
def who(request: PatientRequest, resource_type: str, resource_id: str) -> HttpResponse:
    """Who can see one item, and why. htmx shows the list on the page of the item."""
    if resource_type not in RECORD or not FHIR_ID.match(resource_id):
        raise Http404
    try:
        _, item = preview.look_at(records.requester_of(request), resource_type, resource_id)
    except Refusal as refusal:
        if refusal.status in (403, 404):
            raise Http404 from refusal
        return problem(request, UNAVAILABLE, 503)
    found = explain.viewers(request.patient, item)
    names = recipients.names_of(request, [viewer.consent for viewer in found])
    context = {
        "rows": [viewers.row(viewer, names) for viewer in found],
        "kinds": [CATEGORY[c] for c in Category if c in item.categories],
        "topics": [TOPIC[t.code] for t in TOPICS if t.labels & item.labels],
        "private": bool(item.labels),
        "back": _page_of(resource_type, resource_id),
    }
    return render(request, f"portal/sharing_who.html{'#list' if request.htmx else ''}", context)


@page("share", reads=("Consent", "Organization"))
@require_GET
@patient_required
def share(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    """One sharing with a helper or an organisation: what they can see, until when, and how to stop it."""
    consent = get_object_or_404(
        _own(request), pk=consent_id, kind__in=(ConsentKind.HELPER, ConsentKind.SHARE)
    )
    if link := HealthLink.objects.filter(consent=consent).first():
        return redirect("portal:health-link", link.pk)
    shown = facts(consent)
    name = recipients.names_of(request, [consent]).get(consent.recipient) or shown.name
    return render(
        request,
        "portal/sharing_share.html",
        {"facts": shown, "name": name, "can_change": share_steps.can_change(consent)},
    )


@require_POST
@patient_required
def stop(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    """End a sharing, or take back a limit or the request for one."""
    consent = get_object_or_404(_own(request), pk=consent_id, kind__in=(*SHARED, ConsentKind.RESTRICTION))
    if consent.helper and not helper_rights.may_patient_change(consent.helper, timezone.now()):
        messages.error(request, helper_words.refused("helper.law"))
        return redirect("portal:sharing")
    commands.revoke(consent, by=request.user)
    if consent.kind == ConsentKind.RESTRICTION:
        text = pgettext("sharing.limit.taken_back", "You took your limit back. The usual rule holds again.")
    else:
        name = consent_facts.name_of(consent)
        text = pgettext("sharing.stopped", "You stopped sharing with {name}.").format(name=name)
    messages.success(request, text)
    return redirect("portal:sharing")


@require_POST
@patient_required
def pause(request: PatientRequest) -> HttpResponse:
    shown = render_to_string("portal/sharing_pause.html", {}, request)
    commands.pause_all(request.patient, act=_act(request, shown))
    text = pgettext("sharing.paused", "All sharing is paused. You can start it again on this page.")
    if _own(request).filter(kind=ConsentKind.HELPER, status=Status.ACTIVE).exists():
        text = pgettext(
            "sharing.paused.law",
            "What you share is paused. Who cares for you by law still sees your records.",
        )
    messages.success(request, text)
    return redirect("portal:sharing")


@require_POST
@patient_required
def resume(request: PatientRequest) -> HttpResponse:
    joined = any(map(is_new_records, _own(request).filter(status=Status.PAUSED)))
    if joined:  # it goes on with more than before
        stepup.require(request, Action.SHARE)
    shown = render_to_string("portal/sharing_pause.html", {"paused": True, "joined": joined}, request)
    commands.resume_all(request.patient, act=_act(request, shown))
    text = pgettext("sharing.resumed", "Sharing is on again, as it was before.")
    if joined:
        text = pgettext("sharing.resumed.joined", "Sharing is on again, now with the records that came.")
    messages.success(request, text)
    return redirect("portal:sharing")


@page("sharing-use", reads=("Consent",))
@require_http_methods(["GET", "POST"])
@patient_required
def use(request: PatientRequest, directive: str) -> HttpResponse:
    """One use that holds or not by default; its page says what a choice means before it is made."""
    if directive not in directives():
        raise Http404
    if request.method == "POST":
        if request.POST.get("do") == "yes":
            stepup.require(request, Action.SHARE)
        _choose(request, directive, request.POST.get("do", ""))
        return redirect("portal:sharing-use", directive)
    return render(request, "portal/sharing_use.html", _use(request, directive))


@require_POST
@patient_required
def answer(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    """Agree to, or decline, what somebody else proposed."""
    consent = get_object_or_404(_own(request).exclude(kind=ConsentKind.RESTRICTION), pk=consent_id)
    agreed = request.POST.get("do") == "agree"
    if consent.status != Status.PROPOSED or request.POST.get("do") not in ("agree", "decline"):
        messages.warning(request, pgettext("sharing.answered", "This was answered before. Nothing changed."))
        return redirect("portal:sharing")
    if agreed:
        stepup.require(request, Action.SHARE)
    shown = render_to_string("portal/sharing_proposal.html", {"one": _proposal(consent)}, request)
    commands.answer(consent, agreed=agreed, act=_act(request, shown))
    if agreed:
        text = pgettext("sharing.agreed", "You agreed. You can change or stop it on this page, on any day.")
    else:
        text = pgettext("sharing.declined", "You said no. Nothing was shared.")
    messages.success(request, text)
    return redirect("portal:sharing")


@page("sharing-limit", reads=("Consent",))
@require_http_methods(["GET", "POST"])
@patient_required
def limit(request: PatientRequest) -> HttpResponse:
    """Ask the clinic for a limit."""
    form = LimitForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = 422 if form.errors else 200
        return render(request, "portal/sharing_limit.html", {"form": form}, status=status)
    provision = form.provision()
    waiting = request.patient.consents.filter(kind=ConsentKind.RESTRICTION, status=Status.PROPOSED)
    if any(consent.current.as_fhir()["provision"] == provision for consent in waiting):
        text = pgettext("sharing.limit.again", "You asked for this before. Your clinic will answer.")
        messages.warning(request, text)
        return redirect("portal:sharing")
    shown = render_to_string("portal/sharing_limit.html#question", {"form": form}, request)
    commands.ask_restriction(patient=request.patient, provision=provision, act=_act(request, shown))
    text = pgettext("sharing.limit.asked", "We sent this to your clinic. Nothing changes until they answer.")
    messages.success(request, text)
    return redirect("portal:sharing")


def _own(request: PatientRequest) -> Any:
    return request.patient.consents.select_related(
        "client", "helper__user", "helper__patient", "patient__user"
    )


def _proposals(request: PatientRequest) -> Any:
    """What waits for an answer of the patient; limits wait for one of the clinic."""
    waiting = _own(request).filter(status=Status.PROPOSED).exclude(kind=ConsentKind.RESTRICTION)
    return waiting.order_by("created_at")


def _act(request: PatientRequest, shown: str) -> Act:
    """The patient, now, after these words."""
    return Act(by=request.user, channel="portal", text_shown=text_of(shown), language=get_language() or "en")


def _proposal(consent: Consent) -> dict[str, Any]:
    shown = facts(consent)
    named = viewers.use(consent.directive) if consent.directive else None
    same = {name: getattr(consent, name) for name in ("kind", "client", "helper", "recipient", "directive")}
    replaces = consent.patient.consents.filter(status__in=OPEN, **same).exists()
    return {"facts": shown, "use": named, "joined": is_new_records(consent), "replaces": replaces}


def _limit(consent: Consent) -> dict[str, Any]:
    return {
        "facts": facts(consent),
        "what": limits.what_of(consent),
        "whom": limits.whom_of(consent),
        "open": consent.status in (*OPEN, Status.PROPOSED),
    }


def _use(request: PatientRequest, directive: str) -> dict[str, Any]:
    found = explain.viewers(request.patient, types=RECORD)
    kind = Kind.CARE_TEAM if directive == TREATMENT else Kind.USE
    viewer = next(v for v in found if v.kind is kind and v.reference == directive)
    default = directives()[directive].default == "permit"
    return {
        "use": viewers.use(directive),
        "row": viewers.row(viewer, {}, whole=True),
        "chosen": viewer.chosen,
        "default": default,
        "says_yes": viewer.chosen if viewer.chosen is not None else default,
    }


def _choose(request: PatientRequest, directive: str, do: str) -> None:
    name = str(viewers.use(directive).name)
    if do == "undo":
        choices = request.patient.consents.filter(kind=ConsentKind.PREFERENCE, directive=directive)
        for choice in choices.filter(status__in=OPEN):
            commands.revoke(choice, by=request.user)
        text = pgettext("sharing.use.undone", "{name}: the usual rule holds again.")
    elif do in ("yes", "no"):
        shown = render_to_string("portal/sharing_use.html#question", _use(request, directive), request)
        act = _act(request, shown)
        commands.prefer(patient=request.patient, directive=directive, permit=do == "yes", act=act)
        if do == "yes":
            text = pgettext("sharing.use.yes", "{name}: you said yes. You can undo this here.")
        else:
            text = pgettext("sharing.use.no", "{name}: you said no. You can undo this here.")
    else:
        return
    messages.success(request, text.format(name=name))


def _page_of(resource_type: str, resource_id: str) -> str:
    name = PAGE_OF.get(resource_type)
    return reverse(f"portal:{name}", args=[resource_id]) if name else reverse("portal:records")
