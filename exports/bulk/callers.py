"""Who asks: a backend service with a system token of its own (SMART Backend Services)."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone

from audit import context
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent.decision import Reason
from fhirproxy import budgets, release
from fhirproxy.interactions import NOT_SERVED
from fhirproxy.outcomes import Refusal
from fhirproxy.served import RECORD
from fhirproxy.views import bearer, unauthorized
from smart import dpop, identity, tokens
from smart.jwts import BadToken
from smart.models import AccessToken, Client
from smart.scopes import Scope, is_covered


@dataclass(frozen=True, slots=True)
class Caller:
    client: Client
    scope: str  # of the token, as it stands there

    @property
    def name(self) -> str:
        return f"Client/{self.client.client_id}"

    @property
    def scopes(self) -> tuple[Scope, ...]:
        return tuple(s for s in Scope.parse_all(self.scope) if s.level == "system")

    def covers(self, scope: str, kind: str) -> bool:
        """Whether all of a type that these scopes let be exported is within the token's, too."""
        letter = "s" if kind in RECORD else "r"
        parts = [s.intersect(Scope("system", kind, letter)) for s in Scope.parse_all(scope)]
        wanted = [part for part in parts if part]
        return bool(wanted) and all(is_covered(part, self.scopes) for part in wanted)


def of(request: HttpRequest) -> Caller:
    """Raises Refusal: 401 without a token that lives, 404 for whoever is no backend service."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    value = value.strip()
    found = tokens.find(value) if scheme.lower() in ("bearer", "dpop") and value else None
    if found is None or found.patient_id or found.user_id:
        return _stranger(request)
    budgets.admit_address(budgets.address_of(request), value)
    context.present(identity.of_token(found.token_checksum, None, bound=bool(found.jkt)))
    request.cors_client = found.application.client_id  # type: ignore[attr-defined]  # smart.cors
    caller = Caller(found.application, found.scope)
    _check(request, caller, found, scheme, value)
    return caller


def _check(request: HttpRequest, caller: Caller, token: AccessToken, scheme: str, value: str) -> None:
    if not tokens.is_active(token):
        reason = Reason.TOKEN if token.expires <= timezone.now() else Reason.CLIENT_SUSPENDED
        refused(caller, reason)
        raise unauthorized("invalid_token", "The access token has ended.")
    try:
        dpop.check_binding(request, scheme, value, token.jkt)
    except BadToken as bad:
        refused(caller, Reason.TOKEN)
        said = f"The access token needs a proof of its key: {bad}."
        raise Refusal(401, said, {"WWW-Authenticate": dpop.challenge(bad)}) from bad


def _stranger(request: HttpRequest) -> Caller:
    """An app of a patient's learns no more than that there is nothing. Raises Refusal, always."""
    requester = bearer(request)
    release.refuse_unserved(requester, 404)
    raise Refusal(404, NOT_SERVED)


def refused(caller: Caller, reason: str, target: str = "") -> None:
    """A service was turned away; it stands in the log under its name."""
    record(
        Entry(
            type=EventType.RECORD_REFUSE,
            outcome=Outcome.DENY,
            actor=caller.name,
            role=Role.CLIENT,
            client=caller.name,
            target=target,
            reasons=(reason,),
        )
    )
