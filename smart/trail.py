"""The audit rows of this room. Each is written in the transaction of what it tells of.

Only what concerns a grant that a person gave gets a row: whoever knocks without one
fills no log.
"""

from collections.abc import Mapping
from typing import Any

from accounts.models import Patient, User
from audit import context
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from smart import tokens
from smart.models import AccessToken, AuthorizationRequest, Client, Grant, RefreshToken, StaffAuthorization
from smart.scopes import Scope

SYSTEM = "System/sign-in"
Token = Grant | AccessToken | RefreshToken


def issued(source: Token, token: Mapping[str, Any], *, to: str = "") -> None:
    """`token` is the answer that the client gets; `to` the service of ours that acts with it, where that is
    not the client. `detail.token` is what uses of it name in their context."""
    kind = EventType.TOKEN_REFRESH if isinstance(source, RefreshToken) else EventType.TOKEN_ISSUE
    scope: str = token["scope"]
    given = context.reference(f"token {tokens.checksum(token['access_token'])}")
    types = {granted.resource_type for granted in Scope.parse_all(scope)}
    _record(
        kind,
        Outcome.DONE,
        source,
        resource_types=tuple(sorted(types - {"*"})),
        detail={"every_type": "*" in types, "offline": "offline_access" in scope.split(), "token": given}
        | ({"act": to} if to else {}),
    )


def refused(token: Token, reason: str) -> None:
    """A code or refresh token that is ours was not honoured. `token.replayed`: all it gave has ended."""
    _record(EventType.TOKEN_REFUSE, Outcome.DENY, token, reasons=(reason,))


def revoked(token: Token) -> None:
    _record(EventType.TOKEN_REVOKE, Outcome.DONE, token)


def ended(token: Token, why: str) -> None:
    """It ended with what its person signed in by, and not by the client's own wish."""
    _record(EventType.TOKEN_REVOKE, Outcome.DONE, token, actor=SYSTEM, role=Role.SYSTEM, detail={"why": why})


def declined(asked: AuthorizationRequest, user: User) -> None:
    """A person said no to an app; one without a record has no log that it could stand in."""
    patient = Patient.objects.filter(user=user).first()
    if patient is None:
        return
    record(
        Entry(
            type=EventType.CONSENT_REFUSE,
            outcome=Outcome.DONE,
            actor=f"User/{user.pk}",
            role=Role.PATIENT,
            patient=f"Patient/{patient.pk}",
            client=f"Client/{asked.client.client_id}",
        )
    )


def registered(client: Client, by: User | None, credential: str = "") -> None:
    """`credential`: with what software registered itself (RFC 7591)."""
    _of_client(EventType.CLIENT_REGISTER, client, by, {"source": "software" if credential else "person"})


def changed(client: Client, by: User | None, change: str, **more: int) -> None:
    _of_client(EventType.CLIENT_CHANGE, client, by, {"change": change, **more})


def moved(client: Client, by: User | None, act: str, before: str, reason: str) -> None:
    said = {"change": act, "before": before} | ({"reason": reason} if reason else {})
    _of_client(EventType.CLIENT_STATUS, client, by, said)


def administered(by: User, target: str, change: str) -> None:
    record(
        Entry(
            type=EventType.ADMIN_CHANGE,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk}",
            role=Role.COMPLIANCE,
            target=target,
            detail={"change": change},
        )
    )


def _of_client(kind: EventType, client: Client, by: User | None, detail: Mapping[str, str | int]) -> None:
    """A developer acts for the client that is theirs, staff as staff, and software as itself."""
    own = by is not None and client.user_id == by.pk
    record(
        Entry(
            type=kind,
            outcome=Outcome.DONE,
            actor=f"User/{by.pk}" if by else "System/registration",
            role=(Role.CLIENT if own else Role.COMPLIANCE) if by else Role.SYSTEM,
            client=f"Client/{client.client_id}",
            target=f"Client/{client.client_id}",
            detail={"status": client.status, **detail},
        )
    )


def _record(
    kind: EventType,
    outcome: Outcome,
    token: Token,
    detail: Mapping[str, Any] | None = None,
    **more: Any,
) -> None:
    """With the family that a token is of: all that one sign-in of an app gave."""
    family = {"family": str(token.token_family)} if token.token_family else {}
    record(
        Entry(
            type=kind,
            outcome=outcome,
            on_behalf_of=f"User/{token.user_id}" if token.user_id else "",
            patient=f"Patient/{token.patient_id}" if token.patient_id else "",
            client=f"Client/{token.application.client_id}",
            consent=_consent_of(token),
            detail={**family, **(detail or {})},
            **{"actor": f"Client/{token.application.client_id}", "role": Role.CLIENT} | more,
        )
    )


def _consent_of(token: Token) -> str:
    """A clinician's yes is no consent of the patient, and the log calls it none."""
    if not token.authorization_id:
        return ""
    if token.user_id and token.patient_id and token.patient and token.patient.user_id == token.user_id:
        return f"Consent/{token.authorization_id}"
    of_staff = StaffAuthorization.objects.filter(pk=token.authorization_id).exists()
    return "" if of_staff else f"Consent/{token.authorization_id}"
