"""The Cedar policies against a plain-Python oracle, over every combination of facts."""

from itertools import product

import cedarpy
import pytest

from consent import organisation
from consent.decision import Reason
from consent.organisation import ACTIONS, Facts, rule

ROLES = ["patient", "helper", "client", "clinician", "support", "compliance", "system", "nobody"]
RELATIONSHIPS = ["self", "helper", "treating", "emergency", "none"]
STATUSES = ["none", "active", "sandbox", "in-review", "suspended", "removed", "blocked", "unheard-of"]
PURPOSES = ["PATRQT", "TREAT", "ETREAT", "HPAYMT"]


def oracle(facts: Facts, action: str) -> bool:
    on_trial = facts.clientStatus in {"sandbox", "in-review"}
    if not facts.active or (on_trial and not facts.testPatient):
        return False
    if not on_trial and facts.clientStatus not in {"none", "active"}:
        return False
    who = (facts.role, facts.relationship)
    if who == ("patient", "self"):
        return action in {"read", "search", "write", "export"}
    if who == ("helper", "helper"):
        return action in {"read", "search", "write"}
    if facts.role == "client":
        return facts.purpose == "PATRQT" and action in {"read", "search", "write"}
    if who == ("clinician", "treating"):
        return facts.purpose == "TREAT" and action in {"read", "search", "review"}
    if who == ("clinician", "emergency"):
        return facts.purpose == "ETREAT" and action in {"read", "search"}
    return False


def test_the_policies_are_valid_under_their_schema():
    result = cedarpy.validate_policies(organisation.POLICIES.read_text(), organisation.SCHEMA.read_text())

    assert result.errors == []


@pytest.mark.parametrize("interaction", sorted(ACTIONS))
def test_policies_agree_with_the_oracle(interaction):
    cases = product(ROLES, RELATIONSHIPS, [True, False], STATUSES, PURPOSES, [False], [True, False])
    for case in cases:
        facts = Facts(*case)
        ruling = rule(facts, interaction)

        assert ruling.permitted is oracle(facts, ACTIONS[interaction]), (facts, interaction)
        assert (ruling.reason is None) is ruling.permitted


def test_an_interaction_without_a_policy_is_an_error_and_denies():
    ruling = rule(Facts("patient", "self", True, "none", "PATRQT"), "reindex")

    assert (ruling.permitted, ruling.reason) == (False, Reason.POLICY_DOWN)


def test_a_missing_fact_denies_and_does_not_skip_the_rule():
    facts = Facts("patient", "self", True, None, "PATRQT")

    assert rule(facts, "read").reason is Reason.POLICY_DOWN
