"""Send an approved change to its EHR, once, and only while what let it in still holds.

The command's id goes along as an identifier, and a create is conditional on it, an update on the version
that its author saw: so a change whose answer was lost can be found, and is never sent blindly again.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from audit.events import EventType, Outcome
from fhirproxy import asking, upstream
from fhirproxy.messages import Trouble
from fhirproxy.models import Source, WriteCommand
from fhirproxy.outcomes import EhrFailure
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse
from fhirproxy.upstream.http import wait_of
from fhirproxy.writes import bodies, kinds, together
from fhirproxy.writes.deciding import log_by_system
from fhirproxy.writes.proposals import IDENTIFIER, unmarked
from fhirproxy.writes.provenance import provenance
from fhirproxy.writes.states import S as Status
from fhirproxy.writes.states import WrongState, move
from fhirproxy.writes.steps import WHY_NOT, block, step, why_ended

STUCK = timedelta(seconds=60)
LONGEST = timedelta(hours=1)  # between two tries; doubled each time until then
MOST_AT_ONCE = 200  # commands that one sweep looks at
CONFLICTS = frozenset({409, 412})  # it stands against what is in the chart: for a person to look at
GONE = frozenset({404, 410})  # what an update is to change is not there
NOT_SENT = frozenset({Trouble.BUSY, Trouble.RESTING, Trouble.CREDENTIALS})  # so the EHR knows nothing of it
LOCK = "SELECT pg_advisory_xact_lock_shared(consent_lock_key(%s))"


def send(command_id: UUID) -> WriteCommand:
    """Carry an approved command to the EHR. Safe to run twice, and at once: one of them sends."""
    command, mine = _take(command_id)
    if not mine:
        return command
    try:
        answer = upstream.of(command.source).send(_transaction(command))
    except upstream.UpstreamUnavailable as error:
        if error.trouble in NOT_SENT:
            return _finish(command, Status.APPROVED, reason="ehr.not-sent")
        return _finish(command, Status.UNKNOWN, reason="ehr.no-answer")
    _wait(command.source, wait_of(answer))
    return _judge(command, answer)


def _judge(command: WriteCommand, answer: FhirResponse) -> WriteCommand:
    """Only what the EHR names is in the chart; only what it refused is not. All else is looked for."""
    if answer.status >= 500:
        return _finish(command, Status.UNKNOWN, reason="ehr.error")
    if answer.status == 429:  # not refused, only not now: the sweep looks, and sends it later
        return _finish(command, Status.UNKNOWN, reason="ehr.busy")
    if answer.status in CONFLICTS or (command.target and answer.status in GONE):
        return _finish(command, Status.CONFLICT, reason="ehr.conflict")
    if answer.status >= 400:
        return _finish(command, Status.FAILED, reason="ehr.refused")
    where, provenance_at = _locations(answer)
    if not where:
        return _finish(command, Status.UNKNOWN, reason="ehr.no-answer")
    return _finish(command, Status.APPLIED, result=where, provenance_at=provenance_at)


def reconcile(command_id: UUID) -> WriteCommand:
    """Look for a change whose answer was lost: found, it is applied; not found, it may be sent again."""
    command = WriteCommand.objects.get(id=command_id)
    try:
        return _find_update(command) if command.target else _find_created(command)
    except EhrFailure:
        return command  # that it was not found would have to be certain


def _find_created(command: WriteCommand) -> WriteCommand:
    query = (("identifier", f"{IDENTIFIER}|{command.id}"),)
    bodies_found = list(asking.pages(command.source, command.resource_type, query))
    for found in map(asking.decode, bodies_found):
        if _has_id(found, command):
            return _finish(command, Status.APPLIED, result=_versioned(found))
    return _finish(command, Status.APPROVED, reason="ehr.not-found")


def _find_update(command: WriteCommand) -> WriteCommand:
    """As the chart stands, or once stood: another change may have come after ours."""
    answer = asking.ask(command.source, command.target)
    if answer.status in GONE:
        return _finish(command, Status.CONFLICT, reason="ehr.conflict")
    if answer.status != 200:
        raise asking.failed(command.source, answer)
    now = asking.decode(answer.body)
    if _has_id(now, command):
        return _finish(command, Status.APPLIED, result=_versioned(now))
    if str(now.get("meta", {}).get("versionId", "")) == command.base_version:
        return _finish(command, Status.APPROVED, reason="ehr.not-found")
    for found in map(asking.decode, asking.page(command.source, f"{command.target}/_history").bodies):
        if _has_id(found, command):
            return _finish(command, Status.APPLIED, result=_versioned(found))
    return _finish(command, Status.CONFLICT, reason="ehr.conflict")


def _versioned(found: dict[str, Any]) -> str:
    version = found.get("meta", {}).get("versionId", "")
    return f"{found['resourceType']}/{found['id']}" + (f"/_history/{version}" if version else "")


def sweep() -> int:
    """Carry on what a crash left, and what has to wait: approved but not sent, sent but without an answer."""
    now = timezone.now()
    waiting = [Status.APPROVED, Status.SUBMITTING, Status.UNKNOWN]
    rows = WriteCommand.objects.filter(status__in=waiting, events__at__lt=now - STUCK).distinct()
    rows = rows.select_related("source").order_by("created_at")[:MOST_AT_ONCE]
    for command in rows:
        if not _is_due(command, now) or _is_waiting(command.source):
            continue
        if command.status == Status.SUBMITTING:
            command = _finish(command, Status.UNKNOWN, reason="ehr.no-answer")
        if command.status == Status.UNKNOWN:
            command = reconcile(command.id)
        if command.status == Status.APPROVED:
            send(command.id)
    return len(rows)


def _is_due(command: WriteCommand, now: datetime) -> bool:
    """Whether its newest step is long enough ago: the longer, the oftener it was tried."""
    events = list(command.events.all())
    tries = sum(event.status == Status.SUBMITTING for event in events)
    pause = min(STUCK * 2 ** min(max(0, tries - 1), 10), LONGEST)
    return bool(events) and events[-1].at < now - pause


@transaction.atomic
def _take(command_id: UUID) -> tuple[WriteCommand, bool]:
    """Only one worker gets to send: whoever moves the row from approved to submitting.

    The patient's lock comes first, as in a revoke. What let the change in is looked at for the last time in
    the statement that records that it goes.
    """
    patient_id = WriteCommand.objects.values_list("patient_id", flat=True).get(id=command_id)
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [patient_id])
    command = WriteCommand.objects.select_for_update().get(id=command_id)
    if command.status != Status.APPROVED:
        return command, False
    released = log_by_system(
        EventType.WRITE_SEND, command, Outcome.DONE, only_if=(f"{WHY_NOT} = ''", [command.id])
    )
    if released:
        move(command, Status.SUBMITTING, by=None)
        return command, True
    if why := why_ended(command):
        block(command, why)
    return command, False


@transaction.atomic
def _finish(
    command: WriteCommand, status: str, *, reason: str = "", result: str = "", provenance_at: str = ""
) -> WriteCommand:
    command = WriteCommand.objects.select_for_update().get(id=command.id)
    applied = status == Status.APPLIED
    written: dict[str, Any] = {"result": result, "provenance": provenance_at} if applied else {}
    outcome = Outcome.DONE if applied else Outcome.FAILED
    with suppress(WrongState):  # somebody else found out first
        step(command, status, EventType.WRITE_APPLY, outcome=outcome, reason=reason, **written)
    return command


def _transaction(command: WriteCommand) -> FhirRequest:
    """Resource and Provenance together, or neither (FHIR R4, 3.1.0.11.2)."""
    resource = _marked(command)
    if command.target:
        full_url = command.target
        request = {"method": "PUT", "url": command.target, "ifMatch": f'W/"{command.base_version}"'}
    else:
        full_url = together.full_url(command) or f"urn:uuid:{command.id}"
        request = {"method": "POST", "url": command.resource_type}
        request["ifNoneExist"] = f"identifier={IDENTIFIER}|{command.id}"
    patient = {"reference": f"Patient/{_patient_id(command)}"}
    also = together.made(command)
    made = provenance(command, [full_url, *(each["fullUrl"] for each in also)], patient, resource)
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {**({} if command.target else {"fullUrl": full_url}), "resource": resource, "request": request},
            {"resource": made, "request": {"method": "POST", "url": "Provenance"}},
            *also,
        ],
    }
    headers = {"Content-Type": FHIR_JSON, "Prefer": "return=minimal"}
    return FhirRequest("POST", "", headers=headers, body=bodies.dump(bundle))


def _marked(command: WriteCommand) -> bodies.Resource:
    """The resource with the command's id in it, in the place of that of the command before."""
    resource = unmarked(bodies.read(command.resource))
    ours = {"system": IDENTIFIER, "value": str(command.id)}
    kind = kinds.named(command.kind)
    alone = kind is not None and kind.one_identifier
    return resource | {"identifier": ours if alone else [*resource.get("identifier", []), ours]}


def _patient_id(command: WriteCommand) -> str:
    found = command.patient.identities.filter(source=command.source_id, ended_at=None)
    return str(found.values_list("fhir_id", flat=True).first() or "")


def _locations(answer: FhirResponse) -> tuple[str, str]:
    """(Type/id/_history/version, Provenance/id) of what the EHR made; empty: it does not say."""
    try:
        first, *others = [entry["response"] for entry in msgspec.json.decode(answer.body)["entry"]]
        made = str(first["status"]).startswith("2")
        where = _relative(str(first["location"])) if made else ""
        also = [_relative(str(other.get("location", ""))) for other in others]
        return where, also[0].partition("/_history")[0] if also else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return "", ""


def _relative(location: str) -> str:
    """ "Observation/1/_history/1" out of an address, whatever its base is."""
    path, history, version = location.partition("/_history/")
    return "/".join(path.split("/")[-2:]) + history + version


def _has_id(resource: dict[str, Any], command: WriteCommand) -> bool:
    """An EHR that passes `identifier` over shows everything it has."""
    found = resource.get("identifier")
    wanted = {"system": IDENTIFIER, "value": str(command.id)}
    return resource.get("resourceType") == command.resource_type and any(
        isinstance(one, dict) and wanted.items() <= one.items()
        for one in (found if isinstance(found, list) else [found])
    )


def _wait(source: Source, seconds: int) -> None:
    """An EHR that says when to come again to a write (RFC 9110, 10.2.3) is left alone until then."""
    if seconds:
        with suppress(RedisError):
            cache.set(f"ehr-writes-wait:{source.slug}", 1, timeout=seconds)


def _is_waiting(source: Source) -> bool:
    try:
        return cache.get(f"ehr-writes-wait:{source.slug}") is not None
    except RedisError:
        return True  # it may have asked for that, and the next sweep is near
