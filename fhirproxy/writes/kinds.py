"""What may be written, by whom, and who looks at it first: the table in kinds.toml.

docs/writable.md is made from it; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from consent.files import BadFile, line_of, read_toml
from consent.vocabulary import LOINC, Category, categories_of, codings
from fhirproxy.models import WriteCommand
from fhirproxy.reading import codes
from fhirproxy.writes import bodies

Risk = WriteCommand.Risk
RISKS = {risk.name.lower(): risk for risk in Risk}
TABLE = Path(__file__).with_name("kinds.toml")


class Policy(StrEnum):
    READ_ONLY = "read-only"
    PATIENT_MAY_PROPOSE = "patient-may-propose"
    STRAIGHT_THROUGH = "straight-through"
    NEEDS_CLINICIAN = "needs-clinician"
    NEEDS_TWO = "needs-two"


class OnConflict(StrEnum):
    """What happens to a group of elements that both sides changed."""

    MERGE = "merge"
    APPEND = "append"
    LAST_WRITER = "last-writer"
    CLINICIAN = "clinician"
    EXACT = "exact"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Group:
    """Elements that are compared, and decided on, as one."""

    name: str
    elements: frozenset[str]
    policy: OnConflict
    matters: str = "high"  # high, low: how much, to whoever reviews


@dataclass(frozen=True, slots=True)
class Kind:
    """One row."""

    code: str
    type: str
    policy: Policy
    categories: frozenset[Category]
    coding: str
    who: frozenset[str]
    interactions: tuple[str, ...]
    author: tuple[str, ...]
    largest: int
    others: OnConflict
    owner: str
    schema: int
    risk: Risk
    text: str
    bulk: bool = False  # low risk: may be accepted many at once
    one_identifier: bool = False
    deprecated: str = ""  # until when it is taken, and what takes its place
    groups: tuple[Group, ...] = ()

    def fits(self, resource: Mapping[str, Any]) -> bool:
        said = {f"{system}|{code}" for system, code in codings(resource.get("category"))}
        return (
            resource.get("resourceType") == self.type
            and (not self.categories or bool(self.categories & categories_of(resource)))
            and (not self.coding or self.coding in said)
        )

    def takes(self, interaction: str, who: str) -> bool:
        """Whether somebody of this role (patient, helper, client) may propose it at all."""
        return self.policy != Policy.READ_ONLY and who in self.who and interaction in self.interactions

    def group_of(self, element: str) -> Group:
        found = next((group for group in self.groups if element in group.elements), None)
        return found or Group("others", frozenset(), self.others)

    @property
    def looks(self) -> int:
        """How many clinicians say yes before it is sent."""
        return {Policy.STRAIGHT_THROUGH: 0, Policy.NEEDS_TWO: 2}.get(self.policy, 1)


@dataclass(frozen=True, slots=True)
class Measure:
    code: str  # LOINC
    name: str
    units: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # UCUM → from, to
    soon: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # from, to; beyond: high risk


@cache
def kinds() -> Mapping[str, Kind]:
    """By code, in the order of the table. Raises BadFile."""
    return {row["code"]: _kind(row) for row in read_toml(TABLE)["kind"]}


@cache
def measures() -> Mapping[str, Measure]:
    return {
        row["code"]: Measure(
            row["code"],
            row["name"],
            *(
                {unit: (Decimal(str(low)), Decimal(str(high))) for unit, (low, high) in limits.items()}
                for limits in (row["units"], row.get("soon", {}))
            ),
        )
        for row in read_toml(TABLE)["measure"]
    }


def of(resource: Mapping[str, Any]) -> Kind | None:
    """The row that a resource falls under; None: it is read-only."""
    return next((kind for kind in kinds().values() if kind.fits(resource)), None)


def named(code: str) -> Kind | None:
    """None for a row that the table has no more."""
    return kinds().get(code)


def risk(kind: Kind, resource: Mapping[str, Any]) -> Risk:
    """That of its kind; high where a measure in it is beyond what can wait."""
    return Risk.HIGH if any(_is_soon(node) for _, node in bodies.walk(resource, "")) else kind.risk


def _is_soon(node: Mapping[str, Any]) -> bool:
    quantity = node.get("valueQuantity")
    if not isinstance(quantity, dict):
        return False
    for code in codes(node.get("code"), LOINC):
        measure = measures().get(code)
        limits = measure.soon.get(str(quantity.get("code"))) if measure else None
        value = quantity.get("value")
        if limits and value is not None and not limits[0] <= Decimal(value) <= limits[1]:
            return True
    return False


def interactions(resource_type: str, who: str) -> list[str]:
    """Those that somebody of this role may propose for resources of a type, or for some of them."""
    rows = [kind for kind in kinds().values() if kind.type == resource_type]
    return [code for code in ("create", "update") if any(kind.takes(code, who) for kind in rows)]


def _kind(row: dict[str, Any]) -> Kind:
    try:
        groups = tuple(
            Group(name, frozenset(g["elements"]), OnConflict(g["policy"]), g["matters"])
            for name, g in row.pop("groups", {}).items()
        )
        made: dict[str, Any] = {
            "policy": Policy(row.pop("policy")),
            "risk": RISKS[row.pop("risk", "medium")],
            "others": OnConflict(row.pop("others")),
            "categories": frozenset(map(Category, row.pop("categories"))),
            "who": frozenset(row.pop("who")),
            "interactions": tuple(row.pop("interactions")),
            "author": tuple(row.pop("author")),
        }
        return Kind(**row, **made, groups=groups)
    except (KeyError, TypeError, ValueError) as error:
        where = line_of(TABLE, f'code = "{row.get("code", "")}"')
        raise BadFile(TABLE, f"this kind is not whole: {error}", where) from error


def page() -> str:
    """docs/writable.md."""
    return "\n".join([HEADING, *map(_section, kinds().values()), *_measures(), ""])


HEADING = """\
# What can be written

Made from `fhirproxy/writes/kinds.toml` by `UPDATE_WRITABLE=1 python -m pytest tests/writes/test_kinds.py`;
change the table, not this page. Types that are not here are read-only. A kind is left behind in three steps:
a row with `deprecated` says until when it is taken; then its policy is read-only; then the row goes. `schema`
counts changes of what is asked of it, and stands in each command.
"""


def _section(kind: Kind) -> str:
    lines = [
        f"## {kind.code}: {kind.type}",
        "",
        kind.text,
        "",
        f"- Policy: **{kind.policy}**; who: {_list(sorted(kind.who))}; how: {_list(kind.interactions)}",
        *([f"- Of the kind: {_list(sorted(kind.categories))}"] if kind.categories else []),
        *([f"- With the category `{kind.coding}`"] if kind.coding else []),
        f"- Who says so: {_list(kind.author)}; at most {kind.largest} bytes",
        f"- Risk: {kind.risk.name.lower()}{'; many can be accepted at once' if kind.bulk else ''}",
        f"- Owner: {kind.owner}; schema {kind.schema}",
        *([f"- Deprecated: {kind.deprecated}"] if kind.deprecated else []),
        "",
        "| Group | Elements | Both changed it | Matters |",
        "|---|---|---|---|",
        *(f"| {g.name} | {_list(sorted(g.elements))} | {g.policy} | {g.matters} |" for g in kind.groups),
        f"| others | all else | {kind.others} | high |",
        "",
    ]
    return "\n".join(lines)


def _measures() -> list[str]:
    rows = [
        f"| {m.name} | {m.code} | {unit} | {low} to {high} | {_soon(m, unit)} |"
        for m in measures().values()
        for unit, (low, high) in m.units.items()
    ]
    head = "| Measure | LOINC | Unit (UCUM) | Taken | High risk beyond |"
    return ["## Measures", "", head, "|---|---|---|---|---|", *rows]


def _soon(measure: Measure, unit: str) -> str:
    return " to ".join(map(str, measure.soon[unit])) if unit in measure.soon else ""


def _list(words: Any) -> str:
    return ", ".join(words) or "none"
