"""Signing in with an identity provider: the way there, the way back, and who is not known here yet."""

from typing import cast
from uuid import UUID

from allauth.account.utils import get_next_redirect_url
from allauth.core.internal import ratelimit
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import activation, factors, provider_facts, providers, stepup
from accounts.models import User
from accounts.providers import Answer, Errand, Failed
from accounts.stepup import Action
from consent import ages
from fhirproxy.outcomes import EhrFailure
from portal import provider_match
from portal.guards import anyone, signed_in
from portal.pages import page
from portal.stepup import step_up
from portal.views import activate
from portal.views.stepup import go_on

DOWN = pgettext_lazy(
    "provider.down", "They do not answer just now. Sign in another way, or try again in some minutes."
)
CANCELLED = pgettext_lazy("provider.cancelled", "You came back without signing in. Nothing was changed.")
TAKEN = pgettext_lazy("provider.taken", "It is linked to another account, or you have a link there already.")
LAST = pgettext_lazy("security.last", "This is your only way to sign in. Add another one first.")
OTHER = pgettext_lazy("provider.failed", "That did not work, so nothing was changed. Try once more.")
WORDS = {
    "provider.down": DOWN,
    "provider.cancelled": CANCELLED,
    "provider.taken": TAKEN,
    "provider.last": LAST,
}


@require_POST
@anyone
def begin(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """From the page of sign-in to the provider."""
    _check_known(provider_id)
    if request.user.is_authenticated:
        return redirect("portal:home")
    next_url = get_next_redirect_url(request) or ""
    return _go(request, provider_id, Errand.SIGN_IN, shared=request.POST.get("shared", ""), next=next_url)


@require_POST
@signed_in
@step_up(Action.SECURITY)
def change(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Link a provider to one's account, or take the link off."""
    _check_known(provider_id)
    if request.POST.get("do") == "link":
        return _go(request, provider_id, Errand.LINK)
    try:
        providers.unlink(request, cast(User, request.user), provider_id)
    except Failed as error:
        return _failed(request, provider_id, Errand.LINK, error)
    messages.success(request, pgettext("provider.unlinked", "You no longer sign in that way."))
    return redirect("portal:security")


@require_POST
@signed_in
def again(request: HttpRequest, waiting_id: UUID, provider_id: str) -> HttpResponseBase:
    """To prove once more who you are, for the action that waits."""
    _check_known(provider_id)
    if stepup.waiting(request, waiting_id) is None:
        raise Http404
    return _go(request, provider_id, Errand.STEP_UP, waiting=str(waiting_id))


@require_GET
@anyone
def back(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """What the provider says, in the answer of the person's own browser."""
    _check_known(provider_id)
    try:
        answer = providers.finish(request, provider_id)
        match answer.told["errand"]:
            case Errand.LINK:
                return _link(request, answer)
            case Errand.STEP_UP:
                return _prove(request, answer)
            case _:
                return _sign_in(request, answer)
    except Failed as error:
        errand = Errand.LINK if request.user.is_authenticated else Errand.SIGN_IN
        return _failed(request, provider_id, errand, error)


@page("provider-new", reads=("Patient",))
@require_http_methods(["GET", "POST"])
@anyone
def unknown(request: HttpRequest) -> HttpResponseBase:
    """The provider knows them and we do not: with a code of the clinic, or by what the provider verified."""
    waits = provider_facts.waiting(request)
    if waits is None or request.user.is_authenticated:
        return redirect("account_login")
    label = settings.IDENTITY_PROVIDERS[waits.provider].label
    problem = _match(request, waits) if request.method == "POST" and waits.is_identified else None
    if isinstance(problem, HttpResponse):
        return problem
    context = {"provider": label, "waits": waits, "problem": problem}
    return render(request, "portal/provider_new.html", context, status=422 if problem else 200)


def _match(request: HttpRequest, waits: provider_facts.Waiting) -> HttpResponse | str:
    """On to the account, or why not."""
    if not ratelimit.consume(request, app="allauth.account", action="activate"):
        return render(request, "429.html", status=429)
    try:
        patient = provider_match.find(waits)
    except EhrFailure:
        return pgettext("provider.match.later", "We cannot look for your record just now. Try again later.")
    if patient is None or not ages.may_sign_in(patient, timezone.now()):
        providers.failed(waits.provider, "provider.no-record", user=None, errand=Errand.SIGN_IN)
        return pgettext(
            "provider.match.none", "We could not be sure which record is yours. Ask your clinic for a code."
        )
    try:
        activate.begin(request, activation.for_identified(patient))
    except activation.Refused:
        providers.failed(waits.provider, "provider.has-account", user=patient.user, errand=Errand.SIGN_IN)
        return pgettext(
            "provider.match.account",
            "You have an account here already. Sign in the way you do, then link this one in your settings.",
        )
    return redirect("portal:activate-account")


def _sign_in(request: HttpRequest, answer: Answer) -> HttpResponseBase:
    user = providers.owner(answer)
    if user is None:
        providers.failed(answer.provider.id, "provider.unknown", user=None, errand=Errand.SIGN_IN)
        provider_facts.keep(request, answer)
        return redirect("portal:provider-new")
    return providers.sign_in(request, user, answer, redirect_url=answer.told.get("next") or None)


def _link(request: HttpRequest, answer: Answer) -> HttpResponseBase:
    providers.link(request, cast(User, request.user), answer)
    messages.success(request, pgettext("provider.linked.done", "You can sign in that way from now on."))
    return redirect("portal:security")


def _prove(request: HttpRequest, answer: Answer) -> HttpResponseBase:
    user = cast(User, request.user)
    waits = stepup.waiting(request, UUID(answer.told["waiting"]))
    if waits is None:
        return render(request, "portal/step_up_over.html", status=404)
    factor = factors.by_provider(answer.assurance)
    if providers.owner(answer) != user or factor not in stepup.accepted_of(user, waits.action):
        stepup.failed(request, waits, "provider")
        return redirect("portal:step-up", waits.id)
    providers.record_proof(request, user, answer, reauthenticated=True)
    stepup.passed(request, waits, factor)
    return go_on(request, waits)


def _go(request: HttpRequest, provider_id: str, errand: Errand, **told: str) -> HttpResponseBase:
    try:
        return providers.start(request, provider_id, errand, **told)
    except Failed as error:
        return _failed(request, provider_id, errand, error)


def _failed(request: HttpRequest, provider_id: str, errand: Errand, error: Failed) -> HttpResponse:
    user = request.user if request.user.is_authenticated else None
    providers.failed(provider_id, error.code, user=user, errand=errand)
    label = settings.IDENTITY_PROVIDERS[provider_id].label
    context = {"provider": label, "text": WORDS.get(error.code, OTHER)}
    return render(request, "portal/provider_failed.html", context, status=422)


def _check_known(provider_id: str) -> None:
    if provider_id not in settings.IDENTITY_PROVIDERS:
        raise Http404
