"""The gate: every read of a record, by whomever, goes through `serve`.

decide on the interaction → narrow to the patient → ask the EHR → label and check each
resource that came back → record the access → only then let the bytes go. The record and
the last look at the consent are one statement (`fhirproxy.release`), so nothing is let out
after a revoke. Whatever fails after the EHR answered is a 5xx, never the unfiltered body.
"""

from collections.abc import Callable, Mapping

import structlog
from django.db import DatabaseError

from audit.events import EventType
from consent.decision import Access, Reason, decide
from consent.requester import Requester
from consent.vocabulary import FOLLOWING
from fhirproxy import budgets, instances, release, searches
from fhirproxy.interactions import EVERYTHING, Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import LOG_DOWN, EhrFailure, Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FhirResponse

log = structlog.get_logger("chartkey.gate")

ANSWERS: Mapping[str, Callable[[Call], FhirResponse]] = {
    "read": instances.read,
    "vread": instances.vread,
    "history-instance": instances.history,
    "search-type": searches.search,
    EVERYTHING: searches.everything,
}


def serve(
    requester: Requester,
    interaction: Interaction,
    source: Source | None = None,
    event: EventType | None = None,
    answer: Callable[[Call], FhirResponse] | None = None,
) -> FhirResponse:
    """Answer one interaction. Raises Refusal; an answer that returns was recorded before.

    `event` is what the log calls it, where that is not a plain read or search; `answer` is for what the
    EHR does not keep.
    """
    authority = requester.authority(interaction.code)
    call = Call(requester, interaction, authority, source or Source.primary(), event)
    try:
        if event is not EventType.EXPORT_READ:  # a job has limits of its own, and cannot try again
            budgets.admit(requester)
        if not requester.alive:
            reasons = (requester.missing or Reason.TOKEN,)
            raise release.refuse(call, reasons, 401, interaction.categories)
        _decide_interaction(call)
        try:
            return (answer or ANSWERS[interaction.code])(call)
        except EhrFailure as failure:
            release.fail(call, failure)
            raise
    except DatabaseError as error:
        log.exception("gate could not record", reason=type(error).__name__)
        raise Refusal(503, LOG_DOWN, {"Retry-After": "5"}) from error


def _decide_interaction(call: Call) -> None:
    """Before the EHR is asked: could any resource of this type be let out at all?

    A whole record is asked for type by type, and what follows others is decided on with them.
    """
    asked = call.interaction
    if asked.code == EVERYTHING or asked.resource_type in FOLLOWING:
        return
    access = Access(
        asked.code,
        asked.resource_type,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=asked.categories,
        actors=call.requester.actors,
        beforehand=True,
    )
    decision = decide(access, call.authority)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 403, asked.categories)
