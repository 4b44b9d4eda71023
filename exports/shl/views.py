"""The addresses that receiving applications ask: manifest, direct file, file at an address.

No session and no token opens anything here, so nothing of a browser's own comes along (CSRF).
"""

import json
import unicodedata
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from exports.link_models import HealthLinkOpening
from exports.shl import openings
from exports.shl.openings import Asked, Gone, Shown, WrongPasscode
from exports.shl.payload import CONTENT_TYPE
from fhirproxy import budgets
from fhirproxy.outcomes import Refusal

JOSE = "application/jose"
LONGEST_BODY = 10_000  # bytes
LONGEST_RECIPIENT = HealthLinkOpening._meta.get_field("recipient").max_length
POLL_AGAIN = 900  # seconds that whoever has a live link should wait

View = Callable[[HttpRequest, str], HttpResponse]


def answering(view: View) -> View:
    """Turn what the room raises into what the specification says. Guesses spend the budget of an address."""

    @csrf_exempt
    @wraps(view)
    def answered(request: HttpRequest, address: str) -> HttpResponse:
        where = budgets.address_of(request)
        try:
            budgets.admit_address(where)
            return view(request, address)
        except Gone:
            budgets.strike(where)
            return JsonResponse({"error": "This link does not exist, or has ended."}, status=404)
        except WrongPasscode as wrong:
            return JsonResponse({"remainingAttempts": wrong.remaining}, status=401)
        except Refusal as refusal:
            body = {"error": refusal.diagnostics}
            return JsonResponse(body, status=refusal.status, headers=refusal.headers)

    return answered


@answering
def link(request: HttpRequest, address: str) -> HttpResponse:
    """POST: the manifest. GET: the file of a link with flag U."""
    if request.method == "POST":
        shown = openings.answer(address, _asked(request))
        headers = {"Retry-After": str(POLL_AGAIN)} if shown.link.is_live else {}
        return JsonResponse({"files": [_entry(shown)]}, headers=headers)
    if request.method == "GET":
        asked = Asked(_recipient(request.GET.get("recipient")), direct=True)
        return HttpResponse(openings.answer(address, asked).body, content_type=JOSE)
    raise Refusal(405, "A manifest is asked for by POST, a direct file by GET.", {"Allow": "GET, POST"})


@answering
def file(request: HttpRequest, address: str) -> HttpResponse:
    """A file of a manifest that was not embedded."""
    if request.method != "GET":
        raise Refusal(405, "A file is asked for by GET.", {"Allow": "GET"})
    return HttpResponse(openings.at_address(address), content_type=JOSE)


def _entry(shown: Shown) -> dict[str, str]:
    where = {"location": f"{settings.BASE_URL}/shl/file/{shown.address}"} if shown.address else {}
    return {
        "contentType": CONTENT_TYPE,
        **(where or {"embedded": shown.body}),
        "lastUpdated": shown.made_at.isoformat(timespec="seconds"),
        "status": "can-change" if shown.link.is_live else "finalized",
        "fhirVersion": "4.0.1",
    }


def _asked(request: HttpRequest) -> Asked:
    """Raises Refusal (400). What is not known is ignored, as the specification has it."""
    try:
        said: Any = json.loads(request.body if len(request.body) <= LONGEST_BODY else b"")
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Refusal(400, "Send a JSON object with a recipient.")
    passcode, most = said.get("passcode") or "", said.get("embeddedLengthMax")
    if not isinstance(passcode, str):
        raise Refusal(400, "A passcode is a string.")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool)):
        raise Refusal(400, "embeddedLengthMax is a whole number.")
    return Asked(_recipient(said.get("recipient")), passcode[:100], most)


def _recipient(said: object) -> str:
    """Who they say they are, on one line. Raises Refusal (400) for nothing that could be shown."""
    words = "".join(" " if c.isspace() else c for c in said) if isinstance(said, str) else ""
    shown = "".join(c for c in words if unicodedata.category(c)[0] != "C")
    if not (line := " ".join(shown.split())[:LONGEST_RECIPIENT]):
        raise Refusal(400, "Say who receives this, as recipient.")
    return line
