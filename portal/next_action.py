"""Home's one card: which of all the things to do comes first, by rule and never by guess. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Rule(IntEnum):
    """Why a thing is on Home, in the order in which it goes first. Names are logged: never rename one."""

    SAFETY = 1  # a result marked to look at soon, an emergency view, an unknown sign-in
    OUTSIDE = 2  # new results of which one is outside the usual range
    DEADLINE = 3  # a file or sharing that ends within 7 days, a proposal sent back
    DRAFT = 4
    NEW_RESULT = 5
    VISIT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do. `at` is when it came up, or when it ends."""

    rule: Rule
    at: datetime
    heading: str
    text: str
    url: str
    link: str  # the words on its button
    chip: str = ""
    chip_kind: str = ""
    calls_clinic: bool = False  # the card has the clinic's number


NEWEST_FIRST = (Rule.OUTSIDE, Rule.NEW_RESULT)


def in_order(actions: Iterable[Action]) -> list[Action]:
    """All actions, most urgent first: the first is Home's card, the next ones its tasks.

    Among equals the oldest goes first, but of results the newest: it is what the person looks for.
    """
    return sorted(actions, key=_order)


def _order(action: Action) -> tuple[Rule, float, str]:
    at = action.at.timestamp() if action.at.year > 1 else 0.0
    return action.rule, -at if action.rule in NEWEST_FIRST else at, action.url
