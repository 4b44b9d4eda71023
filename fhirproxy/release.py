"""Letting an answer out, or refusing it: nothing of either happens without its audit row."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError

from audit.events import EventType
from audit.log import ANONYMOUS, Entry, Outcome, record
from consent import bearers, valuesets
from consent.decision import Authority, Reason
from consent.labels import Codes
from consent.organisation import policy_hash
from consent.requester import Requester
from consent.sign_in_rules import Rule
from fhirproxy import budgets, deaths
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import LOG_DOWN, NOT_FOUND, EhrFailure, Refusal
from fhirproxy.upstream import tapes

if TYPE_CHECKING:
    from fhirproxy.checks import Passed

STEP_UP = "The person must sign in again, at the authorization endpoint, with these acr_values and max_age."
LONGEST_RULES = 199  # characters; what the log takes for one code
SAID = {
    400: "The page link is not valid any more. Start the search again.",
    404: NOT_FOUND,
    503: "What you may see changed while you asked. Ask again.",
}
log = structlog.get_logger("chartkey.gate")


@dataclass(frozen=True, slots=True)
class Call:
    """One interaction with all that decides it."""

    requester: Requester
    interaction: Interaction
    authority: Authority
    source: Source
    event: EventType | None = None

    @property
    def codes(self) -> Codes:
        """The value sets by which this call's resources are labelled."""
        return valuesets.codes(self.requester.valuesets)

    @property
    def particular(self) -> bool:
        """Whether a provision names particular records, so that these must be looked into."""
        return any(provision.particular for provision in self.requester.provisions)

    @property
    def patient_id(self) -> str:
        """The patient's FHIR id in this source; empty where they have no record there."""
        return self.requester.identities.get(self.source.slug, "")

    @property
    def fhir_url(self) -> str:
        """By which the links in our answer begin."""
        return self.source.fhir_url

    @property
    def base_url(self) -> str:
        """By which the EHR's own absolute references begin."""
        return self.source.base_url or settings.FHIR_BASE_URL


def let_out(call: Call, passed: "Passed", count: int | None = None) -> None:
    """Record what is about to leave, in the statement that looks at the consent for the last time.

    Raises Refusal where the consent has ended in the meantime.
    """
    if unmet := call.requester.lacks(call.interaction.code, passed.labels):
        raise step_up(call, unmet)
    decision = passed.decision
    count = len(passed.all) if count is None else count
    rules = "|".join((*decision.policy_ids, *decision.provision_ids))
    detail: dict[str, str | int | bool] = {"policy": policy_hash()}
    if rules:
        detail["rules"] = rules[:LONGEST_RULES]
    if passed.withheld:
        detail["withheld"] = passed.withheld
    if marks := passed.marks:
        detail["notice"] = "|".join(sorted(marks))
    if (age := tapes.age()) is not None:
        detail["copy_seconds"] = age
    row = _record(
        call,
        Outcome.PERMIT,
        only_if=call.requester.still_in_force(),
        resource_types=tuple(sorted({call.interaction.resource_type, *(s.type for s, _ in passed.all)})),
        categories=tuple(sorted(passed.categories)),
        count=count,
        detail=detail,
    )
    if row is None:
        raise overtaken(call)
    budgets.spent(call.requester, count)
    for seen, _ in passed.all:
        if seen.type == "Patient":
            deaths.look(seen.resource, call.requester.patient_id, call.source.slug)


def step_up(call: Call, unmet: Rule) -> Refusal:
    """RFC 9470, 3. All that is in the answer was permitted, so the caller may know that it is there."""
    _record(call, Outcome.DENY, reasons=(Reason.SIGN_IN,), categories=())
    said = {"error": "insufficient_user_authentication"}
    said |= {"error_description": "The person must sign in again."}
    said |= {"acr_values": unmet.acr} if unmet.acr else {}
    said |= {"max_age": str(unmet.max_age)} if unmet.max_age is not None else {}
    scheme = "DPoP" if call.requester.jkt else "Bearer"
    challenge = ", ".join(f'{name}="{value}"' for name, value in said.items())
    return Refusal(401, STEP_UP, {"WWW-Authenticate": f"{scheme} {challenge}"})


def overtaken(call: Call) -> Refusal:
    """Refuse what was decided by something that has ended, or changed, in the meantime."""
    reason = bearers.overtaken(call.requester)
    return refuse(call, (reason,), 503 if reason is Reason.CHANGED else 403)


def look_again(requester: Requester) -> None:
    """Whether what was let out in parts may still leave as a whole. Raises Refusal."""
    if not requester.is_still_in_force():
        reason = bearers.overtaken(requester)
        refuse_unserved(requester, 403, reason)
        raise Refusal(403, "no-consent")


def refuse(call: Call, reasons: Sequence[str], status: int, categories: Collection[str] = ()) -> Refusal:
    """Record a refusal, and make what the caller is told of it.

    A caller may know that its scopes do not reach, and no more: any other word would say
    that something is there and hidden.
    """
    _record(call, Outcome.DENY, reasons=tuple(reasons), categories=tuple(sorted(categories)))
    if status in (403, 404):
        budgets.refused(call.requester)
    if status == 401:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        return Refusal(401, "The access token has ended.", challenge)
    if status in SAID:
        return Refusal(status, SAID[status], {"Retry-After": "1"} if status == 503 else None)
    return Refusal(403, "scope-not-granted" if Reason.SCOPE in reasons else "no-consent")


def fail(call: Call, failure: EhrFailure) -> None:
    """Record an access that was allowed and came to nothing: the log has every attempt."""
    reason = "ehr.refused" if failure.status < 500 else "ehr.no-answer"
    _record(call, Outcome.FAILED, reasons=(reason,), categories=())


def refuse_unserved(requester: Requester | None, status: int, reason: str = "") -> None:
    """Record what was turned away before it was known what, or whose, was asked for."""
    try:
        if requester:
            budgets.admit(requester)
            budgets.refused(requester)
        record(
            Entry(
                type=EventType.RECORD_REFUSE,
                outcome=Outcome.DENY,
                actor=requester.actor if requester else ANONYMOUS,
                role=requester.role if requester else "",
                patient=f"Patient/{requester.patient_id}" if requester else "",
                client=requester.client if requester else "",
                reasons=(reason or (f"request.{status}" if requester else "token.unknown"),),
            )
        )
    except DatabaseError as error:
        log.exception("gate could not record", reason=type(error).__name__)
        raise Refusal(503, LOG_DOWN, {"Retry-After": "5"}) from error


def _record(
    call: Call,
    outcome: Outcome,
    *,
    only_if: tuple[str, list[Any]] | None = None,
    **fields: Any,
) -> UUID | None:
    requester, asked = call.requester, call.interaction
    plain = EventType.RECORD_SEARCH if asked.code == "search-type" else EventType.RECORD_READ
    fields.setdefault("resource_types", (asked.resource_type,))
    fields.setdefault("detail", {"policy": policy_hash()})
    return record(
        Entry(
            type=call.event or plain,
            outcome=outcome,
            actor=requester.actor,
            on_behalf_of=requester.on_behalf_of,
            role=requester.role,
            patient=f"Patient/{requester.patient_id}",
            client=requester.client,
            interaction=asked.code,
            purpose=requester.purpose,
            consent=f"Consent/{requester.consent_id}" if requester.consent_id else "",
            consent_number=requester.consent_number,
            **fields,
        ),
        only_if=only_if,
    )
