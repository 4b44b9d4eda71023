"""In whose name a person's export asks the gate: by their authority of this moment, cut to their choice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from django.utils import timezone

from accounts.relation_states import HELPING
from consent import authority
from consent.decision import Provision, ProvisionType
from consent.requester import Requester
from exports.models import ExportJob

# These have no date by which they could be chosen: with dates they come all the same.
UNDATED = frozenset({"CareTeam", "Coverage", "Device", "Goal", "Patient", "RelatedPerson", "Specimen"})
NAMED = frozenset({"Location", "Medication", "Organization", "Practitioner", "PractitionerRole"})
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def requester(job: ExportJob, *, is_private: bool) -> Requester:
    """`is_private`: for the pass that lets private topics out, too; never a helper's."""
    if job.whose.user_id != job.requested_by_id:
        return _helper(job)
    own = authority.for_own_record(job.who, job.whose, timezone.now())
    if not own.provisions:
        return own
    chosen = Provision(
        "own-record-chosen",
        ProvisionType.PERMIT,
        categories=frozenset(job.categories),
        every_label=is_private,
    )
    return replace(own, provisions=tuple(_dated(job, chosen)))


def _helper(job: ExportJob) -> Requester:
    """A helper's, as of this moment: nothing once they may not save copies any more."""
    helper = authority.for_helper(job.who, job.whose)
    shares = job.whose.helpers.filter(user=job.who, status__in=HELPING, may_share=True).exists()
    return replace(helper, provisions=tuple(_narrowed(job, helper)) if shares else ())


def _narrowed(job: ExportJob, helper: Requester) -> Iterator[Provision]:
    chosen = frozenset(job.categories)
    for provision in helper.provisions:
        if provision.type is not ProvisionType.PERMIT:
            yield provision
        elif categories := provision.categories & chosen:
            yield from _dated(job, replace(provision, categories=categories))


def _dated(job: ExportJob, permit: Provision) -> Iterator[Provision]:
    """The permit within the dates that were chosen; whole for what has no date."""
    if not (job.since or job.until):
        yield permit
        return
    start, end = permit.data_period or (FIRST, LAST)
    within = max(start, job.since or FIRST), min(end, job.until or LAST)
    yield replace(permit, data_period=within)
    undated = (UNDATED | NAMED) & (permit.resource_types or UNDATED | NAMED)
    if undated and permit.data_period is None:
        yield replace(permit, id=f"{permit.id}-undated", resource_types=undated)
