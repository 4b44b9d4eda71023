"""Home's one card: which of all the things to do comes first, by rule and never by guess. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Rule(IntEnum):
    """Why a thing is on Home, in the order in which it goes first. Names are logged: never rename one."""

    SAFETY = 1  # a result marked to look at soon, an emergency view, an unknown sign-in
    DEADLINE = 2  # a file or sharing that ends within 7 days, a proposal sent back
    DRAFT = 3
    NEW_RESULT = 4
    VISIT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do. `at` is when it came up; among equals the oldest goes first."""

    rule: Rule
    at: datetime
    heading: str
    text: str
    url: str
    link: str  # the words on its button
    chip: str = ""
    chip_kind: str = ""


def in_order(actions: Iterable[Action]) -> list[Action]:
    """All actions, most urgent first: the first is Home's card, the next ones its tasks."""
    return sorted(actions, key=lambda action: (action.rule, action.at, action.url))
