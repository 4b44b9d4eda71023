"""OAuth 2 clients, grants and tokens: django-oauth-toolkit's five models, made ours.

Access and refresh tokens are opaque and hashed at rest. Each carries the launch
context and `authorization_id`, which for a patient-directed grant is its Consent;
this app does not know what it means. All that came from one code is a token family, and
ends together when a code or a refresh token is used twice.
"""

import hashlib
import uuid

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from jwcrypto import jwk
from oauth2_provider import models as oauth

from smart import identity
from smart.event_models import SecurityEvent
from smart.launch_models import Launch, SignIn, StaffAuthorization
from smart.registration_models import ClientReview, InitialAccess

__all__ = [
    "AccessToken",
    "AuthorizationRequest",
    "Client",
    "ClientReview",
    "Grant",
    "IDToken",
    "InitialAccess",
    "KeySet",
    "Launch",
    "LaunchContext",
    "PushedRequest",
    "RefreshToken",
    "SecurityEvent",
    "Seen",
    "SignIn",
    "StaffAuthorization",
]


class Client(oauth.AbstractApplication):
    """A registered app. Called client in code, as OAuth does; patients read "app"."""

    class Status(models.TextChoices):
        """What becomes of what stands in `smart.states`."""

        SANDBOX = "sandbox"
        IN_REVIEW = "in-review"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        BLOCKED = "blocked"
        REMOVED = "removed"  # by who registered it

    status = models.CharField(max_length=10, choices=Status, default=Status.SANDBOX)
    vendor = models.CharField(max_length=200, blank=True)
    purpose = models.CharField(max_length=200, blank=True)  # in its own words; untrusted plain text
    privacy_policy_uri = models.URLField(blank=True)
    client_uri = models.URLField(blank=True)
    launch_uri = models.URLField(blank=True)  # where we open it (SMART 2.2, EHR launch); empty: nowhere
    scope = models.TextField(blank=True)  # the most it may ask for; empty: any patient scope
    jwks = models.JSONField(null=True, blank=True)  # its public keys, RFC 7517; or jwks_uri
    jwks_uri = models.URLField(blank=True)
    require_pushed_authorization_requests = models.BooleanField(default=False)
    dpop_bound_access_tokens = models.BooleanField(default=False)
    is_internal = models.BooleanField(default=False)  # a service of ours: may exchange tokens
    is_resource_server = models.BooleanField(default=False)  # may introspect tokens of others
    groups = models.JSONField(default=list, blank=True)  # Group ids a backend service was approved for
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    notification_uri = models.URLField(blank=True)  # hears, signed, when an authorization ends
    contacts = models.JSONField(default=list, blank=True)  # e-mail addresses of who answers for it
    token_endpoint_auth_method = models.CharField(max_length=30, blank=True)  # empty: any that fits
    registration_credential = models.CharField(max_length=255, blank=True)  # RFC 7591: with what it came
    registration_token = models.CharField(max_length=64, blank=True)  # RFC 7592: SHA-256 of it

    class Phi:
        fields = ("contacts",)
        safe = (
            *("token_endpoint_auth_method", "registration_credential", "registration_token"),
            *("jwks", "jwks_uri", "require_pushed_authorization_requests", "dpop_bound_access_tokens"),
            *("is_internal", "is_resource_server", "groups", "approved_at", "approved_by"),
            "notification_uri",
            "id",
            "client_id",
            "user",
            "redirect_uris",
            "post_logout_redirect_uris",
            "client_type",
            "authorization_grant_type",
            "client_secret",
            "hash_client_secret",
            "name",
            "skip_authorization",
            "created",
            "updated",
            "algorithm",
            "allowed_origins",
            "registration_source",
            "cimd_expires_at",
            "status",
            "vendor",
            "purpose",
            "privacy_policy_uri",
            "client_uri",
            "launch_uri",
            "scope",
        )

    class Meta(oauth.AbstractApplication.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(approved_at=None, approved_by=None)
                | models.Q(approved_at__isnull=False, approved_by__isnull=False),
                name="an_approval_has_a_person_and_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Client/{self.client_id}"

    @property
    def signs_assertions(self) -> bool:
        """Whether it proves itself by `private_key_jwt`, and then by nothing else."""
        return bool(self.jwks or self.jwks_uri)

    @property
    def is_approved_service(self) -> bool:
        """Whether it may act for itself, with system scopes: an administrator said so, for named groups."""
        return (
            self.authorization_grant_type == self.GRANT_CLIENT_CREDENTIALS
            and not self.is_on_trial
            and self.approved_at is not None
            and bool(self.groups)
        )

    @property
    def is_on_trial(self) -> bool:
        """Nobody has looked at it yet: it works with the records of test patients, and with no other."""
        return self.status in (self.Status.SANDBOX, self.Status.IN_REVIEW)

    def is_usable(self, request: object) -> bool:
        """Asked by the toolkit at each request, so that a suspended client is out at once."""
        return self.status == self.Status.ACTIVE or self.is_on_trial

    @property
    def jwk_key(self) -> jwk.JWK:
        """Signs this client's id_tokens."""
        return identity.signing_key(self.algorithm)

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Exactly as registered, character by character, loopback ports too (RFC 9700, 2.1)."""
        return uri in self.redirect_uris.split()


class LaunchContext(models.Model):
    """What every grant and token carries besides OAuth's own fields."""

    authorization_id = models.UUIDField(null=True, db_index=True)
    patient = models.ForeignKey("accounts.Patient", models.PROTECT, null=True, related_name="+")
    launch = models.JSONField(default=dict)  # launch context of the token response, besides `patient`
    authenticated_at = models.DateTimeField(null=True)  # when the person signed in; OIDC auth_time
    jkt = models.CharField(max_length=43, blank=True)  # thumbprint of the key it is bound to (RFC 9449)

    class Meta:
        abstract = True


class Grant(LaunchContext, oauth.AbstractGrant):
    ends_at = models.DateTimeField(null=True)  # the authorization's own end; nothing it gives outlives it
    token_family = models.UUIDField(default=uuid.uuid4, editable=False)
    consumed_at = models.DateTimeField(null=True)  # a replay of a consumed code revokes what it gave

    class Phi:
        fields = ("launch",)
        safe = (
            "id",
            "user",
            "code",
            "application",
            "expires",
            "redirect_uri",
            "scope",
            "created",
            "updated",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "claims",
            "resource",
            "authorization_id",
            "patient",
            "authenticated_at",
            "jkt",
            "ends_at",
            "token_family",
            "consumed_at",
        )

    class Meta(oauth.AbstractGrant.Meta):
        pass

    def __str__(self) -> str:
        return f"Grant/{self.pk}"


class AccessToken(LaunchContext, oauth.AbstractAccessToken):
    token_family = models.UUIDField(null=True, editable=False, db_index=True)
    act = models.JSONField(default=dict)  # who acts with it in place of the client (RFC 8693, 4.1)

    class Phi:
        fields = ("launch",)
        safe = (
            "id",
            "user",
            "source_refresh_token",
            "token",
            "token_checksum",
            "id_token",
            "application",
            "expires",
            "scope",
            "resource",
            "created",
            "updated",
            "authorization_id",
            "patient",
            "authenticated_at",
            "jkt",
            "token_family",
            "act",
        )

    class Meta(oauth.AbstractAccessToken.Meta):
        pass

    def __str__(self) -> str:
        return f"AccessToken/{self.pk}"

    @property
    def scopes(self) -> dict[str, str]:
        """The toolkit's own would show only scopes from a list; SMART scopes have a grammar."""
        return {scope: scope for scope in self.scope.split()}


class RefreshToken(LaunchContext, oauth.AbstractRefreshToken):
    scope = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)  # the absolute end, for a consent its own
    retried_at = models.DateTimeField(null=True)  # its one second use, after an answer that was lost

    class Phi:
        fields = ("launch",)
        safe = (
            "id",
            "user",
            "token",
            "token_checksum",
            "application",
            "access_token",
            "token_family",
            "resource",
            "created",
            "updated",
            "revoked",
            "authorization_id",
            "patient",
            "authenticated_at",
            "jkt",
            "scope",
            "expires_at",
            "retried_at",
        )

    class Meta(oauth.AbstractRefreshToken.Meta):
        pass

    def __str__(self) -> str:
        return f"RefreshToken/{self.pk}"

    @classmethod
    def revoke_family(cls, token_family: uuid.UUID | None) -> None:
        """End all that came from one code, access tokens without a refresh token too."""
        if token_family is None:
            return
        with transaction.atomic():
            now = timezone.now()
            cls.objects.filter(token_family=token_family, revoked=None).update(revoked=now, updated=now)
            AccessToken.objects.filter(token_family=token_family).delete()


class IDToken(oauth.AbstractIDToken):
    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "user", "jti", "application", "expires", "scope", "created", "updated")

    def __str__(self) -> str:
        return f"IDToken/{self.pk}"


class DeviceGrant(oauth.AbstractDeviceGrant):
    """The library's, which has to have one. The device flow (RFC 8628) is not offered."""

    class Phi:
        fields: tuple[str, ...] = ()
        safe = (
            *("id", "user", "device_code", "user_code", "scope", "interval", "expires", "status"),
            *("client_id", "last_checked"),
        )

    def __str__(self) -> str:
        return f"DeviceGrant/{self.pk}"


class AuthorizationRequest(models.Model):
    """An authorization request that was checked and waits for the person's answer.

    The server's own copy: what the form sends back chooses from it and adds nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    parameters = models.JSONField()  # the request's own, as checked; `scope` is what can be asked for
    shown_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    text_shown = models.TextField(blank=True)  # word for word what the page last said, to `shown_to`
    text_language = models.CharField(max_length=5, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    answered_at = models.DateTimeField(null=True)
    grant = models.OneToOneField(Grant, models.SET_NULL, null=True, related_name="+")  # null: they said no

    class Phi:
        fields = ("parameters", "text_shown")
        safe = ("id", "client", "user", "shown_to", "text_language", "created_at", "answered_at", "grant")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(answered_at=None, grant=None)
                | models.Q(answered_at__isnull=False, user__isnull=False),
                name="an_answer_has_a_person_and_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"AuthorizationRequest/{self.id}"

    @property
    def text_digest(self) -> str:
        """SHA-256, in hexadecimal, of what was shown and its language: the page's form carries it."""
        return hashlib.sha256(f"{self.text_language}\0{self.text_shown}".encode()).hexdigest()


class Seen(models.Model):
    """What may come once: the `jti` of an assertion or of a proof. Kept until it would be refused anyway."""

    digest = models.CharField(max_length=64, primary_key=True)  # SHA-256 of who said it and its jti
    expires_at = models.DateTimeField(db_index=True)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("digest", "expires_at")

    def __str__(self) -> str:
        return "Seen"


class KeySet(models.Model):
    """The keys last read from a client's `jwks_uri`."""

    client = models.OneToOneField(Client, models.CASCADE, related_name="key_set")
    uri = models.URLField()
    keys = models.JSONField(default=dict)
    fetched_at = models.DateTimeField(null=True)
    fresh_until = models.DateTimeField(null=True)
    may_be_stale = models.BooleanField(default=False, db_default=False)  # its server named no time
    tried_at = models.DateTimeField()

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "client", "uri", "keys", "fetched_at", "fresh_until", "may_be_stale", "tried_at")

    def __str__(self) -> str:
        return f"KeySet/{self.pk}"


class PushedRequest(models.Model):
    """The parameters of an authorization request that a client pushed (RFC 9126). Used once."""

    digest = models.CharField(max_length=64, primary_key=True)  # SHA-256 of the request_uri
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    parameters = models.JSONField()
    jkt = models.CharField(max_length=43, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Phi:
        fields = ("parameters",)
        safe = ("digest", "client", "jkt", "expires_at")

    def __str__(self) -> str:
        return "PushedRequest"
