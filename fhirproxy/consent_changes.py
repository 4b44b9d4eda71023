"""How consents are made and changed through FHIR.

The patient's own session makes, amends, answers and ends them. A client can only ask, or end what lets
somebody in: it makes proposals, which hold once the patient says yes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Patient, RelatedPerson, User
from audit.events import EventType
from consent import commands, helper_rights, resources, versions
from consent.decision import ProvisionType
from consent.models import Consent, ConsentVersion
from consent.provisions import InvalidConsent
from consent.requester import Requester
from consent.versions import Act
from fhirproxy import release
from fhirproxy.consent_reads import as_uuid, body_of, decide_on, headers_of, own_references
from fhirproxy.outcomes import NOT_FOUND, Refusal
from fhirproxy.release import Call
from fhirproxy.upstream import FHIR_JSON, FhirResponse

REFUSED = EventType.RECORD_REFUSE  # what the log calls a change that was not allowed
MOST_WAITING = 20  # proposals of clients that the patient has not answered; more would bury them
Kind, Status = Consent.Kind, Consent.Status
FOR_ONE = (Kind.APP, Kind.HELPER)  # what these deny, they deny to their own recipient only
Resource = Mapping[str, Any]


class Invalid(Refusal):
    """A Consent that cannot be; the OperationOutcome names its element (FHIR R4, 2.29: `expression`)."""

    def __init__(self, error: InvalidConsent) -> None:
        super().__init__(422, str(error))
        self.expression = f"Consent.{error.field}"

    def response(self) -> FhirResponse:
        answer = super().response()
        said = json.loads(answer.body)
        said["issue"][0]["expression"] = [self.expression]
        return FhirResponse(answer.status, answer.headers, json.dumps(said).encode())


class _Overtaken(Exception):
    """What let the caller in ended, or changed, while it was on its way."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One change that is asked for, under the patient's lock."""

    patient: Patient
    act: Act
    resource: Resource
    own: frozenset[str]  # references that mean the patient

    @property
    def by_client(self) -> bool:
        return bool(self.act.client)


def create(call: Call, resource: Resource) -> FhirResponse:
    version = _made(call, resource, _create)
    headers = {"Location": f"{settings.FHIR_BASE_URL}/{version}", **headers_of(version)}
    return FhirResponse(201, {"Content-Type": FHIR_JSON, **headers}, body_of(call, version))


def update(call: Call, resource: Resource, number: int) -> FhirResponse:
    """`number` is the version that the caller saw (If-Match). A client is not told what stands."""
    version = _made(call, resource, lambda change: _update(change, call.interaction.id, number))
    body = b"" if call.requester.client else body_of(call, version)
    return FhirResponse(200, {"Content-Type": FHIR_JSON, **headers_of(version)}, body)


def _made(call: Call, resource: Resource, make: Callable[[_Change], Consent]) -> ConsentVersion:
    """The new version. What is refused after the gate let it in stands in the log too."""
    decision = decide_on(call, resource)
    if not decision.permitted:
        raise release.refuse(call, decision.reasons, 403)
    try:
        return _in_force(call, resource, make)
    except _Overtaken:
        raise release.overtaken(call) from None
    except InvalidConsent as error:
        refusal: Refusal = Invalid(error)
    except Refusal as error:
        refusal = error
    release.refuse(call, (f"request.{refusal.status}",), refusal.status)
    raise refusal


@transaction.atomic
def _in_force(call: Call, resource: Resource, make: Callable[[_Change], Consent]) -> ConsentVersion:
    """Nothing is changed after what let the caller in has ended: both wait for the patient's lock."""
    own, patient = own_references(call), resource.get("patient")
    if not isinstance(patient, dict) or "reference" not in patient:
        raise InvalidConsent("patient", "Say whose consent it is: Patient/ and their id.")
    if patient["reference"] not in own:
        raise Refusal(404, NOT_FOUND)
    versions.lock(call.requester.patient_id)
    if not _still_in_force(call.requester):
        raise _Overtaken
    whose = Patient.objects.select_related("user").get(pk=call.requester.patient_id)
    return make(_Change(whose, _act(call.requester), resource, own)).current


def _still_in_force(requester: Requester) -> bool:
    condition = requester.still_in_force()
    if condition is None:
        return True
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {condition[0]}", condition[1])
        return bool(cursor.fetchone()[0])


def _act(requester: Requester) -> Act:
    person = requester.on_behalf_of if requester.client else requester.actor
    by = User.objects.get(pk=person.removeprefix("User/"))
    return Act(by=by, channel="fhir", role=requester.role, client=requester.client)


def _create(change: _Change) -> Consent:
    resources.check(change.resource, change.own)
    kind, whom = resources.whom(change.resource, change.patient)
    _refuse_by_law(whom.get("helper"))
    if change.by_client and kind == Kind.RESTRICTION:
        raise InvalidConsent("provision", "Name one recipient. A limit for the clinic the patient asks for.")
    propose = change.by_client or kind == Kind.RESTRICTION
    takes = ("proposed", "active") if propose else ("active",)
    if change.resource["status"] not in takes:
        raise InvalidConsent("status", f"The status of a new consent is {' or '.join(takes)}.")
    if change.by_client:
        _refuse_too_many(change.patient)
    elif not propose:
        _refuse_second(change.patient, kind, whom)
    return commands.record_resource(
        change.resource, patient=change.patient, act=change.act, whom=whom, kind=kind, propose=propose
    )


def _refuse_by_law(helper: RelatedPerson | None) -> None:
    """What parental authority or a court gave is not the patient's to change, by whatever way."""
    if helper and not helper_rights.may_patient_change(helper, timezone.now()):
        raise InvalidConsent("provision", "The law lets this person help. The clinic can change it.")


def _refuse_too_many(patient: Patient) -> None:
    waiting = patient.consents.filter(status=Status.PROPOSED).exclude(kind=Kind.RESTRICTION)
    if waiting.count() >= MOST_WAITING:
        raise Refusal(409, "Earlier proposals wait for the patient's answer. Send no more before it comes.")


def _refuse_second(patient: Patient, kind: str, whom: Mapping[str, Any]) -> None:
    """A create that took the place of what stands would be an update without If-Match."""
    standing = patient.consents.filter(kind=kind, status__in=commands.OPEN, **whom).first()
    if standing:
        raise Refusal(409, f"There is one for the same: update Consent/{standing.pk}.")


def _update(change: _Change, consent_id: str, number: int) -> Consent:
    found = as_uuid(consent_id)
    consent = change.patient.consents.filter(pk=found).first() if found else None
    if consent is None:
        raise Refusal(404, NOT_FOUND)
    if consent.current_number != number:
        raise Refusal(412, "It has changed since you read it. Read it again, and then decide.")
    resources.check(change.resource, change.own)
    _refuse_by_law(consent.helper)
    wanted = change.resource["status"]
    if consent.status in (Status.INACTIVE, Status.REJECTED):
        raise InvalidConsent("status", "This consent has ended and cannot be changed. Make a new one.")
    if wanted == "inactive":
        return _end(change, consent)
    if change.by_client:
        raise InvalidConsent("status", "An app may end a consent (inactive), and change nothing else.")
    if consent.kind == Kind.RESTRICTION:
        raise InvalidConsent("status", "The clinic answers it. To change it, end it and ask for another.")
    if consent.status == Status.PROPOSED:
        return _answer(change, consent, wanted)
    return _amend(change, consent, wanted)


def _end(change: _Change, consent: Consent) -> Consent:
    _refuse_changed(change, consent)
    if "extension" in change.resource:  # read while it was paused, and sent back as it was
        raise InvalidConsent("extension", "It is paused. To end it, leave the extension out.")
    denies = any(row["type"] == ProvisionType.DENY for row in consent.current.provisions)
    if change.by_client and denies and consent.kind not in FOR_ONE:
        raise InvalidConsent("status", "Without it more would be allowed. Only the patient may end it.")
    assert change.act.by is not None  # see _act
    return commands.revoke(
        consent, by=change.act.by, channel="fhir", role=change.act.role, client=change.act.client
    )


def _answer(change: _Change, consent: Consent, wanted: str) -> Consent:
    _refuse_changed(change, consent)
    if wanted not in ("active", "rejected"):
        raise InvalidConsent("status", "Answer what was proposed: active, or rejected.")
    return commands.answer(consent, agreed=wanted == "active", act=change.act)


def _amend(change: _Change, consent: Consent, wanted: str) -> Consent:
    if consent.status == Status.PAUSED:
        raise InvalidConsent("status", "It is paused. Turn sharing on again, and then change it.")
    if wanted != "active":
        raise InvalidConsent("status", "A consent that is active stays so, or ends (inactive).")
    kind, whom = resources.whom(change.resource, change.patient)
    if kind != consent.kind or any(getattr(consent, name) != value for name, value in whom.items()):
        raise InvalidConsent("provision", "A consent stays with whom it is for. Make another.")
    return commands.record_resource(
        change.resource, patient=change.patient, act=change.act, whom=whom, kind=kind, replaces=consent
    )


def _refuse_changed(change: _Change, consent: Consent) -> None:
    if name := resources.changed(change.resource, consent.current):
        raise InvalidConsent(name, "An answer or an end changes the status, and nothing else.")
