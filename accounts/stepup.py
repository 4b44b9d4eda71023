"""Step-up: for an action that could do harm, prove again who you are. Per action, not per sign-in.

    proof = stepup.require(request, Action.EXPORT)

returns how it was proved, or raises `StepUpNeeded`, on which allauth's AccountMiddleware sends the person
to the page that asks; their form is kept and sent again once they have passed. The proof stands in every
audit event of the request, beside its device and network.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts import factors, kept, sessions
from accounts.factors import STRONG, WEAK, Factor
from accounts.models import User
from audit import context
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record

PASSED, WAITING, FAILED = "stepup.passed", "stepup.waiting", "stepup.failed"  # keys in the session
MOST_WAITING = 5  # tabs, each with an action of its own
WAITS = 30 * 60  # seconds that an action waits for its proof
MOST_FAILURES = 5  # one after the other; then the session ends
CLOCKS_DIFFER = 5  # seconds by which two of our servers may


class Action(StrEnum):
    """Values are kept in the log: never rename one."""

    EXPORT = "export"  # save records, or the list of who saw them
    SHARE = "share"  # a new or a wider sharing
    HELPER = "helper"  # a new helper, or one who may do more
    APP_PRIVATE = "app-private"  # let an app see private topics
    APP_WRITES = "app-writes"  # let an app send things
    APP_BOTH = "app-private-writes"
    CONTACT = "contact"  # where messages go
    SECURITY = "security"  # how the person signs in
    CLOSE = "close"  # the account
    ACTING_FIRST = "acting-first"  # the first time for somebody else in a session
    ELEVATION = "elevation"  # staff: more than their daily work needs
    BREAK_GLASS = "break-glass"  # staff: a record in an emergency
    MERGE = "merge"  # say that two accounts are one person's
    LEGAL = "legal-status"  # staff: what decides who may act for a patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an action takes for a proof, the best first, and for how long (seconds).

    Who has a factor of `STRONG` cannot prove anything by one of `WEAK`. A sign-in that is as fresh, and by an
    accepted factor, counts where the policy says so: who has just signed in is not asked again at once.
    """

    accepted: tuple[Factor, ...] = (
        *(Factor.PASSKEY, Factor.CODE, Factor.PROVIDER_MFA, Factor.BACKUP_CODE),
        *(Factor.PASSWORD, Factor.PROVIDER),
    )
    max_age: int = 300
    sign_in_counts: bool = True


STAFF = Policy(accepted=(Factor.PASSKEY, Factor.CODE), sign_in_counts=False)
POLICIES: Mapping[Action, Policy] = {
    Action.EXPORT: Policy(),
    Action.SHARE: Policy(),
    Action.HELPER: Policy(),
    Action.APP_PRIVATE: Policy(),
    Action.APP_WRITES: Policy(),
    Action.APP_BOTH: Policy(),
    Action.CONTACT: Policy(),
    Action.SECURITY: Policy(),  # a backup code counts: who lost their phone must be able to say so
    Action.CLOSE: Policy(),
    Action.ACTING_FIRST: Policy(),
    Action.ELEVATION: STAFF,
    Action.BREAK_GLASS: STAFF,
    Action.MERGE: Policy(),
    Action.LEGAL: STAFF,
}


@dataclass(frozen=True, slots=True)
class Proof:
    method: Factor
    at: float  # seconds since 1970
    action: Action


@dataclass(frozen=True, slots=True)
class Waiting:
    """An action that waits for its proof. `form` is encrypted, and empty where a page was asked for."""

    id: str
    action: Action
    path: str
    form: str
    is_file: bool
    since: float


class StepUpNeeded(ImmediateHttpResponse):
    """Carries the way to the page that asks."""


def require(request: HttpRequest, action: Action, *, is_file: bool = False) -> Proof:
    """The proof that this is the person of the session, fresh enough for the action.

    `is_file` says that the answer is a file, after which the browser stays where it was.
    Raises StepUpNeeded. Call it before anything is changed: the request comes again.
    """
    found = proof_of(request, action)
    if found is None:
        raise StepUpNeeded(_to_page(request, _wait(request, action, is_file)))
    if here := context.current.get():
        here.proof = {
            "stepup_action": action.value,
            "stepup_method": found.method.value,
            "stepup_at": int(found.at),
        }
    return found


def proof_of(request: HttpRequest, action: Action) -> Proof | None:
    """The latest proof that is fresh enough, if there is one."""
    policy, user = POLICIES[action], _user(request)
    oldest = factors.now() - policy.max_age
    candidates = [Proof(Factor(f), at, action) for f, at in _passed(request, action)]
    if policy.sign_in_counts:
        candidates += [Proof(p.factor, p.at, action) for p in factors.proven(request) if p.at_sign_in]
    fresh = [p for p in candidates if oldest <= p.at <= factors.now() + CLOCKS_DIFFER]
    if not fresh:
        return None
    usable = accepted_of(user, action)
    return max((p for p in fresh if p.method in usable), key=lambda p: p.at, default=None)


def accepted_of(user: User, action: Action) -> tuple[Factor, ...]:
    """What this person can prove the action by, the best first; empty where they have nothing that counts."""
    mine = factors.of(user)
    usable = mine - WEAK if mine & STRONG else mine
    return tuple(f for f in POLICIES[action].accepted if f in usable)


def waiting(request: HttpRequest, id: uuid.UUID) -> Waiting | None:
    """What this session's person was about to do; None once it is done, or was left for too long."""
    found = request.session.get(WAITING, {}).get(str(id))
    if not found or found["user"] != str(_user(request).pk) or factors.now() - found["since"] > WAITS:
        return None
    told = {name: value for name, value in found.items() if name != "user"}
    return Waiting(id=str(id), **told | {"action": Action(found["action"])})


def passed(request: HttpRequest, one: Waiting, factor: Factor) -> None:
    """Keep and log the proof. What waited is over: it is done once."""
    at = factors.now()
    user = _user(request)
    proofs = request.session.get(PASSED, {}) | {one.action: [str(user.pk), factor, at]}
    rest = {id: kept for id, kept in request.session.get(WAITING, {}).items() if id != one.id}
    request.session[PASSED], request.session[WAITING] = proofs, rest
    request.session.pop(FAILED, None)
    sessions.renew(request)
    _log(EventType.STEPUP_PASS, Outcome.PERMIT, user, action=one.action.value, method=factor.value)


def holds_with(request: HttpRequest, factor: Factor) -> None:
    """A factor was just added, and shown to work: the proof that let the person add it holds by the new one,
    which may have made the old one too weak. They are not asked twice on one errand."""
    user = _user(request)
    if factor in STRONG:
        proof = [str(user.pk), factor, factors.now()]
        request.session[PASSED] = request.session.get(PASSED, {}) | {Action.SECURITY: proof}


def failed(request: HttpRequest, one: Waiting, tried: str) -> bool:
    """Log the failure. True once there were so many that the session must end.

    The count is the session's: nobody can lock somebody else out by it.
    """
    count = request.session.get(FAILED, 0) + 1
    request.session[FAILED] = count
    _log(EventType.STEPUP_FAIL, Outcome.FAILED, _user(request), action=one.action.value, method=tried)
    return count >= MOST_FAILURES


def _passed(request: HttpRequest, action: Action) -> list[tuple[str, float]]:
    whose, factor, at = request.session.get(PASSED, {}).get(action, ("", "", 0))
    return [(factor, at)] if whose == str(_user(request).pk) else []


def _wait(request: HttpRequest, action: Action, is_file: bool) -> str:
    """Keep what was asked for, beside what other tabs wait with."""
    id, here = str(uuid.uuid4()), request.session.get(WAITING, {})
    newest = sorted(here.items(), key=lambda item: item[1]["since"])[-(MOST_WAITING - 1) :]
    entry: dict[str, Any] = {
        "user": str(_user(request).pk),
        "action": action.value,
        "path": request.get_full_path(),
        "form": kept.keep(request),
        "is_file": is_file,
        "since": factors.now(),
    }
    request.session[WAITING] = dict(newest) | {id: entry}
    return id


def _to_page(request: HttpRequest, id: str) -> HttpResponse:
    address = reverse(settings.STEPUP_URL, args=[id])
    if request.headers.get("HX-Request"):  # the whole page goes there, and not the part that was asked for
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _log(event: EventType, outcome: Outcome, user: User, **detail: str) -> None:
    patient = getattr(user, "patient", None)
    record(
        Entry(
            type=event,
            outcome=outcome,
            actor=f"User/{user.pk}",
            role=Role.PATIENT if patient else "",
            patient=f"Patient/{patient.pk}" if patient else "",
            detail=detail,
        )
    )


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
