"""What a client can do with a bulk export. Each is one transaction, with its audit row inside."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import PatientIdentity
from audit.events import EventType
from exports import commands, states
from exports.bulk import approvals, groups
from exports.bulk.callers import Caller
from exports.bulk.kickoff import Kickoff, Level
from exports.models import ExportJob, Group, GroupApproval, Push
from exports.push import destinations
from fhirproxy.models import Source
from fhirproxy.outcomes import NOT_FOUND, Refusal
from smart.models import Client

BUSY = "You have as many exports under way as we make at once. Wait for one, or delete it."
NO_DESTINATION = "_destination: you have none of this id that is proven and in force."
SEVERAL = "You are approved for several groups. Export each at its Group."


def approval_for(caller: Caller, group_id: str) -> GroupApproval:
    """By what a client may export a group, or without one all that it is approved for. Raises Refusal."""
    held = approvals.of_client(caller.client)
    found = [approval for approval in held if group_id in ("", approval.group_id)]
    everybody = [approval for approval in found if _is_everybody(approval.group)]
    if not found:
        raise Refusal(404, NOT_FOUND)
    if len(found) > 1 and len(everybody) != 1:
        raise Refusal(400, SEVERAL)
    return (everybody or found)[0] if not group_id else found[0]


def _is_everybody(group: Group) -> bool:
    return group.kind == Group.Kind.RULE and not (group.source or group.born_from or group.born_until)


@transaction.atomic
def kickoff(caller: Caller, approval: GroupApproval, asked: Kickoff, *, url: str, lenient: bool) -> ExportJob:
    """Start an export. Raises Refusal: 429 for a client that has enough of them."""
    Client.objects.select_for_update().get(pk=caller.client.pk)  # two at once count one after the other
    living = ExportJob.objects.filter(client=caller.client, status__in=states.LIVING)
    if living.count() >= settings.BULK_JOBS_PER_CLIENT:
        raise Refusal(429, BUSY, {"Retry-After": "60"})
    patients, ignored = _patients(approval.group, asked.patients, lenient=lenient)
    destination = destinations.usable(caller.client, asked.destination)
    if asked.destination and destination is None:
        raise Refusal(400, NO_DESTINATION)
    job = ExportJob.objects.create(
        kind=ExportJob.Kind.BULK,
        client=caller.client,
        approval=approval,
        request=url,
        scope=" ".join(map(str, caller.scopes)),
        group_reference=f"Group/{approval.group_id}" if asked.level is Level.GROUP else "",
        resource_types=list(asked.types),
        since=asked.since,
        until=asked.until,
        type_filters=list(asked.type_filters),
        elements=list(asked.elements),
        patients=patients,
        ignored=[*asked.ignored, *ignored],
    )
    if destination:
        Push.objects.create(job=job, destination=destination)
    commands.log(EventType.EXPORT_KICKOFF, job, by=caller.client)
    transaction.on_commit(lambda: commands.enqueue(job.id))
    return job


def _patients(group: Group, fhir_ids: Sequence[str], *, lenient: bool) -> tuple[list[str], list[str]]:
    """Our ids of those who are in the group. Who is not is refused: there may be no such patient at all."""
    known = PatientIdentity.objects.filter(source=Source.primary().slug, fhir_id__in=fhir_ids)
    inside = groups.members(group).filter(pk__in=known.values("patient_id")).values("pk")
    found = dict(known.filter(patient__in=inside).values_list("fhir_id", "patient_id"))
    missing = sum(1 for fhir_id in fhir_ids if fhir_id not in found)
    said = f"patient: {missing} of those named are not in the group."
    if missing and (not lenient or not found):
        raise Refusal(400, said)
    return sorted(str(pk) for pk in found.values()), [said] if missing else []


def of_client(caller: Caller, job_id: UUID) -> ExportJob:
    """The client's own export. Raises Refusal: 404 for what is somebody else's, or was deleted."""
    jobs = ExportJob.objects.select_related("approval__group", "client")
    job = jobs.filter(pk=job_id, client=caller.client, kind=ExportJob.Kind.BULK).first()
    if job is None or job.status == ExportJob.Status.CANCELLED:
        raise Refusal(404, NOT_FOUND)
    return job
