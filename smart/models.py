"""OAuth 2 clients, grants and tokens: django-oauth-toolkit's five models, made ours.

Access and refresh tokens are opaque and hashed at rest. Each carries the launch
context and `authorization_id`, which for a patient-directed grant is its Consent;
this app does not know what it means.
"""

import uuid

from django.db import models
from django.utils import timezone
from oauth2_provider import models as oauth


class Client(oauth.AbstractApplication):
    """A registered app. Called client in code, as OAuth does; patients read "app"."""

    class Status(models.TextChoices):
        SANDBOX = "sandbox"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        BLOCKED = "blocked"

    status = models.CharField(max_length=10, choices=Status, default=Status.SANDBOX)
    vendor = models.CharField(max_length=200, blank=True)
    purpose = models.CharField(max_length=200, blank=True)  # in its own words; untrusted plain text
    privacy_policy_uri = models.URLField(blank=True)
    client_uri = models.URLField(blank=True)
    scope = models.TextField(blank=True)  # the most it may ask for; empty: any patient scope

    class Phi:
        fields: tuple[str, ...] = ()
        safe = tuple(
            "id client_id user redirect_uris post_logout_redirect_uris client_type "
            "authorization_grant_type client_secret hash_client_secret name skip_authorization created "
            "updated algorithm allowed_origins registration_source cimd_expires_at status vendor purpose "
            "privacy_policy_uri client_uri scope".split()
        )

    def __str__(self) -> str:
        return f"Client/{self.client_id}"


class LaunchContext(models.Model):
    """What every grant and token carries besides OAuth's own fields."""

    authorization_id = models.UUIDField(null=True, db_index=True)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, null=True, related_name="+")
    launch = models.JSONField(default=dict)  # SMART launch context parameters of the token response

    class Meta:
        abstract = True


class Grant(LaunchContext, oauth.AbstractGrant):
    consumed_at = models.DateTimeField(null=True)  # a replay of a consumed code revokes what it gave

    class Phi:
        fields: tuple[str, ...] = ()
        safe = tuple(
            "id user code application expires redirect_uri scope created updated code_challenge "
            "code_challenge_method nonce claims resource authorization_id patient launch consumed_at".split()
        )

    class Meta(oauth.AbstractGrant.Meta):
        pass

    def __str__(self) -> str:
        return f"Grant/{self.pk}"


class AccessToken(LaunchContext, oauth.AbstractAccessToken):
    class Phi:
        fields: tuple[str, ...] = ()
        safe = tuple(
            "id user source_refresh_token token token_checksum id_token application expires scope "
            "resource created updated authorization_id patient launch".split()
        )

    class Meta(oauth.AbstractAccessToken.Meta):
        pass

    def __str__(self) -> str:
        return f"AccessToken/{self.pk}"


class RefreshToken(LaunchContext, oauth.AbstractRefreshToken):
    scope = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)  # the absolute end, for a consent its own

    class Phi:
        fields: tuple[str, ...] = ()
        safe = tuple(
            "id user token token_checksum application access_token token_family resource created "
            "updated revoked authorization_id patient launch scope expires_at".split()
        )

    class Meta(oauth.AbstractRefreshToken.Meta):
        pass

    def __str__(self) -> str:
        return f"RefreshToken/{self.pk}"


class IDToken(oauth.AbstractIDToken):
    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "user", "jti", "application", "expires", "scope", "created", "updated")

    def __str__(self) -> str:
        return f"IDToken/{self.pk}"


class AuthorizationRequest(models.Model):
    """An authorization request that was checked and waits for the person's answer.

    The server's own copy: what the form sends back chooses from it and adds nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    parameters = models.JSONField()  # the request's own, as checked
    created_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "client", "user", "parameters", "created_at", "answered_at")

    def __str__(self) -> str:
        return f"AuthorizationRequest/{self.id}"
