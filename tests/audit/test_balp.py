"""Each event is one AuditEvent of one profile of IHE BALP 1.1.4, and says what its reader may know."""

import gzip
import json
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from audit import balp
from audit.events import EventType, Outcome, Role
from audit.models import AuditEvent
from tests.audit.cast import ALICE_USER, AMIR_USER, entry

EXAMPLES = Path(__file__).resolve().parents[3] / "shared/data/examples/ihe-balp-audit/AuditEvent.ndjson.gz"
needs_examples = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples of IHE BALP are not here")
# What a profile demands: type, action, roles of agents, and (type, role) of entities; from BALP 1.1.4.
PATIENT, DATA, QUERY, REPORT = ("1", "1"), ("2", "4"), ("2", "24"), ("2", "3")
DEMANDS = {
    "Read": ("rest", "R", {"110152", "110153"}, {DATA}),
    "Query": ("rest", "E", {"110152", "110153"}, {QUERY}),
    "Create": ("rest", "C", {"110152", "110153"}, {DATA}),
    "Update": ("rest", "U", {"110152", "110153"}, {DATA}),
    "Delete": ("rest", "D", {"110150", "custodian"}, {DATA}),
    "AuthZconsent": ("110113", "E", {"110150", "authserver", "IRCP"}, {PATIENT, ("Consent", "")}),
    "PrivacyDisclosure.Source": ("110106", "R", {"110152", "110153"}, {PATIENT, REPORT}),
}


def event(**changes) -> AuditEvent:
    given = entry(**changes)
    values = {name: getattr(given, name) for name in given.__dataclass_fields__ if name != "detail"}
    return AuditEvent(
        id=UUID(int=7),
        recorded_at=datetime(2026, 6, 9, 8, 2, tzinfo=UTC),
        payload='{"context": {"network": "192.0.2.0/24"}}',
        leaf=b"\x01" * 32,
        **values,
    )


def rendered(patient="Patient/alice", whole=True, **changes):
    return balp.audit_event(event(**changes), patient=patient, site="Riverside Clinic", whole=whole)


def shape_of(resource):
    """Its profile without "Patient", and what DEMANDS speaks of."""
    profile = resource["meta"]["profile"][0].partition("IHE.BasicAudit.")[2].removeprefix("Patient")
    agents = {agent["type"]["coding"][0]["code"] for agent in resource["agent"]}
    entities = {(e["type"]["code"], e.get("role", {}).get("code", "")) for e in resource.get("entity", [])}
    return profile, (resource["type"]["code"], resource["action"], agents, entities)


def misses(resource):
    """What its profile demands, and it has not."""
    profile, (kind, action, agents, entities) = shape_of(resource)
    want_kind, want_action, want_agents, want_entities = DEMANDS[profile]
    wrong = {(kind, want_kind), (action, want_action)} - {(want_kind,) * 2, (want_action,) * 2}
    return wrong | (want_agents - agents) | (want_entities - entities)


def test_every_type_of_event_has_one_pattern():
    assert set(balp.PATTERNS) == set(EventType)
    assert set(balp.OUTCOMES) == set(Outcome)
    assert {p.profile.replace("{}", "") for p in balp.PATTERNS.values()} == set(DEMANDS)


@pytest.mark.parametrize(("event_type", "outcome", "whole"), [*product(EventType, Outcome, (True, False))])
def test_every_event_has_what_its_profile_demands(event_type, outcome, whole):
    resource = rendered(type=event_type, outcome=outcome, whole=whole, correlation_id="request-0001")

    assert misses(resource) == set()
    assert {s["code"] for s in resource["subtype"]} >= {event_type.value}
    assert sum(agent["requestor"] for agent in resource["agent"]) == 1
    assert PATIENT in shape_of(resource)[1][3]
    assert ("XrequestId", "") in shape_of(resource)[1][3]
    json.dumps(resource)


@needs_examples
def test_the_published_examples_meet_the_same_demands():
    with gzip.open(EXAMPLES, "rt") as lines:
        examples = [json.loads(line) for line in lines]
    known = [e for e in examples if shape_of(e)[0] in DEMANDS and "Report" not in e["id"]]
    known = [e for e in known if "measurereport" not in e["id"] and "NoUserJob" not in e["id"]]

    assert {shape_of(e)[0] for e in known} == set(DEMANDS)
    assert {e["id"]: misses(e) for e in known if misses(e) and "UpdateNoPatient" not in e["id"]} == {}


def token_of(resource):
    """What BALP's profile for opaque OAuth tokens demands: who, as a user of OAuth, and by which token."""
    users = [agent for agent in resource["agent"] if agent["requestor"]]
    codes = {coding["code"] for agent in users for coding in agent["type"]["coding"]}
    policies = [policy for agent in users for policy in agent.get("policy", [])]
    return "UserOauthAgent" in codes, len(policies)


def test_the_use_of_a_token_meets_the_profile_for_opaque_tokens():
    used = event()
    used.payload = '{"context": {"token": "0123456789abcdef"}}'
    resource = balp.audit_event(used, patient="Patient/alice", site="Riverside Clinic", whole=True)

    assert resource["meta"]["profile"][1] == f"{balp.PROFILES}{balp.OPAQUE}"
    assert token_of(resource) == (True, 1)
    assert misses(resource) == set()


@needs_examples
def test_the_published_use_of_an_opaque_token_meets_the_same_demand():
    with gzip.open(EXAMPLES, "rt") as lines:
        examples = [json.loads(line) for line in lines]
    opaque = [e for e in examples if e["meta"]["profile"] == [f"{balp.PROFILES}{balp.OPAQUE}"]]

    assert [token_of(e) for e in opaque] == [(True, 1)]


@needs_examples
def test_every_code_system_of_ours_but_our_own_is_used_by_the_examples_or_fhir():
    with gzip.open(EXAMPLES, "rt") as lines:
        published = lines.read()
    said = json.dumps([rendered(type=t) for t in EventType])
    systems = {part.split('"')[0] for part in said.split('"system": "')[1:]}

    unknown = {s for s in systems if s not in published and not s.startswith(balp.OURS)}
    assert unknown <= {"http://terminology.hl7.org/CodeSystem/v3-RoleClass", balp.INTERACTION}


@pytest.mark.parametrize(
    ("interaction", "profile"),
    [("read", "PatientRead"), ("search-type", "PatientQuery"), ("vread", "PatientRead")],
)
def test_a_look_is_called_by_its_interaction(interaction, profile):
    assert rendered(interaction=interaction)["meta"]["profile"] == [f"{balp.PROFILES}{profile}"]


def test_without_a_patient_the_profile_is_the_one_without():
    resource = rendered(patient="", type=EventType.SESSION_START)

    assert resource["meta"]["profile"] == [f"{balp.PROFILES}Create"]
    assert PATIENT not in shape_of(resource)[1][3]


def test_who_did_what_for_whom():
    resource = rendered(actor=AMIR_USER, role=Role.HELPER, on_behalf_of=ALICE_USER, purpose="FAMRQT")
    user = next(agent for agent in resource["agent"] if agent["requestor"])

    assert user["altId"] == AMIR_USER
    assert user["role"][0]["coding"][0]["code"] == "PRS"
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "FAMRQT"
    assert resource["agent"][-1]["who"]["identifier"]["value"] == ALICE_USER
    assert resource["recorded"] == "2026-06-09T08:02:00.000+00:00"


def test_A12_an_app_is_not_told_of_what_kind_it_was_nor_why_it_was_refused():
    refused = {"outcome": Outcome.DENY, "reasons": ("sensitive.optin",), "categories": ("notes",)}
    refused["target"] = "DocumentReference/hidden"
    whole, part = (json.dumps(rendered(**refused, whole=whole)) for whole in (True, False))

    for said in ("sensitive.optin", "notes"):
        assert said in whole
        assert said not in part
    assert "hidden" not in part
