"""The console's pages for apps: who waits for a review, what is decided, and who may let software register.

Every page here was put into the log by `Console.admin_view` before it opened.
"""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from smart import commands, metadata, registration, states
from smart.commands import InvalidClient
from smart.lookalikes import resembling
from smart.models import Client, ClientReview, InitialAccess
from smart.states import OF_REVIEWER, Act, WrongState


def _page(request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
    whole = admin.site.each_context(request) | {"title": title} | context
    return TemplateResponse(request, f"admin/compliance/{name}.html", whole)


@require_http_methods(["GET", "POST"])
def apps(request: HttpRequest) -> HttpResponse:
    """Who waits, oldest first; and initial access tokens, where the site takes them (RFC 7591)."""
    token = ""
    if request.method == "POST":
        token = _access(request)
        if not token:
            return redirect("admin:apps")
    waiting = ClientReview.objects.filter(decided_at=None).select_related("client", "asked_by")
    context = {
        "waiting": waiting.order_by("asked_at")[:200],
        "takes_tokens": settings.DYNAMIC_REGISTRATION == registration.TOKEN,
        "accesses": InitialAccess.objects.filter(expires_at__gt=timezone.now()).select_related("made_by"),
        "token": token,
    }
    return _page(request, "apps", "Apps", **context)


def _access(request: HttpRequest) -> str:
    """Give a token, which the answer shows once, or end one."""
    by: Any = request.user
    if request.POST.get("do") == "give" and settings.DYNAMIC_REGISTRATION == registration.TOKEN:
        return commands.give_initial_access(by=by, note=request.POST.get("note", ""))[1]
    ended = request.POST.get("end", "")
    if ended.isdigit():
        commands.end_initial_access(get_object_or_404(InitialAccess, pk=int(ended)), by=by)
    return ""


@require_http_methods(["GET", "POST"])
def app(request: HttpRequest, client_id: str) -> HttpResponse:
    """One app as it says it is, what its name may be taken for, and the decision."""
    client = get_object_or_404(Client.objects.select_related("user"), client_id=client_id)
    if request.method == "POST":
        _decide(request, client)
        return redirect("admin:app-review", client_id)
    said = [(name, _text(value)) for name, value in metadata.said_by(client).items()]
    context = {
        "client": client,
        "said": said,
        "alike": list(resembling(client)),
        "acts": states.open_to(client.status, OF_REVIEWER),
        "reasons": ClientReview.Reason.choices,
        "reviews": client.reviews.select_related("asked_by", "decided_by").order_by("-asked_at"),
        "is_service": client.authorization_grant_type == Client.GRANT_CLIENT_CREDENTIALS,
    }
    return _page(request, "app", f"App {client.name}", **context)


def _text(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _decide(request: HttpRequest, client: Client) -> None:
    by: Any = request.user
    asked, said = request.POST.get("do", ""), request.POST
    try:
        if asked in OF_REVIEWER:
            commands.move(
                client, Act(asked), by=by, reason=said.get("reason", ""), words=said.get("words", "")
            )
        else:
            messages.error(request, "Press one of the buttons.")
    except InvalidClient as error:
        messages.error(request, str(error))
    except WrongState:
        messages.error(request, "The app has moved on. Look at it again.")
