"""The words of the audit log are all spoken somewhere."""

import re

import pytest

from audit.events import EventType
from tests.habits.rooms import ROOT, our_sources

USES = re.compile(r"\bEventType\.([A-Z][A-Z0-9_]*)")


def used() -> set[str]:
    """Names in the rooms that record; the audit room's own tables only speak of them."""
    rooms = (path.read_text() for path in our_sources() if path.parent != ROOT / "audit")
    return {name for text in rooms for name in USES.findall(text)}


@pytest.mark.parametrize("event_type", EventType, ids=lambda event_type: event_type.value)
def test_event_type_is_recorded_somewhere(event_type):
    assert event_type.name in used()


def test_event_types_are_noun_and_verb():
    assert [
        e.value for e in EventType if not re.fullmatch(r"[a-z]+(-[a-z]+)*:[a-z]+(-[a-z]+)*", e.value)
    ] == []
