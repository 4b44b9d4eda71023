"""What a member of staff may do, by role: the organisation's Cedar policies, and nothing else.

`roles.toml` is the table; tests/consent/test_roles.py holds each of its cells against the policies.
"""

from enum import StrEnum

from accounts import elevations
from accounts.models import User
from consent import organisation
from consent.decision import Reason, Ruling
from consent.organisation import Facts
from consent.vocabulary import Purpose

PLACE = "Site"  # the resource of an action that is about no one record


class Action(StrEnum):
    """Values are names in `organisation.cedarschema`."""

    CONSOLE = "console"  # open it, and read its tables
    INVESTIGATE = "investigate"  # search the log, work on cases
    DISCLOSURES = "disclosures"  # answer requests for the accounting
    REVIEW_EMERGENCY = "review_emergency"  # confirm an emergency view, or make a case of it
    MERGE = "merge"  # say whose a record is, merge and part patients
    REVIEW_HELPERS = "review_helpers"  # look at the evidence of who asks to help, and answer
    HAND_OUT_CODE = "hand_out_code"  # with which a patient makes their account
    SUPPORT = "support"  # find a patient by their code, see how their account stands
    ELEVATE = "elevate"  # ask for more, for some minutes
    IDENTITY = "identity"  # see the whole name and address of a patient
    BREAK_GLASS = "break_glass"  # open a record in an emergency
    VALUE_SETS = "value_sets"  # say which codes are private
    REVIEW_APPS = "review_apps"  # let apps in, and suspend them
    CLOSE_ACCOUNT = "close_account"
    APPROVE_EXPORTS = "approve_exports"  # say which service may export which group
    BILLING = "billing"  # see what a bill is made of
    WATCH_RECORD = "watch_record"  # have a record watched closely, or no longer


def rule(user: User, action: Action) -> Ruling:
    """What the policies say to this person, whichever of their roles speaks for it. Never raises."""
    elevated = elevations.is_running(user)
    rulings = [_rule(role, action, user.is_active, elevated) for role in _roles(user)]
    permitted = next((each for each in rulings if each.permitted), None)
    return permitted or next(iter(rulings), Ruling(False, (), Reason.ROLE))


def may(user: User, action: Action) -> bool:
    return rule(user, action).permitted


def _rule(role: str, action: Action, active: bool, elevated: bool) -> Ruling:
    facts = Facts(role, "none", active, "none", Purpose.HOPERAT, elevated)
    return organisation.rule(facts, action, PLACE)


def _roles(user: User) -> list[str]:
    return sorted(user.staff_roles.values_list("role", flat=True))
