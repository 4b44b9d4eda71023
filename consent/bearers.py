"""Load all that speaks for or against what the holder of an access token asks, in one SQL statement."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import Patient, RelatedPerson, User
from consent import authority, helper_rights, organisation, provisions
from consent.authority import EPOCH, IDENTITIES, RELEASE, STANDING, as_json
from consent.decision import ProvisionType, Reason
from consent.models import Consent
from consent.requester import Requester
from consent.vocabulary import Purpose
from smart import identity, tokens
from smart.models import AccessToken, StaffAuthorization
from smart.scopes import Scope

LIMITS = "= 'restriction'"
# One row tells of token, client, person, patient and consent; the clock is the database's, so that
# web servers whose clocks differ still agree on what has ended.
BEARER = f"""
SELECT t.id, t.scope, t.patient_id, t.jkt, t.expires > clock_timestamp(), clock_timestamp(),
       u.id, u.is_active, c.client_id, c.status,
       k.id, k.status, k.current_number, k.period_end, k.revoked_at, v.provisions,
       {IDENTITIES}, {EPOCH}, {RELEASE}, {STANDING}, g.acr, g.amr, coalesce(p.is_test, false),
       t.authenticated_at
  FROM smart_accesstoken t
  JOIN smart_client c ON c.id = t.application_id
  LEFT JOIN accounts_user u ON u.id = t.user_id
  LEFT JOIN accounts_patient p ON p.id = t.patient_id
  LEFT JOIN consent_consent k ON k.id = t.authorization_id AND k.patient_id = t.patient_id
  LEFT JOIN consent_consentversion v ON v.consent_id = k.id AND v.number = k.current_number
  LEFT JOIN smart_signin g ON g.token_family = t.token_family
 WHERE t.token_checksum = %s
""".format(patient="t.patient_id", kinds=LIMITS)  # noqa: S608  our own words only

IN_FORCE = """
SELECT 1 FROM consent_consent
 WHERE id = %s AND status = 'active' AND (period_end IS NULL OR period_end > %s)
"""


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
    (identities, epoch, valuesets, limits, acr, amr, is_test, authenticated_at) = row[16:]
    signed_in = (acr or "", as_json(amr) or ()) if user_id else None
    credential = identity.of_token(checksum, signed_in, bound=bool(jkt))
    if consent_id is None and (staff := _authorization_of_staff(token_id, now)):
        asked = {"token_id": token_id, "alive": alive, "client": f"Client/{client_id}", "jkt": jkt}
        asked |= {"credential": credential, "acr": acr or "", "authenticated_at": authenticated_at}
        return _for_clinicians_app(staff, now, client_status, scope, asked)
    missing = authority.why_missing(consent_id, status, period_end, revoked_at, now)
    if not alive and missing is None:
        missing = Reason.TOKEN
    allowed = () if missing else provisions.read_text(rows)
    return Requester(
        actor=f"Client/{client_id}",
        role="client",
        patient_id=patient_id,
        identities=as_json(identities) or {},
        facts=organisation.Facts(
            role="client",
            relationship="none",
            active=bool(active),
            clientStatus=client_status,
            purpose=Purpose.PATRQT,
            testPatient=is_test,
        ),
        # Of what holds for everyone an app takes the denials: only its own consent lets it in.
        provisions=(*allowed, *(p for p in authority.read_standing(limits) if p.type is ProvisionType.DENY)),
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
        acr=acr or "",
        authenticated_at=authenticated_at,
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
    clinician = authority.for_clinician(
        staff.user, staff.patient, now, treats=treats(staff.user, staff.patient)
    )
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
    helper = authority.for_helper(staff.user, staff.patient)
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
        # What a helper sends for somebody they send by hand, under their own name.
        provisions=() if missing else tuple(replace(p, writes=False) for p in helper.provisions),
        missing=missing,
    )


def overtaken(requester: Requester) -> Reason:
    """Why an answer that had been decided may not leave: its consent ended, or something changed."""
    held = requester.consent_id
    consent = Consent.objects.filter(pk=held).first() if held else None
    if consent is None:
        return Reason.CHANGED
    missing = authority.why_missing(
        consent.pk, consent.status, consent.period_end, consent.revoked_at, timezone.now()
    )
    ended = requester.token_id is not None and not tokens.is_living(requester.token_id)
    return missing or (Reason.TOKEN if ended else Reason.CHANGED)


def is_in_force(authorization_id: UUID) -> bool:
    """Whether tokens may still be given for a consent, or a clinician's yes; `smart` asks."""
    with connection.cursor() as cursor:
        cursor.execute(IN_FORCE, [authorization_id, timezone.now()])
        if cursor.fetchone():
            return True
    staff = (
        StaffAuthorization.in_force().filter(pk=authorization_id).select_related("helper__patient").first()
    )
    if staff is None or staff.helper is None:
        return staff is not None
    return staff.helper.may_share and helper_rights.standing(staff.helper).reason is None
