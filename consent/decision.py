"""Decide whether one access is allowed. Pure: no Django, no clock, no I/O.

Every check runs, so that a denial carries all its reasons. Deny beats permit,
and silence is a denial. People's own records, apps, helpers and staff all go
through here; what differs is the authority that speaks for them.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

WRITES = frozenset({"create", "update", "patch", "delete"})


class Reason(StrEnum):
    """Why an access was denied. Values are kept in the audit log: never rename one."""

    SCOPE = "scope.not-granted"
    NO_CONSENT = "consent.none"
    REVOKED = "consent.revoked"
    EXPIRED = "consent.expired"
    CATEGORY = "consent.category"
    PURPOSE = "consent.purpose"
    WRITE = "consent.write"
    DENIED = "consent.denied"
    SENSITIVE = "sensitive.optin"
    ROLE = "role.not-allowed"
    CLIENT_SUSPENDED = "app.suspended"
    ACCOUNT_CLOSED = "account.closed"
    TOKEN = "token.expired"
    NOT_YOURS = "record.not-yours"
    POLICY_DOWN = "policy.down"


class ProvisionType(StrEnum):
    PERMIT = "permit"
    DENY = "deny"


class GrantedScope(Protocol):
    """What this module needs of a SMART scope (see `smart.scopes`)."""

    def allows(self, interaction: str, resource_type: str, codings: Collection[str] | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that somebody wants to do with a record.

    Before the EHR was asked (`beforehand`) the categories are all those that the answer could
    have, and `codings` is None: the question then is whether any resource could be allowed at all.
    """

    interaction: str  # FHIR restful-interaction code: "read", "search-type", "create"
    resource_type: str
    at: datetime
    purpose: str
    categories: frozenset[str]
    security_labels: frozenset[str] = frozenset()
    codings: frozenset[str] | None = None  # system|code of the resource's `category`
    belongs_to_patient: bool = True
    beforehand: bool = False


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule, named as in FHIR R4 Consent.provision.

    An empty set means any, except that a permit reaches only the labels it names
    (`every_label` is for people's own records).
    """

    id: str
    type: ProvisionType
    period_end: datetime | None = None
    categories: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    security_labels: frozenset[str] = frozenset()
    every_label: bool = False
    writes: bool = False

    def reaches(self, access: Access) -> bool:
        """Category and period; purposes and labels are asked apart, for their own reasons."""
        return (self.period_end is None or access.at < self.period_end) and (
            not self.categories or bool(self.categories & access.categories)
        )

    def denies(self, access: Access) -> bool:
        if access.beforehand and self.categories and not access.categories <= self.categories:
            return False  # some of what may come is not denied
        return not self.security_labels or bool(self.security_labels & access.security_labels)

    def serves(self, access: Access) -> bool:
        return not self.purposes or access.purpose in self.purposes

    def names_labels_of(self, access: Access) -> bool:
        return self.every_label or access.security_labels <= self.security_labels


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the organisation's own rules said (`consent.organisation`)."""

    permitted: bool
    policy_ids: tuple[str, ...] = ()
    reason: Reason | None = None  # set if, and only if, not permitted


@dataclass(frozen=True, slots=True)
class Authority:
    """All that speaks for or against one request; loaded once by `consent.authority`."""

    ruling: Ruling
    provisions: tuple[Provision, ...] = ()
    scopes: tuple[GrantedScope, ...] | None = None  # None: no token, so no scope to ask for
    missing: Reason | None = None  # why no provision is in force, where it is known


@dataclass(frozen=True, slots=True)
class Decision:
    permitted: bool
    reasons: tuple[Reason, ...]  # empty if, and only if, permitted
    provision_ids: tuple[str, ...] = ()  # the provisions that decided it
    policy_ids: tuple[str, ...] = field(default=())  # the organisation's rules that spoke


def decide(access: Access, authority: Authority) -> Decision:
    reaching = [p for p in authority.provisions if p.reaches(access)]
    denying = [p for p in reaching if p.type is ProvisionType.DENY and p.denies(access)]
    permitting = [p for p in reaching if p.type is ProvisionType.PERMIT]
    able = [p for p in permitting if p.writes or access.interaction not in WRITES]
    serving = [p for p in able if p.serves(access)]
    # A labelled resource needs a permit that names every one of its labels.
    sufficient = [p for p in serving if p.names_labels_of(access)]

    reasons = []
    if authority.ruling.reason:
        reasons.append(authority.ruling.reason)
    if not access.belongs_to_patient:
        reasons.append(Reason.NOT_YOURS)
    if authority.scopes is not None and not any(
        scope.allows(access.interaction, access.resource_type, access.codings) for scope in authority.scopes
    ):
        reasons.append(Reason.SCOPE)
    if denying:
        reasons.append(Reason.DENIED)
    if not sufficient:
        reasons.append(_lacking(authority, permitting, able, serving))
    return Decision(
        not reasons,
        tuple(reasons),
        tuple(p.id for p in denying or sufficient),
        authority.ruling.policy_ids,
    )


def _lacking(
    authority: Authority,
    permitting: list[Provision],
    able: list[Provision],
    serving: list[Provision],
) -> Reason:
    """The first thing that no permit had: a provision at all, its reach, writing, the purpose, the labels."""
    if not authority.provisions:
        return authority.missing or Reason.NO_CONSENT
    if not permitting:
        return authority.missing or Reason.CATEGORY
    if not able:
        return Reason.WRITE
    if not serving:
        return Reason.PURPOSE
    return Reason.SENSITIVE
