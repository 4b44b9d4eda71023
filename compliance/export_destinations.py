"""The console's pages for exports that are sent: where to, and the second person's yes to a large one.

Every page here was put into the log by `Console.admin_view` before it opened.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from compliance.export_groups import page
from exports.bulk.approvals import NotNow
from exports.models import Destination, Push
from exports.push import destinations as places
from exports.push import pushes, sending
from smart.models import Client

MOST = 50  # pushes on a page


@require_http_methods(["GET", "POST"])
def destinations(request: HttpRequest) -> HttpResponse:
    """All destinations, what waits for a second person, and a form for a new one."""
    if request.method == "POST":
        try:
            made = _register(request.POST, request.user)
            return redirect("admin:export-destination", made.pk)
        except NotNow as error:
            messages.error(request, str(error))
            return redirect("admin:export-destinations")
    services = Client.objects.filter(authorization_grant_type=Client.GRANT_CLIENT_CREDENTIALS)
    context = {
        "destinations": Destination.objects.select_related("client").order_by("ended_at", "registered_at"),
        "held": Push.objects.filter(status=Push.Status.HELD).select_related("destination__client", "job"),
        "services": services.filter(status=Client.Status.ACTIVE).order_by("client_id"),
        "kinds": Destination.Kind.choices,
        "hosts": settings.EXPORT_PUSH_HOSTS,
    }
    return page(request, "export_destinations", "Where exports may be sent", **context)


def _register(said: QueryDict, by: Any) -> Destination:
    client = Client.objects.filter(client_id=said.get("client", "")).first()
    if client is None:
        raise NotNow("Choose a service.")
    return places.register(
        client,
        kind=said.get("kind", ""),
        url=said.get("url", "").strip(),
        pins=said.get("pins", "").split(),
        secret=said.get("secret", "").strip(),
        region=said.get("region", "").strip(),
        by=by,
    )


@require_http_methods(["GET", "POST"])
def destination(request: HttpRequest, destination_id: UUID) -> HttpResponse:
    """One destination: its proof, what was sent there, and what can be changed."""
    found = get_object_or_404(Destination.objects.select_related("client"), pk=destination_id)
    if request.method == "POST":
        act = ACTS.get(request.POST.get("do", ""))
        try:
            if act is None:
                raise NotNow("Press one of the buttons.")
            act(found, request.POST, request.user)
        except NotNow as error:
            messages.error(request, str(error))
        return redirect("admin:export-destination", destination_id)
    recent = found.pushes.select_related("job", "released_by").order_by("-pk")[:MOST]
    context = {
        "destination": found,
        "challenge_address": sending.challenge_address(found),
        "pushes": [(push, sending.SAID.get(push.reason, push.reason)) for push in recent],
    }
    return page(request, "export_destination", "A destination of exports", **context)


def _release(destination: Destination, said: QueryDict, by: Any) -> None:
    number = said.get("push", "")
    push = destination.pushes.filter(pk=int(number)).first() if number.isdigit() else None
    if push is None:
        raise NotNow("There is no such export.")
    pushes.release(push, by=by)


Act = Callable[[Destination, QueryDict, Any], None]
ACTS: Mapping[str, Act] = {
    "prove": lambda found, said, by: places.prove(found, by=by),
    "end": lambda found, said, by: places.end(found, by=by),
    "release": _release,
}
