"""A backend service with its key, as one is registered and approved."""

import secrets
from datetime import timedelta

from django.test import Client as Browser
from django.utils import timezone

from accounts.models import Patient
from exports.bulk import approvals
from exports.models import Group, GroupApproval
from smart import tokens
from smart.models import AccessToken, Client
from tests import factories
from tests.smart.signing import ec, public

ALL = "system/*.rs"
ASYNC = {"accept": "application/fhir+json", "prefer": "respond-async"}


class Service:
    """What it sends, with a token whose scopes a test chooses."""

    def __init__(self, name: str = "Registry", *, scope: str = ALL) -> None:
        self.key = ec()
        self.client: Client = factories.acme_client(
            name=name,
            client_type="confidential",
            jwks=public(self.key),
            redirect_uris=[],
            scope=scope,
            authorization_grant_type="client-credentials",
        )

    def token(self, scope: str = ALL, minutes: int = 5) -> str:
        """As the token endpoint leaves one of a system's own."""
        value = secrets.token_urlsafe(32)
        AccessToken.objects.create(
            application=self.client,
            scope=scope,
            token="",
            token_checksum=tokens.checksum(value),
            expires=timezone.now() + timedelta(minutes=minutes),
        )
        return value

    def send(self, method: str, path: str, *, scope: str = ALL, token: str = "", **more):
        headers = {
            **ASYNC,
            "authorization": f"Bearer {token or self.token(scope)}",
            **more.pop("headers", {}),
        }
        path = path.removeprefix("http://testserver")
        path = path if path.startswith("/") else f"/fhir/r4/{path}"
        return Browser().generic(method, path, headers=headers, **more)

    def get(self, path: str, **more):
        return self.send("GET", path, **more)


def an_administrator(name: str = "Ada Min"):
    return factories.create_staff(name, "administrator")


def a_group(*patients: Patient, id: str = "diabetes-2026", by=None) -> Group:
    by = by or an_administrator()
    group = approvals.define(id=id, name="Diabetes 2026", by=by)
    approvals.add(group, patients, by=by)
    return group


def approved(service: Service, group: Group, purpose: str = "HOPERAT", by=None) -> GroupApproval:
    approval = approvals.approve(group, service.client, purpose=purpose, by=by or an_administrator())
    service.client.refresh_from_db()
    return approval
