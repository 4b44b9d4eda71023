"""Every role and action is one cell of the table in docs/staff.md, and each cell is held here."""

from pathlib import Path

import cedarpy
import pytest
from django.urls import reverse

from accounts import elevations, identities
from accounts.models import StaffRole
from consent import organisation, staff
from consent.organisation import Facts
from consent.staff import Action
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = Path(__file__).resolve().parents[2] / "docs" / "staff.md"
PURPOSE = {"treating": "TREAT", "emergency": "ETREAT", "none": "TREAT"}
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
}


def read_table():
    """(action, column) → whether it is permitted, for every cell."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip() for cell in row] for row in rows[: 2 + TABLE_ROWS]]
    return {(row[0], column): row[i] == "yes" for row in body for i, column in enumerate(head) if i}


TABLE_ROWS = 12 + len(Action)
TABLE = read_table()
CELLS = [pytest.param(*key, permitted, id=" ".join(key)) for key, permitted in TABLE.items()]
ON_RECORDS = [key for key in TABLE if ":" in key[0]]
IN_HOUSE = [key for key in TABLE if ":" not in key[0]]


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
    assert {column for _, column in TABLE} == {*StaffRole.Role.values, "elevated"}
    assert {action for action, _ in IN_HOUSE} == set(Action)
    assert len(TABLE) == TABLE_ROWS * 7


@pytest.mark.parametrize(("action", "column", "permitted"), CELLS)
def test_each_cell_is_what_the_policies_say(action, column, permitted):
    if ":" in action:
        interaction, relationship = action.split(" ", 1)[0], action.rpartition(" ")[2]
        facts = facts_of(column, relationship, PURPOSE[relationship])
        assert organisation.rule(facts, INTERACTION[interaction]).permitted is permitted
    else:
        assert organisation.rule(facts_of(column), action, staff.PLACE).permitted is permitted


INTERACTION = {
    "read": "read",
    "search": "search-type",
    "review": "review",
    "write": "create",
    "export": "export",
}


@pytest.mark.parametrize(("action", "column"), IN_HOUSE)
def test_each_cell_is_what_a_person_of_that_role_may(action, column):
    assert staff.may(member(column), Action(action)) is TABLE[action, column]


@pytest.mark.parametrize(("action", "column"), [key for key in IN_HOUSE if key[0] in PAGES])
def test_each_cell_is_what_the_page_answers(client, action, column):
    client.force_login(member(column))
    name, refused = PAGES[Action(action)]

    assert client.get(reverse(name)).status_code == (200 if TABLE[action, column] else refused)


@pytest.mark.parametrize("column", StaffRole.Role.values)
def test_who_decides_on_identities_is_said_once(column):
    assert identities.may_decide(member(column)) is TABLE["merge", column]


@pytest.mark.parametrize("column", [*StaffRole.Role.values, "elevated"])
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


@pytest.mark.parametrize(("action", "column"), ON_RECORDS)
def test_A14_elevation_opens_no_record(action, column):
    interaction, relationship = action.split(" ", 1)[0], action.rpartition(" ")[2]
    plain = facts_of(column, relationship, PURPOSE[relationship])
    elevated = Facts(plain.role, relationship, True, "none", plain.purpose, True)

    rulings = [organisation.rule(facts, INTERACTION[interaction]).permitted for facts in (plain, elevated)]
    assert rulings[0] is rulings[1]


def test_actions_are_those_of_the_schema():
    schema = organisation.SCHEMA.read_text()
    listed = schema.partition("action console")[2].partition("appliesTo")[0]

    assert {"console", *(word.strip() for word in listed.split(",") if word.strip())} == set(Action)
    assert cedarpy.validate_policies(organisation.POLICIES.read_text(), schema).errors == []
