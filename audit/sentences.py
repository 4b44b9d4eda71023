"""One event as a sentence for the patient. Pure, but for the language in force.

Sentences carry no time: it stands beside them in a <time> element.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from audit.events import EventType, Outcome, Role
from audit.phrases import ALWAYS, PHRASES
from audit.words import (
    A_PERSON,
    ACTORS,
    AN_APP,
    AN_ORGANIZATION,
    CATEGORIES,
    DATED,
    LISTED,
    MANY,
    NAMES,
    NOT_DONE,
    OUR_NO,
    REASONS,
    THIS_PERSON,
    YOUR_HELPER,
    YOUR_RECORDS,
)

LONGEST_NAME = 60
# What stands in a record as a reference, and is looked up for its name; it is of no category.
NAMED = frozenset({"Location", "Medication", "Organization", "Practitioner", "PractitionerRole"})
MOST_KINDS = 4  # of records, in one sentence


class Event(Protocol):
    """What is needed of an `AuditEvent`."""

    id: UUID
    recorded_at: Any
    type: str
    outcome: str
    actor: str
    on_behalf_of: str
    role: str
    patient: str
    client: str
    interaction: str
    resource_types: Sequence[str]
    categories: Sequence[str]
    purpose: str
    reasons: Sequence[str]
    consent: str
    consent_number: int | None
    count: int | None
    target: str
    correlation_id: str
    leaf: Any  # bytes

    @property
    def detail(self) -> Mapping[str, str | int | bool]: ...


def sentence(event: Event, names: Mapping[str, str], viewer: str) -> SafeString:
    """What happened and, of a refusal, why; safe HTML with each name in <bdi>.

    `viewer` is who reads ("User/<id>"), so that own acts say "You"; the words are those for the
    patient whose record it is. `names` maps references ("Client/x", "User/y") to names; who is
    not in it is called by what they are. Names may be anybody's text: they are cleaned here.
    """
    event_type = EventType(event.type)
    outcome = ALWAYS.get(event_type, Outcome(event.outcome))
    phrase = PHRASES[event_type]
    own, tried = event.actor == viewer, outcome in (Outcome.DENY, Outcome.FAILED)
    if own:
        text = phrase.you_tried if tried else phrase.you
    else:
        text = phrase.other_tried if tried else phrase.other
    values = _values(event, names, viewer)
    parts = [format_html(str(text), **values)]
    if tried:
        parts.append(_ending(event, outcome, values))
    return mark_safe(" ".join(parts))  # noqa: S308  parts are safe


def _values(event: Event, names: Mapping[str, str], viewer: str) -> dict[str, SafeString | str]:
    actor, about = _name(names, event.actor), str(event.detail.get("about", ""))
    if event.client:
        app = _name(names, event.client) or str(AN_APP)
    elif about.startswith("Organization/"):
        app = str(AN_ORGANIZATION)
    elif about.startswith("User/"):  # whom a relationship is with
        app = _name(names, about) or str(THIS_PERSON)
    else:  # shared with, or asked by, a person
        app = (actor if event.actor != viewer else "") or str(THIS_PERSON)
    return {
        "who": _as_helper(event, actor) or str(ACTORS[Role(event.role)] if event.role else A_PERSON),
        "name": actor or str(THIS_PERSON),
        "app": app,
        "what": str(NAMES) if _are_names(event) else what(event.categories),
    }


def _as_helper(event: Event, actor: SafeString | str) -> SafeString | str:
    """A helper is named as one, so that nobody takes them for staff."""
    if actor and event.role == Role.HELPER and not event.client:
        return format_html(str(YOUR_HELPER), name=actor)
    return actor


def _are_names(event: Event) -> bool:
    """Whether it was only asked who somebody is, so that a page can say it in words."""
    return bool(event.resource_types) and not event.categories and NAMED.issuperset(event.resource_types)


def what(categories: Sequence[str]) -> str:
    """The kinds of record in words: "your medicines and your visits"."""
    kinds = [str(CATEGORIES[code]) for code in categories if code in CATEGORIES]
    if not kinds or len(kinds) != len(categories):
        return str(YOUR_RECORDS)
    if len(kinds) > MOST_KINDS:
        return str(MANY).format(count=len(kinds))
    *first, last = kinds
    return str(LISTED).format(first=", ".join(first), last=last) if first else last


def _ending(event: Event, outcome: Outcome, values: Mapping[str, str]) -> SafeString:
    """The first reason that we have words for; else only that we said no, or that it failed."""
    known = next((code for code in event.reasons if code in REASONS), None)
    if known == "scope.not-granted" and event.interaction in ("create", "update"):
        known = "consent.write"  # what it may see is no reason why it may not change anything
    if known is None:
        return format_html(str(OUR_NO if outcome is Outcome.DENY else NOT_DONE), **values)
    day = event.detail.get("on") if known in DATED else None
    if day:
        return format_html(str(DATED[known]), date=date_format(date.fromisoformat(str(day))), **values)
    return format_html(str(REASONS[known]), **values)


def _name(names: Mapping[str, str], reference: str) -> SafeString | str:
    """A name on one short line, without characters that could turn the text around it."""
    shown = "".join(" " if c.isspace() else c for c in names.get(reference, ""))
    shown = "".join(c for c in shown if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    shown = " ".join(shown.split())
    if len(shown) > LONGEST_NAME:
        shown = shown[: LONGEST_NAME - 1].rstrip() + "…"
    return format_html("<bdi>{}</bdi>", shown) if shown else ""
