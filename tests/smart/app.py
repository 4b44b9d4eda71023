"""An app as the tests need it: it speaks the protocol, and keeps what it got."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse
from django.test import Client as Browser

from audit.models import AuditEvent
from smart.models import Client
from tests.factories import acme_client

FHIR_BASE = "http://testserver/fhir/r4"
REDIRECT_URI = "http://127.0.0.1:8001/callback"
LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
SCOPE = "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs"


DIGEST = re.compile(r'name="shown" value="([0-9a-f]{64})"')


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def answer_of(response: HttpResponse) -> dict[str, str]:
    """The parameters that the app gets back in its redirect URI."""
    assert response.status_code == 302, response.content[:400]
    assert response["Location"].startswith(REDIRECT_URI), response["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}


@dataclass
class App:
    browser: Browser  # of the person
    client: Client = field(default_factory=acme_client)
    scope: str = SCOPE
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    machine: Browser = field(default_factory=Browser)  # its own server: no cookies of the person

    def parameters(self, **changes: str | None) -> dict[str, str]:
        """Of an authorization request; None takes one away."""
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": self.scope,
            "state": "a-state-of-the-app",
            "aud": FHIR_BASE,
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
        } | changes
        return {name: value for name, value in asked.items() if value is not None}

    def ask(self, **changes: str | None) -> HttpResponse:
        return self.browser.get("/o/authorize/", self.parameters(**changes))

    def page(self, **changes: str | None) -> str:
        """The address of the consent page."""
        response = self.ask(**changes)
        assert response.status_code == 302, response.content[:400]
        return response["Location"]

    def answer(self, page: str, **choice: Any) -> HttpResponse:
        """What a person does on the page: it is shown, then sent back."""
        return self.browser.post(page, self.form(page, **choice))

    def form(self, page: str, **choice: Any) -> dict[str, Any]:
        """The filled form, with what the page itself puts into it."""
        digest = DIGEST.search(self.browser.get(page).content.decode())
        itself = {"shown": digest[1]} if digest else {}
        return itself | {"do": "share", "what": "all", "days": "30"} | choice

    def code(self, *, asked: dict[str, str | None] | None = None, **choice: Any) -> str:
        return answer_of(self.answer(self.page(**(asked or {})), **choice))["code"]

    def redeem(self, code: str, /, **changes: str | None) -> HttpResponse:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "client_id": self.client.client_id,
            "code_verifier": self.verifier,
        } | changes
        return self.post("/o/token/", body)

    def connect(self, **choice: Any) -> dict[str, Any]:
        """All the way to tokens."""
        response = self.redeem(self.code(**choice))
        assert response.status_code == 200, response.content
        return response.json()

    def refresh(self, refresh_token: str, /, **changes: str) -> HttpResponse:
        body = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.client.client_id,
        }
        return self.post("/o/token/", body | changes)

    def userinfo(self, token: str) -> HttpResponse:
        return self.machine.get("/o/userinfo/", headers={"Authorization": f"Bearer {token}"})

    def post(self, path: str, body: dict[str, str | None], **headers: str) -> HttpResponse:
        sent = {name: value for name, value in body.items() if value is not None}
        return self.machine.post(path, sent, headers=headers)


def reasons() -> list[str]:
    """Why tokens were refused, oldest first, from the log."""
    events = AuditEvent.objects.filter(type="token:refuse").order_by("recorded_at")
    return [reason for event in events for reason in event.reasons]
