"""Every role x action, and role x kind of record x action, is a cell of consent/roles.toml, held here."""

from itertools import product
from pathlib import Path

import cedarpy
import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import elevations, identities
from accounts.models import StaffRole
from consent import authority, emergencies, organisation, roles, staff
from consent.decision import Access, Reason, decide
from consent.organisation import Facts
from consent.staff import Action
from consent.vocabulary import Category, Purpose
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = Path(__file__).resolve().parents[2] / "docs" / "staff.md"
# Where an action has a page: its address, and what who may not is answered.
PAGES = {
    Action.CONSOLE: ("admin:index", 403),
    Action.INVESTIGATE: ("admin:cases", 403),
    Action.DISCLOSURES: ("admin:disclosures", 403),
    Action.REVIEW_HELPERS: ("admin:accounts_relatedperson_changelist", 403),
    Action.HAND_OUT_CODE: ("admin:activation", 403),
    Action.REVIEW_EMERGENCY: ("admin:emergency-views", 403),
    Action.APPROVE_EXPORTS: ("admin:export-groups", 403),
    Action.BREAK_GLASS: ("portal:emergency", 404),
    Action.SUPPORT: ("portal:support", 404),
    Action.BILLING: ("portal:billing", 404),
    Action.WATCH_RECORD: ("admin:watched", 403),
}


ROLES = roles.table()
ON_RECORD = ("read", "search", "write", "export", "review")
INTERACTION = {
    "read": "read",
    "search": "search-type",
    "review": "review",
    "write": "create",
    "export": "export",
}
REACHES = [(role, name, reach) for role, row in ROLES.items() for name, reach in row.record.items()]
COLUMNS = [pytest.param(column, id=column) for column in ROLES]


def facts_of(column, relationship="none", purpose="HOPERAT"):
    role = "support" if column == "elevated" else column
    return Facts(role, relationship, True, "none", purpose, column == "elevated")


def member(column):
    user = factories.create_staff("Member Of Staff", "support" if column == "elevated" else column)
    type(user).objects.filter(pk=user.pk).update(is_staff=True)
    if column == "elevated":
        elevations.start(user, why="fault", text="They cannot open a page.", ticket="T-1")
    return user


def test_the_table_has_every_role_and_every_action():
    named = frozenset().union(*(row.site for row in ROLES.values()))

    assert set(ROLES) == {*StaffRole.Role.values, "elevated"}
    assert named == set(Action)
    assert all(reach.actions <= set(ON_RECORD) for _, _, reach in REACHES)


@pytest.mark.parametrize("column", COLUMNS)
def test_what_a_role_may_in_house_is_what_policies_staff_and_pages_say(client, column):
    user, said = member(column), {action: action in ROLES[column].site for action in Action}
    client.force_login(user)

    by_policy = {a: organisation.rule(facts_of(column), a, staff.PLACE).permitted for a in Action}
    by_page = {a: client.get(reverse(name)).status_code for a, (name, _) in PAGES.items()}

    assert by_policy == {a: staff.may(user, a) for a in Action} == said
    assert by_page == {a: 200 if said[a] else refused for a, (_, refused) in PAGES.items()}
    assert identities.may_decide(user) is said[Action.MERGE]


def test_what_a_role_may_do_with_a_record_is_what_the_policies_say():
    """Every role, every relationship, every purpose, every action: what the table does not name is a no."""
    for column, row in ROLES.items():
        for relationship, purpose, action in product(RELATIONSHIPS, Purpose, ON_RECORD):
            reach = row.record.get(relationship)
            named = reach is not None and (purpose, action in reach.actions) == (reach.purpose, True)
            facts = facts_of(column, relationship, purpose)
            ruled = organisation.rule(facts, INTERACTION[action])
            assert ruled.permitted is named, (column, relationship, purpose, action)


RELATIONSHIPS = ("self", "helper", "treating", "emergency", "account", "none")


def requester_of(role, relationship, patient):
    """Who the gate would make of a member of staff who stands in this relationship to the patient."""
    user = factories.create_staff("Member Of Staff", role, practitioner="Practitioner/member")
    if role == "billing":
        return authority.for_billing(user, patient)
    if relationship == "emergency":
        emergencies.open_record(user, patient, why="life", text="A crash on the road.", on_team=False)
        return authority.for_emergency(user, patient)
    return authority.for_clinician(user, patient, timezone.now(), treats=True)


@pytest.mark.parametrize(("role", "relationship", "reach"), REACHES)
def test_each_kind_of_record_is_decided_as_the_table_says(role, relationship, reach):
    """Every kind x every action, by the one decision; where the role is why, the reason says so."""
    asked = requester_of(role, relationship, factories.create_patient())
    assert asked.facts.relationship == relationship

    for kind, action in product(Category, ON_RECORD):
        access = Access(
            INTERACTION[action], "Basic", asked.now, reach.purpose, frozenset({kind}), asked.actors
        )
        decision = decide(access, asked.authority(INTERACTION[action]))
        acts, seen = action in reach.actions, kind in reach.kinds
        assert decision.permitted is (acts and seen and action != "write"), (kind, action)
        assert (Reason.MINIMUM in decision.reasons) is not seen
        assert (Reason.ROLE in decision.reasons) is not acts
        if decision.permitted:
            assert decision.redact == reach.leaves_out


def test_a_role_that_the_table_gives_no_record_has_none():
    assert {role for role, row in ROLES.items() if not row.record} == {
        *("support", "elevated", "compliance", "privacy_officer", "administrator", "app_reviewer")
    }


def test_the_page_shows_the_table():
    assert drawn() in PAGE.read_text(), drawn()


def drawn():
    """The table as docs/staff.md shows it: what each role may, and the kinds of record that it sees."""
    rows = [["Action", *ROLES]]
    rows += [
        [action, *("yes" if action in row.site else "" for row in ROLES.values())]
        for action in sorted(Action)
    ]
    heads = [f"{role}: {name} ({reach.purpose})" for role, name, reach in REACHES]
    kinds = [["Kind of record", *heads]]
    kinds += [
        [kind, *(", ".join(sorted(reach.actions)) if kind in reach.kinds else "" for *_, reach in REACHES)]
        for kind in Category
    ]
    return f"{_lines(rows)}\n\n{_lines(kinds)}"


def _lines(rows):
    head, *body = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


@pytest.mark.parametrize("column", COLUMNS)
def test_a_closed_account_may_nothing(column):
    user = member(column)
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    user.refresh_from_db()

    assert not [action for action in Action if staff.may(user, action)]


def test_a_superuser_without_a_role_may_nothing():
    root = factories.create_user("Root", is_staff=True, is_superuser=True)

    assert not [action for action in Action if staff.may(root, action)]


def test_two_roles_together_may_what_either_may():
    both = factories.create_staff("Both", "support", "app_reviewer")

    assert {a for a in Action if staff.may(both, a)} == {Action.SUPPORT, Action.ELEVATE, Action.REVIEW_APPS}


def test_A14_elevation_opens_no_record():
    for relationship, purpose, action in product(RELATIONSHIPS, Purpose, ON_RECORD):
        facts = Facts("support", relationship, True, "none", purpose, elevated=True)
        assert not organisation.rule(facts, INTERACTION[action]).permitted


def test_actions_are_those_of_the_schema():
    schema = organisation.SCHEMA.read_text()
    listed = schema.partition("action console")[2].partition("appliesTo")[0]

    assert {"console", *(word.strip() for word in listed.split(",") if word.strip())} == set(Action)
    assert cedarpy.validate_policies(organisation.POLICIES.read_text(), schema).errors == []
