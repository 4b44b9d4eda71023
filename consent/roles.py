"""What each role of staff may do, and the least of a record that it needs: `roles.toml`, the one table.

The actions are Cedar's to permit (`policies/`); the kinds of record go into the decision as a denial of all
others, and what is left out of the rest as an obligation, so that the gate holds both. docs/staff.md shows
the table, and tests/consent/test_roles.py holds every cell.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from consent.decision import Provision, ProvisionType, Reason
from consent.files import BadFile, line_of, read_toml
from consent.vocabulary import ELEMENTS_OF, Category, Purpose

FILE = Path(__file__).with_name("roles.toml")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Reach:
    """What a role may do with the record of somebody to whom it stands in one relationship."""

    purpose: Purpose
    actions: frozenset[str]  # of Cedar: read, search, review, write, export
    kinds: frozenset[Category]
    leaves_out: frozenset[str]  # elements: "Encounter.reasonCode"
    why: str


@dataclass(frozen=True, slots=True)
class RoleRow:
    site: frozenset[str]  # values of `consent.staff.Action`
    record: Mapping[str, Reach]  # by relationship


@cache
def table(file: Path = FILE) -> Mapping[str, RoleRow]:
    """By role; `elevated` is support during an elevation. Raises BadFile."""
    return {role: _row(file, role, row) for role, row in read_toml(file).items()}


def narrowed(provisions: Iterable[Provision], role: str, relationship: str) -> tuple[Provision, ...]:
    """The same, for what this role needs of a record: all other kinds are denied, and elements left out."""
    reach = table()[role].record[relationship]
    rest = frozenset(Category) - reach.kinds
    least = Provision("role", ProvisionType.DENY, categories=rest, reason=Reason.MINIMUM)
    kept = (
        replace(p, redacts=p.redacts | reach.leaves_out) if p.type is ProvisionType.PERMIT else p
        for p in provisions
    )
    return (*kept, *([least] if rest else []))


def _row(file: Path, role: str, row: Mapping[str, Any]) -> RoleRow:
    try:
        record = {name: _reach(reach) for name, reach in row.get("record", {}).items()}
        return RoleRow(frozenset(row["site"]), record)
    except (KeyError, ValueError, TypeError) as error:
        raise BadFile(
            file, f"the role {role!r} cannot be read: {error}", line_of(file, f"[{role}")
        ) from error


def _reach(row: Mapping[str, Any]) -> Reach:
    if not row["why"]:
        raise ValueError("`why` says why no less would do")
    kinds = frozenset(Category if row["kinds"] == ALL else map(Category, row["kinds"]))
    left_out = frozenset(row.get("leaves_out", ())) | frozenset(_elements(frozenset(Category) - kinds))
    return Reach(Purpose(row["purpose"]), frozenset(row["actions"]), kinds, left_out, row["why"])


def _elements(parts: frozenset[Category]) -> Iterator[str]:
    """What of a resource goes with the parts of records that a role does not see."""
    for part in parts:
        for resource_type, names in ELEMENTS_OF.get(part, {}).items():
            yield from (f"{resource_type}.{name}" for name in names)
