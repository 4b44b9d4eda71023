"""I1 of every answer of the gate in its tests: as it leaves, its event is there, under one id with it.

Only of what was refused without a token or a session is there nothing to say.
"""

from typing import Any

from django.db import connection
from django.http import HttpResponseBase
from django.test import Client

KNOWN = "SELECT EXISTS (SELECT FROM audit_event WHERE correlation_id = %s)"
LETS_OUT = (200, 201, 304)  # a 429 is counted, and not each of them told
_request = Client.request
without: list[str] = []  # what was answered and is not in the log, of this test


def request(self: Client, **asked: Any) -> HttpResponseBase:
    """In place of the test client's own: the answer, looked at as it is handed out."""
    answer = _request(self, **asked)
    if _is_of_the_gate(asked.get("PATH_INFO", "")) and (
        answer.status_code in LETS_OUT
        or answer.status_code == 403
        or (answer.status_code == 401 and _has_token(asked))
    ):
        raw = connection.connection  # not by Django's cursor: tests count its statements
        if raw is not None and not raw.execute(KNOWN, [answer.headers.get("X-Request-Id", "")]).fetchone()[0]:
            without.append(f"{answer.status_code} {asked.get('REQUEST_METHOD')} {asked['PATH_INFO']}")
    return answer


def _is_of_the_gate(path: str) -> bool:
    return path.startswith("/fhir/") and not path.endswith(("/metadata", "/.well-known/smart-configuration"))


def _has_token(asked: dict[str, Any]) -> bool:
    return str(asked.get("HTTP_AUTHORIZATION", "")).startswith(("Bearer ", "DPoP "))
