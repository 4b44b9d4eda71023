"""Who may help whom, on what ground, with what evidence: the table in relationships.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("relationships.toml")
OF_AGE = -1  # in the table: the age at which the patient's law makes them of age
EVIDENCE = (
    "photo-id",
    "birth-record",
    "court-order",
    "power-of-attorney",
    "doctor-letter",
    "death-record",
    "estate-paper",
)


@dataclass(frozen=True, slots=True)
class Basis:
    """A ground to help on. Ages are in completed years."""

    code: str
    patient_from: int
    patient_until: int
    by_code: bool
    evidence: tuple[str, ...]
    days: int
    review_days: int
    past_teen_rules: bool

    def suits(self, age: int, of_age: int) -> bool:
        """Whether a patient of that age can be helped on this ground."""
        start = of_age if self.patient_from == OF_AGE else self.patient_from
        end = of_age if self.patient_until == OF_AGE else self.patient_until
        return start <= age < end


@dataclass(frozen=True, slots=True)
class Kind:
    code: str  # HL7 v3 RoleCode
    bases: tuple[str, ...]
    helper_from: int  # how old the helper is, where we know it


@dataclass(frozen=True, slots=True)
class Level:
    code: str
    categories: tuple[str, ...]  # empty: they are chosen one by one
    share: bool


@cache
def bases() -> Mapping[str, Basis]:
    return {row["code"]: Basis(**row | {"evidence": tuple(row["evidence"])}) for row in _rows("basis")}


@cache
def kinds() -> Mapping[str, Kind]:
    return {row["code"]: Kind(**row | {"bases": tuple(row["bases"])}) for row in _rows("relationship")}


@cache
def levels() -> Mapping[str, Level]:
    return {row["code"]: Level(**row | {"categories": tuple(row["categories"])}) for row in _rows("level")}


def _rows(name: str) -> list[dict[str, Any]]:
    with TABLE.open("rb") as file:
        rows: list[dict[str, Any]] = tomllib.load(file)[name]
    return rows
