"""A clinic that opens links, in Python and by what the specification says alone."""

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from jwcrypto import jwe, jwk

from accounts.models import Patient, RelatedPerson, User
from consent.versions import Act
from exports.shl import commands
from exports.shl.commands import Made, Terms

CLINIC = "Lakeside Clinic"


def make(
    patient: Patient, by: User | None = None, helper: RelatedPerson | None = None, **terms: object
) -> Made:
    by = by or patient.user
    until = terms.pop("until", timezone.now() + timedelta(days=7))
    act = Act(by=by, channel="portal", text_shown="Share by link?", language="en")
    return commands.make(patient=patient, by=by, helper=helper, act=act, terms=Terms(until=until, **terms))


@dataclass(frozen=True)
class Link:
    """What a receiver knows of a link: its payload."""

    payload: dict[str, Any]

    @classmethod
    def read(cls, uri: str) -> "Link":
        encoded = uri.removeprefix("shlink:/")
        return cls(json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))))

    @property
    def path(self) -> str:
        return urlsplit(self.payload["url"]).path

    def post(self, client: Client | None = None, **said: object) -> HttpResponse:
        body = {"recipient": CLINIC} | said
        return (client or Client()).post(self.path, json.dumps(body), content_type="application/json")

    def bundle(self, **said: object) -> dict[str, Any]:
        answer = self.post(**said)
        assert answer.status_code == 200, answer.content
        return self.decrypted(answer.json()["files"][0]["embedded"])

    def decrypted(self, token: str) -> dict[str, Any]:
        jwe.default_max_compressed_size = 10_000_000
        opened = jwe.JWE()
        opened.deserialize(token, jwk.JWK(kty="oct", k=self.payload["key"]))
        return json.loads(opened.payload)


def ids(bundle: dict[str, Any], kind: str) -> Collection[str]:
    found = (e["resource"] for e in bundle["entry"])
    return [r["id"] for r in found if r["resourceType"] == kind]


def results(bundle: dict[str, Any]) -> list[str]:
    """The texts of all results."""
    found = (e["resource"] for e in bundle["entry"])
    return sorted(r["code"]["text"] for r in found if r["resourceType"] == "Observation")
