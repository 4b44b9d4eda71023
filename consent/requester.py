"""Who asks: made once a request by `consent.authority` (people) or `consent.bearers` (tokens), never kept."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from audit.context import Credential
from consent import organisation, sign_in_rules
from consent.decision import Authority, Provision, Reason
from smart.scopes import Scope

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
    acr: str = ""  # how surely, and when, the person behind an access token signed in
    authenticated_at: datetime | None = None
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

    def lacks(self, interaction: str, labels: Collection[str]) -> sign_in_rules.Rule | None:
        """What the sign-in behind the token would have to be, and is not (RFC 9470). Without a token None:
        who is on our pages proves themselves there."""
        if self.token_id is None:
            return None
        return sign_in_rules.lacking(
            interaction, labels, acr=self.acr, authenticated_at=self.authenticated_at, now=self.now
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
