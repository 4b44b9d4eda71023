"""Share a summary by QR code: make a link, show it, see who opened it, stop it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import stepup
from accounts.stepup import Action
from consent import helper_rights
from consent.versions import Act
from exports.models import HealthLink
from exports.shl import commands
from fhirproxy.outcomes import Refusal
from portal import consent_facts, qr
from portal.authorization import text_of
from portal.consent_facts import CHIPS
from portal.guards import PatientRequest, copies_required
from portal.health_link_form import HealthLinkForm
from portal.pages import StepUp, page
from portal.stepup import step_up

MOST_SHOWN = 100


@page("health-links", reads=("HealthLink", "Consent"))
@require_GET
@copies_required
def links(request: PatientRequest) -> HttpResponse:
    found = _own(request).annotate(opened=Count("openings", filter=Q(openings__opened=True)))
    rows = [{"link": one, "chip": CHIPS[_state(one)]} for one in found.order_by("-created_at")[:MOST_SHOWN]]
    return render(request, "portal/health_links.html", {"rows": rows})


@page("health-link-new", reads=("HealthLink", "Consent"), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@copies_required
def new(request: PatientRequest) -> HttpResponse:
    """The page that a form leads to is the one that shows the link: nobody can make it again."""
    form = HealthLinkForm(request.POST or None)
    if request.helping:
        form.keep_to_helper(helper_rights.visible(request.helping, timezone.now()))
    if request.method == "POST" and form.is_valid():
        stepup.require(request, Action.SHARE)
        made = _make(request, form)
        if made is None:
            return redirect("portal:health-links")
        return _shown(request, made.link, made.uri, made.passcode)
    status = 422 if form.errors else 200
    return render(request, "portal/health_link_new.html", {"form": form}, status=status)


@page("health-link", reads=("HealthLink", "Consent"))
@require_GET
@copies_required
def link(request: PatientRequest, link_id: UUID) -> HttpResponse:
    return _link(request, _one(request, link_id))


@require_POST
@copies_required
@step_up(Action.SHARE)
def show(request: PatientRequest, link_id: UUID) -> HttpResponse:
    """The code once more, of a link whose key we keep."""
    found = _one(request, link_id)
    if not found.sealed:
        return redirect("portal:health-link", link_id)
    return _shown(request, found, commands.again(found))


@require_POST
@copies_required
def stop(request: PatientRequest, link_id: UUID) -> HttpResponse:
    role = "helper" if request.helping else "patient"
    commands.stop(_one(request, link_id), by=request.user, role=role)
    messages.success(request, pgettext("links.stopped", "You stopped the link. Nobody can open it now."))
    return redirect("portal:health-link", link_id)


def _make(request: PatientRequest, form: HealthLinkForm) -> commands.Made | None:
    """None where there is no link; a message says why."""
    shown = text_of(render_to_string("portal/health_link_new.html#form", {"form": form}, request))
    role = "helper" if request.helping else "patient"
    act = Act(by=request.user, channel="portal", text_shown=shown, language=get_language() or "en", role=role)
    try:
        return commands.make(
            patient=request.patient, by=request.user, helper=request.helping, terms=form.terms(), act=act
        )
    except commands.TooMany:
        text = pgettext("links.too_many", "You have many links now. Stop one that you do not need first.")
    except (commands.MayNotShare, Refusal):
        text = pgettext("links.not_made", "We could not make the link. Nothing was shared. Try again later.")
    messages.error(request, text)
    return None


def _own(request: PatientRequest) -> QuerySet[HealthLink]:
    """A patient has all links to their record; a helper those that they made themself."""
    found = HealthLink.objects.filter(consent__patient=request.patient).select_related("consent", "made_by")
    return found.filter(made_by=request.user) if request.helping else found


def _one(request: PatientRequest, link_id: UUID) -> HealthLink:
    return get_object_or_404(_own(request), pk=link_id)


def _state(one: HealthLink) -> str:
    return "ended" if one.opens_left == 0 else consent_facts.state_of(one.consent)


def _link(request: PatientRequest, found: HealthLink) -> HttpResponse:
    context = {
        "link": found,
        "facts": consent_facts.facts(found.consent),
        "chip": CHIPS[_state(found)],
        "openings": found.openings.order_by("-at")[:MOST_SHOWN],
    }
    return render(request, "portal/health_link.html", context)


def _shown(request: PatientRequest, found: HealthLink, uri: str, passcode: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "link": found,
        "facts": consent_facts.facts(found.consent),
        "uri": uri,
        "picture": qr.data_uri(uri),
        "passcode": passcode,
        "asks": bool(found.passcode_hash),
    }
    return render(request, "portal/health_link_made.html", context)
