"""Base, chart and proposal held side by side, by groups of elements. Pure.

Nothing that a person has to decide is decided here: where both sides changed a group whose policy is
`clinician`, there is no result before somebody has chosen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fhirproxy.writes.kinds import Group, Kind, OnConflict

NOT_SAID = frozenset({"id", "meta", "text", "resourceType"})  # not what somebody says of a patient
Elements = Mapping[str, Any]


class Side(StrEnum):
    """Who changed a group since the base."""

    OURS = "ours"
    THEIRS = "theirs"
    SAME = "same"  # both, and to the same
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Difference:
    """One group of elements that is not everywhere as it was."""

    group: Group
    side: Side
    base: Elements
    now: Elements
    proposed: Elements

    @property
    def name(self) -> str:
        """Of an element that is in no group, its own."""
        return self.group.name


def between(
    base: Mapping[str, Any], now: Mapping[str, Any], proposed: Mapping[str, Any], kind: Kind | None
) -> list[Difference]:
    """What differs, group by group, in the order of the table; then the elements of no group by name."""
    found = []
    for group in _groups({*base, *now, *proposed} - NOT_SAID, kind):
        was, is_, wanted = (_of(group, resource) for resource in (base, now, proposed))
        ours, theirs = wanted != was, is_ != was
        if not ours and not theirs:
            continue
        side = Side.OURS if not theirs else Side.THEIRS if not ours else Side.BOTH
        if side is Side.BOTH and is_ == wanted:
            side = Side.SAME
        found.append(Difference(group, side, was, is_, wanted))
    return found


def resolved(
    now: Mapping[str, Any], found: Sequence[Difference], choices: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """The chart with what is proposed in it; None where a person has yet to choose.

    `choices` is "ours" or "theirs" by the name of a group.
    """
    result = dict(now)
    # Where everything has to be as it was seen, what anybody changed meanwhile is for a person.
    moved = any(difference.side in (Side.THEIRS, Side.BOTH) for difference in found)
    for difference in found:
        elements = _chosen(difference, moved, (choices or {}).get(difference.name, ""))
        if elements is None:
            return None
        for name in {*difference.base, *difference.now, *difference.proposed}:
            result.pop(name, None)
        result.update(elements)
    return result


def _chosen(difference: Difference, moved: bool, choice: str) -> Elements | None:
    policy = difference.group.policy
    if difference.side in (Side.THEIRS, Side.SAME):
        return difference.now
    if policy is OnConflict.NEVER:
        return difference.now if choice == "theirs" else None
    if choice:
        return difference.proposed if choice == "ours" else difference.now
    if policy is OnConflict.EXACT and moved:
        return None
    if difference.side is Side.OURS:
        return difference.proposed
    if policy is OnConflict.LAST_WRITER:
        return difference.proposed
    if policy in (OnConflict.MERGE, OnConflict.APPEND):
        return _together(difference, append=policy is OnConflict.APPEND)
    return None


def _together(difference: Difference, *, append: bool) -> Elements | None:
    """Both sides' lists as one; None where one of them is no list, or something was taken out."""
    result: dict[str, Any] = {}
    for name in {*difference.base, *difference.now, *difference.proposed}:
        was, theirs, ours = (_list(side.get(name)) for side in _sides(difference))
        if was is None or theirs is None or ours is None:
            return None
        if any(each not in ours for each in was) or (append and any(each not in theirs for each in was)):
            return None
        result[name] = [*theirs, *(each for each in ours if each not in theirs and each not in was)]
    return {name: value for name, value in result.items() if value}


def _sides(difference: Difference) -> tuple[Elements, Elements, Elements]:
    return difference.base, difference.now, difference.proposed


def _list(value: Any) -> list[Any] | None:
    if value is None:
        return []
    return value if isinstance(value, list) else None


def _of(group: Group, resource: Mapping[str, Any]) -> Elements:
    names = group.elements & set(resource)
    return {name: resource[name] for name in sorted(names)}


def _groups(elements: Iterable[str], kind: Kind | None) -> list[Group]:
    """Groups of the table, and one for each other element: with its extensions, which stand beside it."""
    names = {element.removeprefix("_") for element in elements}
    grouped = [
        Group(g.name, g.elements | {f"_{e}" for e in g.elements}, g.policy, g.matters)
        for g in (kind.groups if kind else ())
    ]
    alone = sorted(names - {element for group in grouped for element in group.elements})
    policy = kind.others if kind else OnConflict.CLINICIAN
    return [*grouped, *(Group(name, frozenset({name, f"_{name}"}), policy) for name in alone)]
