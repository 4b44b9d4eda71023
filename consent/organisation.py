"""The organisation's own rules, as Cedar policies with a schema (`consent/policies`).

One decision per request. The schema always goes along: without it a rule that meets a
missing fact errs and is skipped, which would open instead of close. Any error denies.
"""

import hashlib
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path

import cedarpy
import structlog

from consent.decision import Reason, Ruling

FOLDER = Path(__file__).parent / "policies"
POLICIES = FOLDER / "organisation.cedar"
SCHEMA = FOLDER / "organisation.cedarschema"

# FHIR restful-interaction codes, as the policies' actions
ACTIONS = {
    "read": "read",
    "vread": "read",
    "history-instance": "read",
    "search-type": "search",
    "operation": "search",  # $everything
    "create": "write",
    "update": "write",
    "patch": "write",
    "delete": "write",
    "export": "export",
    "review": "review",
}
# What a forbid that spoke means to people; a denial that no rule spoke for is a matter of role.
REASON_OF_POLICY = {
    "account-closed": Reason.ACCOUNT_CLOSED,
    "client-suspended": Reason.CLIENT_SUSPENDED,
    "client-on-trial": Reason.CLIENT_ON_TRIAL,
    "watched-record": Reason.WATCHED,
}

log = structlog.get_logger("chartkey.consent")


@dataclass(frozen=True, slots=True)
class Facts:
    """The context of `organisation.cedarschema`."""

    role: str
    relationship: str
    active: bool
    clientStatus: str
    purpose: str
    elevated: bool = False
    testPatient: bool = False
    watched: bool = False


@cache
def _handles() -> tuple[cedarpy.PolicySet, cedarpy.Schema, cedarpy.Entities]:
    return (
        cedarpy.PolicySet.from_str(POLICIES.read_text()),
        cedarpy.Schema.from_str(SCHEMA.read_text()),
        cedarpy.Entities.from_json_str("[]"),
    )


@cache
def policy_hash() -> str:
    """SHA-256 of policies and schema, the first 16 hexadecimal digits; it goes into audit rows."""
    return hashlib.sha256(POLICIES.read_bytes() + SCHEMA.read_bytes()).hexdigest()[:16]


def rule(facts: Facts, interaction: str, resource: str = "Record") -> Ruling:
    """What the organisation's rules say to one interaction. Never raises: an error is a denial."""
    try:
        return _ruled(facts, interaction, resource)
    except CannotRule as error:
        log.error("policy error", reason=str(error))
    except ValueError:
        log.exception("policy error", reason="cedar raised")
    return Ruling(False, (), Reason.POLICY_DOWN)


class CannotRule(Exception):
    """Cedar met an error or came to no decision."""


@lru_cache(maxsize=4096)
def _ruled(facts: Facts, interaction: str, resource: str) -> Ruling:
    """The same facts are ruled on the same way as long as the process lives: its policies do not change.

    An error is raised, so that it is never kept.
    """
    policies, schema, entities = _handles()
    request = {
        "principal": {"type": "Person", "id": "actor"},
        "action": {"type": "Action", "id": ACTIONS.get(interaction, interaction)},
        "resource": {"type": resource, "id": resource.lower()},
        "context": asdict(facts),
    }
    answer = cedarpy.is_authorized(request, policies, entities, schema)
    if answer.diagnostics.errors or answer.decision is cedarpy.Decision.NoDecision:
        raise CannotRule("cedar could not decide")
    spoke = tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))
    if answer.decision is cedarpy.Decision.Allow:
        return Ruling(True, spoke)
    reason = next((REASON_OF_POLICY[p] for p in spoke if p in REASON_OF_POLICY), Reason.ROLE)
    return Ruling(False, spoke, reason)
