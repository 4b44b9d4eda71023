"""Where a developer registers apps: anyone who can sign in. It is no staff role and opens no record."""

from collections.abc import Iterator
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from portal.developer_form import PROOFS, AppForm, ClaimForm
from portal.guards import signed_in
from portal.pages import page
from smart import commands, metadata, registration, states
from smart.commands import InvalidClient, NotReady
from smart.models import Client, ClientReview
from smart.states import OF_OWNER, Act, WrongState

STATUS = {
    Client.Status.SANDBOX: pgettext_lazy("developer.status.sandbox", "In the sandbox"),
    Client.Status.IN_REVIEW: pgettext_lazy("developer.status.in_review", "In review"),
    Client.Status.ACTIVE: pgettext_lazy("developer.status.active", "In production"),
    Client.Status.SUSPENDED: pgettext_lazy("developer.status.suspended", "Suspended"),
    Client.Status.BLOCKED: pgettext_lazy("developer.status.blocked", "Blocked"),
}
WHERE = {
    Client.Status.SANDBOX: pgettext_lazy(
        "developer.where.sandbox",
        "It works now, with made-up test patients only. Ask for a review to use it with real people.",
    ),
    Client.Status.IN_REVIEW: pgettext_lazy(
        "developer.where.in_review", "The clinic is looking at it. It still works with test patients."
    ),
    Client.Status.ACTIVE: pgettext_lazy(
        "developer.where.active", "People can share their records with it. What was reviewed cannot change."
    ),
    Client.Status.SUSPENDED: pgettext_lazy(
        "developer.where.suspended", "The clinic stopped it for now. It gets nothing. Call the clinic."
    ),
    Client.Status.BLOCKED: pgettext_lazy(
        "developer.where.blocked", "The clinic blocked it. It gets nothing."
    ),
}
KIND: dict[str, str] = {
    Client.Status.ACTIVE: "good",
    Client.Status.SUSPENDED: "warn",
    Client.Status.BLOCKED: "warn",
}
REASON = {
    "name": pgettext_lazy("developer.reason.name", "The name is not its own, or looks like another."),
    "purpose": pgettext_lazy("developer.reason.purpose", "It is not clear what it is for."),
    "policy": pgettext_lazy(
        "developer.reason.policy", "The privacy policy does not say what becomes of records."
    ),
    "scopes": pgettext_lazy("developer.reason.scopes", "It asks for more than it needs."),
    "addresses": pgettext_lazy("developer.reason.addresses", "Its addresses are not those of its maker."),
    "other": pgettext_lazy("developer.reason.other", "There is another reason."),
}


class DeveloperRequest(HttpRequest):
    user: User


@page("developers", reads=("Client",))
@require_GET
@signed_in
def developers(request: DeveloperRequest) -> HttpResponse:
    rows = [
        {"client": one, "status": STATUS[Client.Status(one.status)], "kind": KIND.get(one.status)}
        for one in commands.apps_of(request.user)
    ]
    return render(
        request,
        "portal/developers.html",
        {"rows": rows, "base": settings.FHIR_BASE_URL, "can_claim": registration.is_on()},
    )


@page("developer-new", reads=("Client",))
@require_http_methods(["GET", "POST"])
@signed_in
def new(request: DeveloperRequest) -> HttpResponse:
    form = AppForm(request.POST or None, initial={"user": "person", "proof": "none"})
    if request.method == "POST" and form.is_valid():
        try:
            client, _ = commands.register_app(form.said(), by=request.user)
        except InvalidClient as error:
            form.refuse(error)
        else:
            return redirect("portal:developer-app", client.client_id)
    return render(request, "portal/developer_new.html", {"form": form}, status=422 if form.errors else 200)


@page("developer-claim", reads=("Client",))
@require_http_methods(["GET", "POST"])
@signed_in
@sensitive_post_parameters("token")
def claim(request: DeveloperRequest) -> HttpResponse:
    """An app that registered itself gets an owner: whoever holds its registration access token."""
    form = ClaimForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            client = commands.claim(**form.cleaned_data, by=request.user)
        except InvalidClient as error:
            form.refuse(error)
        else:
            return redirect("portal:developer-app", client.client_id)
    return render(request, "portal/developer_claim.html", {"form": form}, status=422 if form.errors else 200)


@page("developer-app", reads=("Client", "ClientReview"))
@require_GET
@signed_in
def app(request: DeveloperRequest, client_id: str) -> HttpResponse:
    return _app(request, _own(request, client_id))


def _app(request: DeveloperRequest, client: Client, secret: str = "") -> HttpResponse:
    """With a secret it is the one page that ever shows it."""
    said = metadata.said_by(client)
    last = client.reviews.exclude(outcome="").order_by("-decided_at").first()
    refused = last if last and last.outcome == ClientReview.Outcome.REFUSED else None
    labels = {name: field.label for name, field in AppForm.base_fields.items()}
    context = {
        "client": client,
        "secret": secret,
        "facts": list(_facts(client)),
        "status": STATUS[Client.Status(client.status)],
        "where": WHERE[Client.Status(client.status)],
        "kind": KIND.get(client.status),
        "acts": states.open_to(client.status, OF_OWNER),
        "missing": [labels[name] for name in commands.missing_for_review(client)],
        "needs_secret": commands.needs_secret(client),
        "proof": dict(PROOFS).get(_proof(client, said["token_endpoint_auth_method"])),
        "refused": refused if client.status == Client.Status.SANDBOX else None,
        "why": REASON.get(refused.reason) if refused else None,
        "usable": client.is_usable(None),
    }
    return render(request, "portal/developer_app.html", context)


def _facts(client: Client) -> Iterator[tuple[str | Promise, str]]:
    """What goes into an app's code; the names of protocols are nobody's language."""
    base = settings.FHIR_BASE_URL
    yield "client_id", client.client_id
    yield pgettext_lazy("developer.aud", "FHIR base (aud)"), base
    discovery = f"{base}/.well-known/smart-configuration"
    yield pgettext_lazy("developer.discovery", "Discovery"), discovery
    yield from (("redirect_uri", uri) for uri in client.redirect_uris.split())
    if client.scope:
        yield pgettext_lazy("developer.scope", "Scopes"), client.scope


def _proof(client: Client, method: str) -> str:
    return method if method != "private_key_jwt" else "jwks_uri" if client.jwks_uri else "jwks"


@page("developer-change", reads=("Client",))
@require_http_methods(["GET", "POST"])
@signed_in
def change(request: DeveloperRequest, client_id: str) -> HttpResponse:
    client = _own(request, client_id)
    form = AppForm(request.POST or None, initial=AppForm.initial_of(client))
    if request.method == "POST" and form.is_valid():
        try:
            commands.change_client(client, form.said(), by=request.user)
        except InvalidClient as error:
            form.refuse(error)
        except WrongState:
            return _too_late(request, client)
        else:
            messages.success(request, pgettext("developer.changed", "Your changes are saved."))
            return redirect("portal:developer-app", client_id)
    context = {"form": form, "client": client}
    return render(request, "portal/developer_change.html", context, status=422 if form.errors else 200)


@require_POST
@signed_in
def secret(request: DeveloperRequest, client_id: str) -> HttpResponse:
    """Make a secret and show it, here and never again; the one before ends."""
    client = _own(request, client_id)
    try:
        return _app(request, client, commands.new_secret(client, by=request.user))
    except InvalidClient:
        return _too_late(request, client)


@require_POST
@signed_in
def move(request: DeveloperRequest, client_id: str) -> HttpResponse:
    """Ask for a review, take it back, leave production, or remove: by the button that was pressed."""
    client, asked = _own(request, client_id), request.POST.get("do", "")
    if asked not in OF_OWNER:
        raise Http404
    try:
        moved = commands.move(client, Act(asked), by=request.user)
    except NotReady:
        text = pgettext("developer.not_ready", "Fill in what is missing first.")
        messages.error(request, text)
        return redirect("portal:developer-app", client_id)
    except WrongState:
        return _too_late(request, client)
    if moved.status == Client.Status.REMOVED:
        messages.success(request, pgettext("developer.removed", "The app is removed. It gets nothing now."))
        return redirect("portal:developers")
    return redirect("portal:developer-app", client_id)


def _too_late(request: HttpRequest, client: Client) -> HttpResponse:
    messages.error(request, pgettext("developer.too_late", "The app has moved on. Look at it again."))
    return redirect("portal:developer-app", client.client_id)


def _own(request: DeveloperRequest, client_id: str) -> Client:
    """Another person's app is as one that is not there."""
    return cast(Client, get_object_or_404(commands.apps_of(request.user), client_id=client_id))
