"""May this change be proposed, or approved? The same decision as for reads, and its row in the log."""

from typing import NoReturn

from audit.events import EventType
from audit.log import Entry, Outcome, record
from consent.decision import Decision
from consent.requester import Requester
from consent.vocabulary import categories_of
from fhirproxy.checks import decide_on, see
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source, WriteCommand
from fhirproxy.release import Call, step_up
from fhirproxy.writes import bodies


class NotAllowed(Exception):
    """The decision was no; `reasons` say why, and the refusal is in the log."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = reasons


def call_for(
    requester: Requester, source: Source, interaction: str, resource_type: str, id: str = ""
) -> Call:
    """`interaction` is FHIR's code, or "review"."""
    asked = Interaction(interaction, resource_type, id)
    return Call(requester, asked, requester.authority(interaction), source)


def decide(call: Call, body: bytes) -> Decision:
    """On one resource. Raises NotAllowed; Refusal 401 where the person has to sign in again for it;
    EhrFailure where what labels it cannot be looked up.

    Not in a transaction: a refusal is kept whatever becomes of the rest.
    """
    [seen] = see(call, [body])
    decision = decide_on(call, seen)
    if not decision.permitted:
        refuse(call, decision.reasons)
    if unmet := call.requester.lacks(call.interaction.code, seen.labels):
        raise step_up(call, unmet)
    return decision


def refuse(call: Call, reasons: tuple[str, ...]) -> NoReturn:
    requester = call.requester
    record(
        Entry(
            type=EventType.RECORD_REFUSE,
            outcome=Outcome.DENY,
            actor=requester.actor,
            on_behalf_of=requester.on_behalf_of,
            role=requester.role,
            patient=f"Patient/{requester.patient_id}",
            client=requester.client,
            interaction=call.interaction.code,
            resource_types=(call.interaction.resource_type,),
            purpose=requester.purpose,
            reasons=tuple(reasons),
        )
    )
    raise NotAllowed(tuple(reasons))


def log(
    event: EventType,
    command: WriteCommand,
    requester: Requester,
    *,
    reasons: tuple[str, ...] = (),
    in_force: bool = False,
) -> bool:
    """One step of a command by somebody; false where `in_force` is asked for, and it no longer is."""
    row = record(
        Entry(
            type=event,
            outcome=Outcome.DONE,
            actor=requester.actor,
            on_behalf_of=requester.on_behalf_of,
            role=requester.role,
            patient=f"Patient/{command.patient_id}",
            client=requester.client,
            interaction=command.interaction,
            resource_types=(command.resource_type,),
            categories=tuple(sorted(categories_of(bodies.read(command.resource)))),
            purpose=requester.purpose,
            reasons=reasons,
            consent=f"Consent/{requester.consent_id}" if requester.consent_id else "",
            consent_number=requester.consent_number,
            target=f"WriteCommand/{command.id}",
        ),
        only_if=requester.still_in_force() if in_force else None,
    )
    return row is not None


def log_by_system(
    event: EventType,
    command: WriteCommand,
    outcome: Outcome,
    reason: str = "",
    only_if: tuple[str, list[object]] | None = None,
) -> bool:
    """One step that nobody makes by hand; false where `only_if` does not hold."""
    row = record(
        Entry(
            type=event,
            outcome=outcome,
            actor="System/writes",
            role="system",
            patient=f"Patient/{command.patient_id}",
            client=f"Client/{command.client.client_id}" if command.client else "",
            interaction=command.interaction,
            resource_types=(command.resource_type,),
            reasons=(reason,) if reason else (),
            consent=f"Consent/{command.consent_id}" if command.consent_id else "",
            consent_number=command.consent_number,
            target=f"WriteCommand/{command.id}",
        ),
        only_if=only_if,
    )
    return row is not None
