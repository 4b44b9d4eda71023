"""Load all that speaks for or against what a person or another system asks; for tokens `consent.bearers`."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts import closeness
from accounts.models import Patient, RelatedPerson, StaffRole, User
from accounts.relation_states import HELPING
from consent import directives, emergency_rules, helper_rights, organisation, provisions, roles
from consent.decision import Provision, ProvisionType, Reason
from consent.models import Consent, EmergencyAccess
from consent.requester import Requester
from consent.vocabulary import Purpose
from smart.models import Client
from smart.scopes import Scope

# What holds whoever asks: limits that the patient asked for; for operational use, shares and choices too.
STANDING = """
(SELECT jsonb_agg(v.provisions)
   FROM consent_consent d
   JOIN consent_consentversion v ON v.consent_id = d.id AND v.number = d.current_number
  WHERE d.patient_id = {patient} AND d.status = 'active' AND d.kind {kinds})
"""
IDENTITIES = """
(SELECT jsonb_object_agg(i.source, i.fhir_id) FROM accounts_patientidentity i
  WHERE i.patient_id = {patient} AND i.ended_at IS NULL)
"""
EPOCH = "coalesce((SELECT e.number FROM consent_epoch e WHERE e.patient_id = {patient}), 0)"
RELEASE = "coalesce((SELECT max(r.id) FROM consent_valuesetrelease r), 0)"
OPERATIONAL = "IN ('restriction', 'preference', 'share')"
# For somebody who signed in, or another system: whose record, and who asks.
PERSON = f"""
SELECT statement_timestamp(), {IDENTITIES}, {EPOCH}, {RELEASE}, {STANDING},
       (SELECT jsonb_agg(s.practitioner) FROM accounts_staffrole s
         WHERE s.user_id = %(user)s AND s.practitioner <> '')
FROM unnest(%(patients)s::uuid[]) WITH ORDINALITY AS w (id, place) ORDER BY w.place
""".format(patient="w.id", kinds=OPERATIONAL)  # noqa: S608  our own words only


def why_missing(
    consent_id: UUID | None,
    status: str | None,
    period_end: datetime | None,
    revoked_at: datetime | None,
    now: datetime,
) -> Reason | None:
    """Why a consent does not hold; None where it does."""
    if consent_id is None:
        return Reason.NO_CONSENT
    if revoked_at is not None:
        return Reason.REVOKED
    if status in REASON_OF_STATUS:
        return REASON_OF_STATUS[status]
    if status != Consent.Status.ACTIVE or (period_end is not None and period_end <= now):
        return Reason.EXPIRED
    return None


REASON_OF_STATUS: Mapping[str | None, Reason] = {
    Consent.Status.PROPOSED: Reason.PROPOSED,
    Consent.Status.REJECTED: Reason.NO_CONSENT,
    Consent.Status.PAUSED: Reason.PAUSED,
}


def read_standing(versions: object) -> list[Provision]:
    """Provisions of several versions, as STANDING reads them."""
    return [p for rows in as_json(versions) or [] for p in provisions.read_back(rows)]


def as_json(value: object) -> Any:
    """A jsonb column through a plain cursor: Django leaves it as text."""
    return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Held:
    """What the database says of a patient, to somebody who is no app."""

    now: datetime
    identities: dict[str, str]
    epoch: int
    valuesets: int
    standing: tuple[Provision, ...]
    practitioners: frozenset[str]


def _held(patient_id: UUID, user_id: UUID | None) -> _Held:
    (held,) = _held_of_each([patient_id], user_id)
    return held


def _held_of_each(patients: Sequence[UUID], user_id: UUID | None) -> list[_Held]:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(PERSON, {"patients": list(patients), "user": user_id})
        rows = cursor.fetchall()
    return [
        _Held(
            now,
            as_json(identities) or {},
            epoch,
            valuesets,
            tuple(read_standing(standing)),
            frozenset(as_json(practitioners) or ()),
        )
        for now, identities, epoch, valuesets, standing, practitioners in rows
    ]


def _person(
    user: User, patient_id: UUID, role: str, relationship: str, purpose: str, *, watched: bool = False
) -> dict[str, Any]:
    """What all who signed in have in common, as keywords of `Requester`."""
    return {
        "actor": f"User/{user.pk}",
        "role": role,
        "user_id": user.pk,
        "patient_id": patient_id,
        "facts": organisation.Facts(
            role=role,
            relationship=relationship,
            active=user.is_active,
            clientStatus="none",
            purpose=purpose,
            watched=watched,
        ),
    }


def for_own_record(user: User, patient: Patient, now: datetime) -> Requester:
    """A patient who signed in and looks at their own record."""
    own = patient.user_id == user.pk
    held = _held(patient.pk, user.pk)
    return Requester(
        **_person(user, patient.pk, "patient", "self" if own else "none", Purpose.PATRQT),
        identities=held.identities,
        provisions=provisions.OWN_RECORD if own else (),
        now=now,
        actors=frozenset({f"User/{user.pk}"}),
        epoch=held.epoch,
        valuesets=held.valuesets,
    )


def for_helper(user: User, patient: Patient) -> Requester:
    """A helper who acts for the patient, by the consent behind their relationship.

    Whatever the consent says, private topics stay closed, and so does what is private for teens; how old
    the patient is is looked at here, each time (`consent.helper_rights`).
    """
    found = patient.helpers.filter(user=user).select_related("patient")
    relation = found.filter(status__in=HELPING).first() or found.order_by("-period_start").first()
    consent = helper_rights.consent_of(relation) if relation else None
    held = _held(patient.pk, user.pk)
    missing, allowed = _helpers_consent(relation, consent, held.now)
    limits = [p for p in held.standing if p.type is ProvisionType.DENY]
    return Requester(
        **_person(user, patient.pk, "helper", "helper" if relation else "none", Purpose.FAMRQT),
        identities=held.identities,
        provisions=(*allowed, *limits, *(_private_for_teens(relation, held.now) if relation else ())),
        now=held.now,
        actors=frozenset({f"User/{user.pk}", *([f"RelatedPerson/{relation.pk}"] if relation else [])}),
        epoch=held.epoch,
        valuesets=held.valuesets,
        missing=missing,
        consent_id=consent.pk if consent else None,
        consent_number=consent.current_number if consent else None,
        on_behalf_of=f"Patient/{patient.pk}",
    )


def _helpers_consent(
    relation: RelatedPerson | None, consent: Consent | None, now: datetime
) -> tuple[Reason | None, tuple[Provision, ...]]:
    """Why a helper may see nothing, or what the consent allows them: never a private topic."""
    if relation is None:
        return Reason.NO_CONSENT, ()
    missing = helper_rights.standing(relation, now).reason
    if missing is None and consent is None:
        missing = Reason.NO_CONSENT
    if missing is not None or consent is None:
        return missing, ()
    missing = why_missing(consent.pk, consent.status, consent.period_end, consent.revoked_at, now)
    rows = () if missing else provisions.read_back(consent.current.provisions)
    return missing, tuple(
        replace(p, security_labels=frozenset()) if p.type is ProvisionType.PERMIT else p for p in rows
    )


def _private_for_teens(relation: RelatedPerson, now: datetime) -> tuple[Provision, ...]:
    labels, kinds = helper_rights.hidden(relation, now)
    deny = Provision("teen", ProvisionType.DENY, reason=Reason.TEEN)
    return (
        *([replace(deny, security_labels=labels)] if labels else []),
        *([replace(deny, id="teen-kinds", categories=kinds)] if kinds else []),
    )


def for_clinician(
    user: User, patient: Patient, now: datetime, *, treats: bool, reason_given: bool = False
) -> Requester:
    """A clinician; `treats` says whether the EHR knows them on the patient's care team.

    Nobody is the clinician of their own record. One that is watched asks for a reason: it holds as long as
    the view that they opened with it (`consent.emergencies`).
    """
    treats = treats and patient.user_id != user.pk
    watched = patient.watched_since is not None
    view = _views(user, patient).first() if watched or reason_given else None
    held = _held(patient.pk, user.pk)
    provisions = (*directives.defaults(Purpose.TREAT), *held.standing) if treats else ()
    return Requester(
        **_person(
            user,
            patient.pk,
            "clinician",
            "treating" if treats else "none",
            Purpose.TREAT,
            watched=watched and view is None,
        ),
        identities=held.identities,
        provisions=roles.narrowed(provisions, "clinician", "treating") if treats else (),
        now=now,
        actors=frozenset({f"User/{user.pk}", *held.practitioners}),
        epoch=held.epoch,
        valuesets=held.valuesets,
        emergency_id=view.pk if view else None,
    )


def _views(user: User, patient: Patient) -> QuerySet[EmergencyAccess]:
    return EmergencyAccess.objects.running().filter(user=user, patient=patient)


def for_billing(user: User, patient: Patient) -> Requester:
    """Who makes bills, and sees of a record what a bill is made of (`roles.toml`).

    Nobody's own record, and none that asks for a reason: there is none that billing could give.
    """
    near = closeness.asks_for_a_reason(user, patient)
    works = user.staff_roles.filter(role=StaffRole.Role.BILLING).exists() and not near
    held = _held(patient.pk, user.pk)
    provisions = (*directives.defaults(Purpose.HPAYMT), *held.standing) if works else ()
    return Requester(
        **_person(
            user,
            patient.pk,
            "billing",
            "account" if works else "none",
            Purpose.HPAYMT,
            watched=patient.watched_since is not None,
        ),
        identities=held.identities,
        provisions=roles.narrowed(provisions, "billing", "account") if works else (),
        now=held.now,
        actors=frozenset({f"User/{user.pk}"}),
        epoch=held.epoch,
        valuesets=held.valuesets,
    )


def for_emergency(user: User, patient: Patient, *, assumed: bool = False) -> Requester:
    """A clinician in an emergency, while the view that they opened runs by the database's clock.

    `assumed`: as if they had one, to see beforehand what would speak against it. Nobody's own record.
    """
    broken = _views(user, patient).exclude(why=EmergencyAccess.Why.TREATING)
    view = broken.first()
    is_clinician = user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exists()
    opens = (assumed or view is not None) and is_clinician and patient.user_id != user.pk
    held = _held(patient.pk, user.pk)
    usual = [emergency_rules.permit()] if directives.defaults(Purpose.ETREAT) else []
    return Requester(
        **_person(user, patient.pk, "clinician", "emergency" if opens else "none", Purpose.ETREAT),
        identities=held.identities,
        provisions=roles.narrowed((*usual, *held.standing), "clinician", "emergency") if opens else (),
        now=held.now,
        actors=frozenset({f"User/{user.pk}", *held.practitioners}),
        epoch=held.epoch,
        valuesets=held.valuesets,
        emergency_id=view.pk if view else None,
    )


def for_other_system(patient_id: UUID, actors: Collection[str], purpose: str) -> Requester:
    """Somebody whom another system asks about: what the patient's choices say to these actors.

    `actors` are FHIR references. Whether the other system lets them act is its own rule.
    """
    held = _held(patient_id, None)
    return Requester(
        actor=min(actors, default="System/unknown"),
        role="external",
        patient_id=patient_id,
        identities=held.identities,
        facts=organisation.Facts(
            role="external", relationship="none", active=True, clientStatus="none", purpose=purpose
        ),
        provisions=(*directives.defaults(purpose), *held.standing),
        now=held.now,
        actors=frozenset(actors),
        epoch=held.epoch,
        valuesets=held.valuesets,
    )


def for_service(
    client: Client, patients: Sequence[UUID], purpose: str, scopes: tuple[Scope, ...] | None = None
) -> list[Requester]:
    """A backend service that exports a group which the patients are in, for a purpose it was approved for;
    once for each of them.

    What the patient chose for that purpose holds, or the site's default; private topics stay closed. Whether
    the approval holds is for the caller to look at (`exports.bulk.approvals`).
    """
    name = f"Client/{client.client_id}"
    facts = organisation.Facts(
        role="client", relationship="group", active=True, clientStatus=client.status, purpose=purpose
    )
    return [
        Requester(
            actor=name,
            role="client",
            patient_id=patient_id,
            identities=held.identities,
            facts=facts,
            provisions=(*directives.defaults(purpose), *held.standing),
            now=held.now,
            actors=frozenset({name}),
            epoch=held.epoch,
            valuesets=held.valuesets,
            scopes=scopes,
            client=name,
        )
        for patient_id, held in zip(patients, _held_of_each(patients, None), strict=True)
    ]
