"""The authorization request: checked, kept on the server, answered.

Nothing is ever sent to an address that is not registered for the client that asks. What
the form of the consent page sends back chooses from the kept request and adds nothing.
"""

import base64
import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from oauth2_provider.exceptions import FatalClientError, OAuthToolkitError
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import Request, add_params_to_uri
from oauthlib.oauth2.rfc6749 import errors

from accounts.models import User
from smart import authorizations, launches, par, tokens, trail
from smart.authorizations import Authorization
from smart.models import AuthorizationRequest, Client, Grant
from smart.scopes import ENCOUNTER, LAUNCH, Scope
from smart.server import core, is_readable

OPEN_FOR = timedelta(hours=1)  # a request that nobody answered ends then
CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # S256, RFC 7636 4.2
THUMBPRINT = re.compile(r"(?:[A-Za-z0-9_-]{43})?")  # RFC 7638, SHA-256; or none
MAX_AGE = re.compile(r"[0-9]{1,9}")  # seconds; more than 31 years cannot be told from no limit
KEPT = ("redirect_uri", "state", "code_challenge", "nonce", "prompt", "max_age", "acr_values")
# What else oauthlib would read from an authorization request; set, so that it stands nowhere else.
UNUSED = dict.fromkeys(("claims", "prompt", "response_mode", "resource", "id_token_hint", "ui_locales"))


class Unsafe(Exception):
    """There is no address that an answer may be sent to; the person sees a page."""


class Refused(Exception):
    """The app gets an error at its own address. `location` is where to."""

    def __init__(self, location: str, client: Client) -> None:
        super().__init__("authorization request refused")
        self.location, self.client = location, client


def receive(request: HttpRequest) -> AuthorizationRequest:
    """Check a request and keep it. Raises Unsafe or Refused."""
    if not is_readable(request) or (request.method == "POST" and request.GET):
        raise Unsafe  # a request of two halves is read as another one by each who reads it
    try:
        jkt = par.unfold(request)
        if "redirect_uri" not in (request.POST if request.method == "POST" else request.GET):
            raise Unsafe  # SMART 2.2 asks for it, also where only one is registered
        scopes, found = core().validate_authorization_request(request)
    except (par.NotPushed, FatalClientError) as error:
        raise Unsafe from error
    except OAuthToolkitError as error:
        raise _refusal(error.oauthlib_error, request) from error
    asked: Request = found["request"]
    if fault := _fault(asked, scopes):
        raise _refusal(fault, request)
    parameters = {name: getattr(asked, name, None) for name in KEPT}
    parameters["jkt"] = jkt
    parameters["aud"] = _extra(asked, "aud").removesuffix("/")
    launch = None
    if value := _extra(asked, "launch"):  # after all else: it can be used once
        launch = launches.take(value, asked.client) if LAUNCH in scopes else None
        if launch is None:
            why = "launch is not one of ours, or was used" if LAUNCH in scopes else "launch needs its scope"
            raise _refusal(errors.InvalidRequestError(why, request=asked), request)
    parameters["launch_id"] = str(launch.pk) if launch else None
    has_visit = launch is not None and "encounter" in launch.context
    told = {LAUNCH: launch is not None, ENCOUNTER: has_visit}
    parameters["scope"] = " ".join(scope for scope in scopes if told.get(scope, True))
    return AuthorizationRequest.objects.create(client=asked.client, parameters=parameters)


def fault_of_pushed(request: HttpRequest) -> errors.OAuth2Error | None:
    """What is wrong with an authorization request that is pushed, while nobody is there to ask."""
    try:
        scopes, found = core().validate_authorization_request(request)
    except (FatalClientError, OAuthToolkitError) as error:
        return error.oauthlib_error
    return _fault(found["request"], scopes)


def _fault(asked: Request, scopes: list[str]) -> errors.OAuth2Error | None:
    """What SMART App Launch 2.2 asks of a request besides RFC 6749, and what we do not offer."""
    invalid = [
        (not asked.state, "state is required"),
        (asked.code_challenge_method != "S256", "code_challenge_method must be S256"),
        (not CODE_CHALLENGE.fullmatch(asked.code_challenge or ""), "code_challenge is malformed"),
        (
            not authorizations.is_base(_extra(asked, "aud").removesuffix("/")),
            "aud is not a FHIR base of ours",
        ),
        (asked.response_mode not in (None, "query"), "response_mode must be query"),
        (len(asked.nonce or "") > 255, "nonce is longer than 255 characters"),
        (not THUMBPRINT.fullmatch(_extra(asked, "dpop_jkt")), "dpop_jkt is malformed"),
        (not MAX_AGE.fullmatch(asked.max_age or "0"), "max_age is not a number of seconds"),
        (
            bool(_extra(asked, "launch"))
            and _extra(asked, "aud").removesuffix("/") != settings.FHIR_BASE_URL,
            "launch is of another FHIR base",
        ),
        ("none" in words(asked.prompt) and len(words(asked.prompt)) > 1, "prompt=none stands alone"),
        (bool(asked.duplicate_params), "a parameter stands there twice"),
    ]
    for wrong, why in invalid:
        if wrong:
            return errors.InvalidRequestError(why, request=asked)
    for name in ("request", "request_uri"):
        if _extra(asked, name):
            return errors.CustomOAuth2Error(f"{name}_not_supported", request=asked)
    if asked.resource is not None and not authorizations.is_base(asked.resource):
        return errors.CustomOAuth2Error("invalid_target", request=asked)
    if not any(Scope.parse_all(" ".join(scopes))):
        return errors.InvalidScopeError("no scope for a record that a person can share", request=asked)
    if "none" in words(asked.prompt):  # G2: nothing is ever shared without asking
        return errors.ConsentRequired(request=asked)
    return None


def words(prompt: str | list[str] | None) -> list[str]:
    """The values of `prompt`: oauthlib gives them as a list where there is `openid`, else as they came."""
    return prompt.split() if isinstance(prompt, str) else list(prompt or ())


def _extra(asked: Request, name: str) -> str:
    return getattr(asked, name, None) or ""


def _refusal(error: errors.OAuth2Error, request: HttpRequest) -> Refused | Unsafe:
    """Back to the app, if the address is its own; the check is made again, here, where it matters."""
    client = Client.objects.filter(client_id=error.client_id or "").first()
    if client is None or not client.redirect_uri_allowed(error.redirect_uri or ""):
        return Unsafe()
    state = error.state
    if error.error == "consent_required" and not request.user.is_authenticated:
        return Refused(_error_location(error.redirect_uri, errors.LoginRequired(), state), client)
    return Refused(_error_location(error.redirect_uri, error, state), client)


def _error_location(redirect_uri: str, error: errors.OAuth2Error, state: str | None) -> str:
    description = [("error_description", error.description)] if error.description else []
    return _location(redirect_uri, [("error", error.error), *description], state)


def _location(redirect_uri: str, answer: list[tuple[str, str]], state: str | None) -> str:
    """RFC 9207: every answer says who gives it."""
    issuer = str(oauth2_settings.OIDC_ISS_ENDPOINT)
    parameters = [*answer, *([("state", state)] if state else []), ("iss", issuer)]
    return str(add_params_to_uri(redirect_uri, parameters))


def lock(request_id: UUID) -> AuthorizationRequest | None:
    """The kept request, for the rest of the transaction; a second answer waits for the first.

    The grant is read afterwards: who has waited sees this row anew, but not what was joined to it.
    """
    waiting = AuthorizationRequest.objects.select_for_update(of=("self",)).select_related("client")
    return waiting.filter(pk=request_id).first()


def is_open(asked: AuthorizationRequest) -> bool:
    return asked.answered_at is None and timezone.now() < asked.created_at + OPEN_FOR


def note(asked: AuthorizationRequest, **said: str) -> None:
    """Keep what the person said on the way to the question: which account, whose record."""
    asked.parameters = asked.parameters | said
    asked.save(update_fields=["parameters"])


def show(asked: AuthorizationRequest, *, to: User, text: str, language: str) -> None:
    """Keep what this person is being shown: only an answer to that counts, and only theirs.

    `text` is empty where there was nothing to say yes to. Once answered, the row stays as it was.
    """
    asked.shown_to, asked.text_shown, asked.text_language = to, text, language
    unanswered = AuthorizationRequest.objects.filter(pk=asked.pk, answered_at=None)
    unanswered.update(shown_to=to, text_shown=text, text_language=language)


def is_answer_to_what_was_shown(asked: AuthorizationRequest, user: User, digest: str) -> bool:
    """Whether a form comes from the page that this person was shown last. `digest` is the form's."""
    return asked.shown_to_id == user.pk and asked.text_digest == digest


def earlier_answer(asked: AuthorizationRequest, user: User) -> str | None:
    """Where the same person's answer went, for a form that was sent twice; None once that is over."""
    if asked.answered_at is None or asked.user_id != user.pk:
        return None
    if asked.grant is None:
        return _denial(asked)
    if asked.grant.consumed_at is not None or asked.grant.is_expired():
        return None
    code = _code(asked)
    if asked.grant.code != tokens.checksum(code):
        return None  # made with a key of ours that is no more
    return _location(asked.grant.redirect_uri, [("code", code)], asked.parameters["state"])


def _code(asked: AuthorizationRequest) -> str:
    """The code that answers a request: 256 bits that our secret key and the row's id make, so that a form
    that is sent twice gets the same one, though we keep nothing but its hash."""
    digest = salted_hmac("smart.requests.code", str(asked.pk), algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@transaction.atomic
def accept(asked: AuthorizationRequest, *, user: User, scopes: list[str], given: Authorization) -> str:
    """Answer yes. Returns where to send the person. Raises Unsafe if the client may no longer ask, or
    asks for an EHR that does not know the patient, or is on trial and the patient is real.

    No scopes is no yes (G6): oauthlib would fall back to all that was asked for.
    """
    if not any(Scope.parse_all(" ".join(scopes))):
        raise ValueError("a yes to nothing is a no")
    if asked.client.is_on_trial and not given.patient.is_test:
        raise Unsafe
    parameters = asked.parameters
    if (base := parameters.get("aud", settings.FHIR_BASE_URL)) != settings.FHIR_BASE_URL:
        patient_id = authorizations.fhir_id_at(given.patient, base)
        if not patient_id:
            raise Unsafe
        given = replace(given, launch={**given.launch, "patient": patient_id})
    credentials = {
        "client_id": asked.client.client_id,
        "response_type": "code",
        "redirect_uri": parameters["redirect_uri"],
        "state": parameters["state"],
        "code_challenge": parameters["code_challenge"],
        "code_challenge_method": "S256",
        "nonce": parameters["nonce"],
        "user": user,
        "smart_ctx": given,
        "smart_code": _code(asked),
        "smart_jkt": parameters.get("jkt", ""),
    }
    try:
        core().server.create_authorization_response(
            f"{settings.BASE_URL}/o/authorize/", scopes=scopes, credentials=UNUSED | credentials
        )
    except errors.OAuth2Error as error:
        raise Unsafe from error
    grant = Grant.objects.filter(code=tokens.checksum(_code(asked))).first()
    if grant is None:
        raise Unsafe
    _answered(asked, user, grant)
    launches.remember(grant, session_key=given.session_key, acr=given.acr, amr=list(given.amr))
    return _location(grant.redirect_uri, [("code", _code(asked))], parameters["state"])


@transaction.atomic
def decline(asked: AuthorizationRequest, *, user: User) -> str:
    """Answer no, in the log too. Returns where to send the person."""
    _answered(asked, user, None)
    trail.declined(asked, user)
    return _denial(asked)


@transaction.atomic
def fail(asked: AuthorizationRequest, *, user: User) -> str:
    """The sign-in is not as sure as `acr_values` asks, and cannot be made so
    (OpenID Connect Core Unmet Authentication Requirements 1.0). Returns where to send the person."""
    _answered(asked, user, None)
    unmet = errors.CustomOAuth2Error("unmet_authentication_requirements")
    return _error_location(asked.parameters["redirect_uri"], unmet, asked.parameters["state"])


def _denial(asked: AuthorizationRequest) -> str:
    error = errors.AccessDeniedError()
    return _error_location(asked.parameters["redirect_uri"], error, asked.parameters["state"])


def _answered(asked: AuthorizationRequest, user: User, grant: Grant | None) -> None:
    asked.user, asked.grant, asked.answered_at = user, grant, timezone.now()
    asked.save(update_fields=["user", "grant", "answered_at"])
