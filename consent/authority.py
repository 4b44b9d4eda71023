"""Load all that speaks for or against one request, in one SQL statement."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import Patient, RelatedPerson, User
from accounts.relation_states import HELPING
from audit.context import Credential
from consent import directives, emergency_rules, helper_rights, organisation, provisions
from consent.decision import Authority, Provision, ProvisionType, Reason
from consent.models import Consent, EmergencyAccess
from consent.vocabulary import Purpose
from smart import identity, tokens
from smart.models import AccessToken, StaffAuthorization
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
LIMITS = "= 'restriction'"
OPERATIONAL = "IN ('restriction', 'preference', 'share')"
# One row tells of token, client, person, patient and consent; the clock is the database's, so that
# web servers whose clocks differ still agree on what has ended.
BEARER = f"""
SELECT t.id, t.scope, t.patient_id, t.jkt, t.expires > clock_timestamp(), clock_timestamp(),
       u.id, u.is_active, c.client_id, c.status,
       k.id, k.status, k.current_number, k.period_end, k.revoked_at, v.provisions,
       {IDENTITIES}, {EPOCH}, {RELEASE}, {STANDING}, g.acr, g.amr, coalesce(p.is_test, false)
  FROM smart_accesstoken t
  JOIN smart_client c ON c.id = t.application_id
  LEFT JOIN accounts_user u ON u.id = t.user_id
  LEFT JOIN accounts_patient p ON p.id = t.patient_id
  LEFT JOIN consent_consent k ON k.id = t.authorization_id AND k.patient_id = t.patient_id
  LEFT JOIN consent_consentversion v ON v.consent_id = k.id AND v.number = k.current_number
  LEFT JOIN smart_signin g ON g.token_family = t.token_family
 WHERE t.token_checksum = %s
""".format(patient="t.patient_id", kinds=LIMITS)  # noqa: S608  our own words only
# The same for somebody who signed in, or another system: whose record, and who asks.
PERSON = f"""
SELECT clock_timestamp(), {IDENTITIES}, {EPOCH}, {RELEASE}, {STANDING},
       (SELECT jsonb_agg(s.practitioner) FROM accounts_staffrole s
         WHERE s.user_id = %(user)s AND s.practitioner <> '')
""".format(patient="%(patient)s", kinds=OPERATIONAL)  # noqa: S608  our own words only
NO_TOKEN = Credential()  # a session is asked for when something is recorded
# Said again in the statement that lets an answer out (`audit.log.record(only_if=…)`). For a view in an
# emergency: that its minutes are not over yet.
STILL_OPEN = """EXISTS (SELECT FROM consent_emergencyaccess
  WHERE id = %s::uuid AND ended_at IS NULL AND ends_at > clock_timestamp())"""
# The lock is taken and the consent read afresh inside the function, see migration 0002.
STILL_IN_FORCE = "consent_in_force(%s::uuid, %s::int, %s::uuid, %s::int, %s::bigint, %s::uuid)"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks, for whom, and what speaks for it. Made once a request, never kept."""

    actor: str  # as audit rows write it
    role: str
    patient_id: UUID
    identities: dict[str, str]  # source slug → the patient's FHIR id there
    facts: organisation.Facts
    provisions: tuple[Provision, ...]
    now: datetime
    actors: frozenset[str] = frozenset()  # as provisions name whoever asks
    epoch: int = 0  # see `consent.models.Epoch`
    valuesets: int = 0  # the release of value sets by which records are labelled
    scopes: tuple[Scope, ...] | None = None
    missing: Reason | None = None
    client: str = ""
    consent_id: UUID | None = None
    consent_number: int | None = None
    token_id: int | None = None
    on_behalf_of: str = ""
    user_id: UUID | None = None  # the person whose account stands behind it
    alive: bool = True  # False: the access token itself has ended
    jkt: str = ""  # thumbprint of the key that the access token is bound to (RFC 9449)
    credential: Credential = NO_TOKEN
    emergency_id: UUID | None = None  # the view that it rests on, see `consent.emergencies`

    @property
    def purpose(self) -> str:
        return self.facts.purpose

    @property
    def sees_every_label(self) -> bool:
        """Whether labels cannot change any decision: so for people's own records."""
        return bool(self.provisions) and all(p.every_label for p in self.provisions)

    def authority(self, interaction: str) -> Authority:
        """The organisation's rules are asked here, once for an interaction."""
        return Authority(
            ruling=organisation.rule(self.facts, interaction),
            provisions=self.provisions,
            scopes=self.scopes,
            missing=self.missing,
        )

    def still_in_force(self) -> tuple[str, list[Any]] | None:
        """The condition under which an answer may leave; None for people's own records."""
        if self.facts.relationship == "self":
            return None
        parameters = [
            self.patient_id,
            self.epoch,
            self.consent_id,
            self.consent_number,
            self.token_id,
            self.user_id,
        ]
        if self.emergency_id:
            return f"({STILL_IN_FORCE} AND {STILL_OPEN})", [*parameters, self.emergency_id]
        return STILL_IN_FORCE, parameters

    def is_still_in_force(self) -> bool:
        """The same, asked by itself: for an answer that was let out in parts."""
        condition = self.still_in_force()
        if condition is None:
            return True
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {condition[0]}", condition[1])
            return bool(cursor.fetchone()[0])


def from_bearer(token: str) -> Requester | None:
    """The requester behind an access token; None for a token that we never gave.

    A token that has ended still tells whose record was asked for, so that the refusal can
    stand in that patient's log: `alive` is False then, and nothing is in force.
    """
    checksum = hashlib.sha256(token.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(BEARER, [checksum])
        row = cursor.fetchone()
    if row is None or row[2] is None:
        return None
    (token_id, scope, patient_id, jkt, alive, now, user_id, active, client_id, client_status) = row[:10]
    (consent_id, status, number, period_end, revoked_at, rows) = row[10:16]
    (identities, epoch, valuesets, limits, acr, amr, is_test) = row[16:]
    signed_in = (acr or "", _json(amr) or ()) if user_id else None
    credential = identity.of_token(checksum, signed_in, bound=bool(jkt))
    if consent_id is None and (staff := _authorization_of_staff(token_id, now)):
        asked = {"token_id": token_id, "alive": alive, "client": f"Client/{client_id}", "jkt": jkt}
        asked["credential"] = credential
        return _for_clinicians_app(staff, now, client_status, scope, asked)
    missing = why_missing(consent_id, status, period_end, revoked_at, now)
    if not alive and missing is None:
        missing = Reason.TOKEN
    allowed = () if missing else provisions.read_back(_json(rows))
    return Requester(
        actor=f"Client/{client_id}",
        role="client",
        patient_id=patient_id,
        identities=_json(identities) or {},
        facts=organisation.Facts(
            role="client",
            relationship="none",
            active=bool(active),
            clientStatus=client_status,
            purpose=Purpose.PATRQT,
            testPatient=is_test,
        ),
        # Of what holds for everyone an app takes the denials: only its own consent lets it in.
        provisions=(*allowed, *(p for p in _standing(limits) if p.type is ProvisionType.DENY)),
        now=now,
        actors=frozenset({f"Client/{client_id}"}),
        epoch=epoch,
        valuesets=valuesets,
        scopes=tuple(Scope.parse_all(scope)),
        missing=missing,
        client=f"Client/{client_id}",
        consent_id=consent_id,
        consent_number=number,
        token_id=token_id,
        on_behalf_of=f"User/{user_id}" if user_id else "",
        user_id=user_id,
        alive=alive,
        jkt=jkt,
        credential=credential,
    )


def _authorization_of_staff(token_id: int, now: datetime) -> StaffAuthorization | None:
    """What stands behind a token that no consent stands behind; asked for those only."""
    behind = AccessToken.objects.filter(pk=token_id).values("authorization_id")
    living = StaffAuthorization.in_force(now).filter(pk__in=behind)
    return living.select_related("user", "patient", "helper").first()


def _for_clinicians_app(
    staff: StaffAuthorization, now: datetime, client_status: str, scope: str, asked: dict[str, Any]
) -> Requester:
    """An app in a clinician's hands: what its scopes reach of what they may see, as of now.

    Whether they treat the patient is asked anew each time, so that it ends with the care.
    """
    if staff.helper is not None:
        return _for_helpers_app(staff, staff.helper, client_status, scope, asked)
    treats: Callable[[User, Patient], bool] = import_string(settings.CLINICIAN_CHECK)
    clinician = for_clinician(staff.user, staff.patient, now, treats=treats(staff.user, staff.patient))
    return replace(
        clinician,
        **asked,
        actor=asked["client"],
        actors=clinician.actors | {asked["client"]},
        on_behalf_of=clinician.actor,
        facts=replace(clinician.facts, clientStatus=client_status, testPatient=staff.patient.is_test),
        scopes=tuple(Scope.parse_all(scope)),
        provisions=clinician.provisions if asked["alive"] else (),
        missing=None if asked["alive"] else Reason.TOKEN,
    )


def _for_helpers_app(
    staff: StaffAuthorization, relation: RelatedPerson, client_status: str, scope: str, asked: dict[str, Any]
) -> Requester:
    """An app in a helper's hands: what its scopes reach of what they may see now, by this relationship."""
    helper = for_helper(staff.user, staff.patient)
    missing = helper.missing
    if f"RelatedPerson/{relation.pk}" not in helper.actors or not relation.may_share:
        missing = missing or Reason.NO_CONSENT
    missing = missing if asked["alive"] else Reason.TOKEN
    return replace(
        helper,
        **asked,
        actor=asked["client"],
        actors=helper.actors | {asked["client"]},
        on_behalf_of=helper.actor,
        facts=replace(helper.facts, clientStatus=client_status, testPatient=staff.patient.is_test),
        scopes=tuple(Scope.parse_all(scope)),
        provisions=() if missing else helper.provisions,
        missing=missing,
    )


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


def _standing(versions: object) -> list[Provision]:
    """Provisions of several versions, as STANDING reads them."""
    return [p for rows in _json(versions) or [] for p in provisions.read_back(rows)]


def _json(value: object) -> Any:
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
    with connection.cursor() as cursor:
        cursor.execute(PERSON, {"patient": patient_id, "user": user_id})
        now, identities, epoch, valuesets, standing, practitioners = cursor.fetchone()
    return _Held(
        now,
        _json(identities) or {},
        epoch,
        valuesets,
        tuple(_standing(standing)),
        frozenset(_json(practitioners) or ()),
    )


def _person(user: User, patient_id: UUID, role: str, relationship: str, purpose: str) -> dict[str, Any]:
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


def for_clinician(user: User, patient: Patient, now: datetime, *, treats: bool) -> Requester:
    """A clinician; `treats` says whether the EHR knows them on the patient's care team.

    Nobody is the clinician of their own record.
    """
    treats = treats and patient.user_id != user.pk
    held = _held(patient.pk, user.pk)
    return Requester(
        **_person(user, patient.pk, "clinician", "treating" if treats else "none", Purpose.TREAT),
        identities=held.identities,
        provisions=(*directives.defaults(Purpose.TREAT), *held.standing) if treats else (),
        now=now,
        actors=frozenset({f"User/{user.pk}", *held.practitioners}),
        epoch=held.epoch,
        valuesets=held.valuesets,
    )


def for_emergency(user: User, patient: Patient, *, assumed: bool = False) -> Requester:
    """A clinician in an emergency, while the view that they opened runs by the database's clock.

    `assumed`: as if they had one, to see beforehand what would speak against it. Nobody's own record.
    """
    view = EmergencyAccess.objects.running().filter(user=user, patient=patient).first()
    opens = (assumed or view is not None) and patient.user_id != user.pk
    held = _held(patient.pk, user.pk)
    usual = [emergency_rules.permit()] if directives.defaults(Purpose.ETREAT) else []
    return Requester(
        **_person(user, patient.pk, "clinician", "emergency" if opens else "none", Purpose.ETREAT),
        identities=held.identities,
        provisions=(*usual, *held.standing) if opens else (),
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


def overtaken(requester: Requester) -> Reason:
    """Why an answer that had been decided may not leave: its consent ended, or something changed."""
    held = requester.consent_id
    consent = Consent.objects.filter(pk=held).first() if held else None
    if consent is None:
        return Reason.CHANGED
    missing = why_missing(consent.pk, consent.status, consent.period_end, consent.revoked_at, timezone.now())
    ended = requester.token_id is not None and not tokens.is_living(requester.token_id)
    return missing or (Reason.TOKEN if ended else Reason.CHANGED)


def is_in_force(authorization_id: UUID) -> bool:
    """Whether tokens may still be given for a consent, or a clinician's yes; `smart` asks."""
    open_end = Q(period_end=None) | Q(period_end__gt=timezone.now())
    if Consent.objects.filter(open_end, id=authorization_id, status="active").exists():
        return True
    staff = (
        StaffAuthorization.in_force().filter(pk=authorization_id).select_related("helper__patient").first()
    )
    if staff is None or staff.helper is None:
        return staff is not None
    return staff.helper.may_share and helper_rights.standing(staff.helper).reason is None
