"""Decide whether one access is allowed. Pure: no Django, no clock, no I/O.

Every check runs, so that a denial carries all its reasons. Deny beats permit,
and silence is a denial. People's own records, apps, helpers and staff all go
through here; what differs is the authority that speaks for them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

WRITES = frozenset({"create", "update", "patch", "delete"})
RESTRICTED, VERY_RESTRICTED, NORMAL = "R", "V", "N"  # HL7 v3 Confidentiality


class Reason(StrEnum):
    """Why an access was denied. Values are kept in the audit log: never rename one."""

    SCOPE = "scope.not-granted"
    NO_CONSENT = "consent.none"
    PROPOSED = "consent.proposed"
    PAUSED = "consent.paused"
    REVOKED = "consent.revoked"
    EXPIRED = "consent.expired"
    CHANGED = "consent.changed"
    CATEGORY = "consent.category"
    PURPOSE = "consent.purpose"
    WRITE = "consent.write"
    DENIED = "consent.denied"
    SENSITIVE = "sensitive.optin"
    TEEN = "teen.private"
    OF_AGE = "helper.of-age"
    HOLD = "clinic.hold"
    ROLE = "role.not-allowed"
    MINIMUM = "role.minimum"  # their work does not need this kind of record
    WATCHED = "record.watched"  # staff open it with a reason only, and gave none
    CLIENT_SUSPENDED = "app.suspended"
    CLIENT_ON_TRIAL = "app.on-trial"
    ACCOUNT_CLOSED = "account.closed"
    TOKEN = "token.expired"
    SIGN_IN = "sign-in.too-old"  # or not sure enough, for what was asked (RFC 9470)
    NOT_YOURS = "record.not-yours"
    POLICY_DOWN = "policy.down"


class ProvisionType(StrEnum):
    PERMIT = "permit"
    DENY = "deny"


class Meaning(StrEnum):
    """How a record must relate to what a provision names: FHIR R4 consent-data-meaning."""

    INSTANCE = "instance"  # it is that resource
    RELATED = "related"  # it is that resource, or refers to it
    AUTHORED_BY = "authoredby"  # that person or organisation wrote it


class GrantedScope(Protocol):
    """What this module needs of a SMART scope (see `smart.scopes`)."""

    def allows(self, interaction: str, resource_type: str, codings: Collection[str] | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Contents:
    """What a provision about particular records asks of a resource (see `consent.contents`)."""

    reference: str = ""  # "Observation/1"
    references: frozenset[str] = frozenset()  # what it refers to
    authors: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()  # system|code of what it is about
    period: tuple[datetime, datetime] | None = None  # when it happened, from and until; None: it does not say

    def means(self, meaning: Meaning, reference: str) -> bool:
        if meaning is Meaning.AUTHORED_BY:
            return reference in self.authors
        return reference == self.reference or (meaning is Meaning.RELATED and reference in self.references)


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
    actors: frozenset[str] = frozenset()  # who asks, and what they belong to: "Client/x", "Organization/1"
    security_labels: frozenset[str] = frozenset()
    codings: frozenset[str] | None = None  # system|code of the resource's `category`
    contents: Contents = Contents()
    belongs_to_patient: bool = True
    beforehand: bool = False


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule, named as in FHIR R4 Consent.provision.

    An empty set means any, except that a permit reaches only the labels it names
    (`every_label` is for people's own records). What is not known of a resource keeps it
    from a permit and leaves it to a denial.
    """

    id: str
    type: ProvisionType
    period_start: datetime | None = None
    period_end: datetime | None = None
    actors: frozenset[str] = frozenset()
    writes: bool = False  # a permit to correct as well; a denial speaks of both
    purposes: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    resource_types: frozenset[str] = frozenset()  # FHIR's `class`
    codes: frozenset[str] = frozenset()  # system|code
    data_period: tuple[datetime, datetime] | None = None
    data: frozenset[tuple[Meaning, str]] = frozenset()
    security_labels: frozenset[str] = frozenset()
    every_label: bool = False
    redacts: frozenset[str] = frozenset()  # elements that a permit leaves out: "Patient.address"
    exceptions: tuple["Provision", ...] = ()  # permits that a denial leaves alone (FHIR's nested provisions)
    reason: Reason = Reason.DENIED  # what a denial is called

    @property
    def particular(self) -> bool:
        """Whether it names particular records, by what they say of themselves (`Contents`)."""
        names = self.codes or self.data or self.data_period
        return bool(names) or any(exception.particular for exception in self.exceptions)

    def in_force(self, access: Access) -> bool:
        started = self.period_start is None or self.period_start <= access.at
        return started and (self.period_end is None or access.at < self.period_end)

    def concerns(self, access: Access) -> bool:
        return not self.actors or bool(self.actors & access.actors)

    def serves(self, access: Access) -> bool:
        return not self.purposes or access.purpose in self.purposes

    def allows_act(self, access: Access) -> bool:
        return self.writes or access.interaction not in WRITES

    def reaches(self, access: Access) -> bool:
        """Whether a resource is of what a permit names; beforehand, whether one could be."""
        contents, unknown = access.contents, access.beforehand
        return (
            (not self.categories or bool(self.categories & access.categories))
            and (not self.resource_types or access.resource_type in self.resource_types)
            and (not self.codes or unknown or bool(self.codes & contents.codes))
            and (not self.data or unknown or any(contents.means(*datum) for datum in self.data))
            and (self.data_period is None or unknown or self._covers(contents))
        )

    def _covers(self, contents: Contents) -> bool:
        period, mine = contents.period, self.data_period
        return bool(period and mine and mine[0] <= period[0] and period[1] <= mine[1])

    def names_labels_of(self, access: Access) -> bool:
        return self.every_label or access.security_labels <= self.security_labels

    def permits(self, access: Access) -> bool:
        return all(asks(self, access) for _, asks in PERMIT_ASKS)

    def denies(self, access: Access) -> bool:
        """Whether a denial speaks; beforehand, whether it would for whatever comes."""
        return (
            self.in_force(access)
            and self.concerns(access)
            and self.serves(access)
            and self._touches(access)
            and not any(exception.permits(access) for exception in self.exceptions)
        )

    def _touches(self, access: Access) -> bool:
        if self.resource_types and access.resource_type not in self.resource_types:
            return False
        if access.beforehand:
            narrow = self.codes or self.data or self.data_period or self.security_labels
            whole = not self.categories or access.categories <= self.categories
            return whole and not narrow
        contents = access.contents
        return (
            (not self.categories or bool(self.categories & access.categories))
            and (not self.codes or bool(self.codes & contents.codes))
            and (not self.data or any(contents.means(*datum) for datum in self.data))
            and (self.data_period is None or self._overlaps(contents))
            and (not self.security_labels or self._touches_labels(access))
        )

    def _overlaps(self, contents: Contents) -> bool:
        period, mine = contents.period, self.data_period
        return not period or not mine or (period[0] <= mine[1] and mine[0] <= period[1])

    def _touches_labels(self, access: Access) -> bool:
        """R stands for whatever has a label, since a label is why something is restricted; N for all."""
        named = self.security_labels
        restricted = RESTRICTED in named and bool(access.security_labels)
        return NORMAL in named or restricted or bool(named & access.security_labels)


# What a permit must have, in the order in which its lack is told.
PERMIT_ASKS: tuple[tuple[Reason, Callable[[Provision, Access], bool]], ...] = (
    (Reason.NO_CONSENT, Provision.concerns),
    (Reason.EXPIRED, Provision.in_force),
    (Reason.CATEGORY, Provision.reaches),
    (Reason.WRITE, Provision.allows_act),
    (Reason.PURPOSE, Provision.serves),
    (Reason.SENSITIVE, Provision.names_labels_of),
)


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
    policy_ids: tuple[str, ...] = ()  # the organisation's rules that spoke
    redact: frozenset[str] = frozenset()  # obligation: elements to leave out, "Patient.address"


def decide(access: Access, authority: Authority) -> Decision:
    """Needs a ruling, a scope (where there are any), a sufficient permit, and nobody who denies."""
    denying = [p for p in authority.provisions if p.type is ProvisionType.DENY and p.denies(access)]
    sufficient, lacking = _sufficient(access, authority)
    reasons = []
    if authority.ruling.reason:
        reasons.append(authority.ruling.reason)
    if not access.belongs_to_patient:
        reasons.append(Reason.NOT_YOURS)
    if authority.scopes is not None and not any(
        scope.allows(access.interaction, access.resource_type, access.codings) for scope in authority.scopes
    ):
        reasons.append(Reason.SCOPE)
    reasons.extend(dict.fromkeys(p.reason for p in denying))
    if lacking:
        reasons.append(lacking)
    return Decision(
        not reasons,
        tuple(reasons),
        tuple(p.id for p in denying or sufficient),
        authority.ruling.policy_ids,
        # What any one permit lets through, the others together do not hold back.
        frozenset.intersection(*(p.redacts for p in sufficient)) if sufficient else frozenset(),
    )


def _sufficient(access: Access, authority: Authority) -> tuple[list[Provision], Reason | None]:
    """The permits that suffice; where none does, the first thing that all of them lack."""
    permits = [p for p in authority.provisions if p.type is ProvisionType.PERMIT]
    if not permits:
        return [], authority.missing or Reason.NO_CONSENT
    for lack, asks in PERMIT_ASKS:
        permits = [p for p in permits if asks(p, access)]
        if not permits:
            return [], authority.missing or lack
    return permits, None
