"""/status/: what works now, for people and for programs. Nobody who asks makes an EHR be asked."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from audit.health import STAYS, State
from audit.health import state as state_of_log
from audit.models import AuditEvent, Checkpoint
from fhirproxy import health
from fhirproxy.health import DOWN, Finding
from fhirproxy.models import Source
from portal.guards import anyone

WORKED_LATELY = timedelta(minutes=3)  # the EHRs are asked every minute, in the background
LOG_IN_TIME = timedelta(minutes=5)  # by then an event stands in the signed log


@dataclass(frozen=True, slots=True)
class Shown:
    """One EHR, in the state that words are for: up, slow, down, unknown."""

    name: str
    state: str
    since: datetime | None
    problem: str  # to staff


@require_safe
@anyone
def status(request: HttpRequest) -> HttpResponse:
    """A page for who prefers HTML, else JSON. 200 when all EHRs and our own parts work, else 503."""
    html = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    try:
        response = _page(request) if html else _document(request)
    except DatabaseError:
        response = _without_database(html=html)
    response.headers["Vary"] = "Accept, Accept-Language, Cookie"
    return response


def _document(request: HttpRequest) -> HttpResponse:
    found = health.findings()
    parts = _parts([finding for _, finding in found])
    log = state_of_log()
    sources = [_told(source, finding, staff=_is_staff(request)) for source, finding in found]
    return JsonResponse({"sources": sources, "parts": parts, "log": log}, status=_code(found, parts, log))


def _page(request: HttpRequest) -> HttpResponse:
    found = health.findings()
    parts = _parts([finding for _, finding in found])
    log = state_of_log()
    shown = [_shown(source, finding, staff=_is_staff(request)) for source, finding in found]
    context = {"sources": shown, "parts": parts, "log": log, "log_is_bad": log in STAYS}
    return render(request, "portal/status.html", context, status=_code(found, parts, log))


def _without_database(*, html: bool) -> HttpResponse:
    """Nobody is known, and no session: a page that asks for neither."""
    parts = {"identity": False, "queue": None, "cache": _answers_cache(), "log": False}
    if not html:
        return JsonResponse({"sources": [], "parts": parts, "log": None}, status=503)
    names = ("CLINIC_NAME", "CLINIC_PHONE", "EMERGENCY_NUMBER")
    site = {name.lower(): getattr(settings, name) for name in names}
    page = render_to_string("portal/status.html", {"sources": [], "parts": parts, **site})
    return HttpResponse(page, status=503)


def _code(found: list[tuple[Source, Finding]], parts: dict[str, bool | None], log: State) -> int:
    down = log in STAYS or any(finding.state == DOWN for _, finding in found)
    return 503 if down or not (parts["identity"] and parts["cache"]) else 200


def _is_staff(request: HttpRequest) -> bool:
    return request.user.is_authenticated and request.user.is_staff


def _told(source: Source, finding: Finding, *, staff: bool) -> dict[str, object]:
    said: dict[str, object] = {"source": source.slug, "name": source.name, "state": finding.state}
    said |= {"at": finding.at, "since": finding.since, "slow": finding.slow}
    return said | ({"problem": finding.problem} if staff and finding.problem else {})


def _shown(source: Source, finding: Finding, *, staff: bool) -> Shown:
    state = "slow" if finding.slow else finding.state
    since = datetime.fromisoformat(finding.since) if finding.since else None
    return Shown(source.name, state, since, finding.problem if staff else "")


def _parts(found: list[Finding]) -> dict[str, bool | None]:
    """Our own parts, and whether each works; None where nobody knows.

    `identity`: sign-in, whose data this process has just reached. `queue`: whether work in the background
    was done lately.
    """
    times = [datetime.fromisoformat(finding.at) for finding in found if finding.at]
    return {
        "identity": True,
        "queue": max(times) > timezone.now() - WORKED_LATELY if times else None,
        "cache": _answers_cache(),
        "log": _is_log_in_time(int(time.monotonic() // 60)),
    }


def _answers_cache() -> bool:
    try:
        cache.get("status")
    except RedisError:
        return False
    return True


@lru_cache(maxsize=1)
def _is_log_in_time(_minute: int) -> bool:
    """Looked up once a process and minute, however many ask."""
    newest = Checkpoint.objects.order_by("-size").values_list("made_at", flat=True).first()
    waiting = AuditEvent.objects.filter(recorded_at__lt=timezone.now() - LOG_IN_TIME)
    return not (waiting.filter(recorded_at__gt=newest) if newest else waiting).exists()
