"""What differs from one state to another: who counts as a teen, what helpers of a teen do not see, and
which labels a law adds. Data, in jurisdictions.toml, and a starting table without legal review."""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from consent.files import BadFile, line_of, read_toml
from consent.vocabulary import JURISDICTIONS, OWN_LABELS, TOPICS, Category

LABELS_OF_TOPIC = {topic.code: topic.labels for topic in TOPICS}


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """One row of the table. Ages are in completed years."""

    code: str
    minor_until: int
    teen_from: int
    private_to_teens: frozenset[str]  # labels
    adds: frozenset[str]  # labels of its own that are in force
    kinds: frozenset[str] = frozenset()  # categories that helpers of a teen do not see
    assent: bool = False  # a teen may give those categories back
    teen_pauses: bool = False  # a teen's "pause all" pauses what the law gave parents, too
    time_zone: str = ""

    def today(self, now: datetime, clinic: str) -> date:
        """The date there. `clinic`: the time zone of a jurisdiction that names none."""
        return now.astimezone(zoneinfo.ZoneInfo(self.time_zone or clinic)).date()


def hidden_from_helpers(birth_date: date, jurisdiction: str, on: date) -> frozenset[str]:
    """The labels that a teen's helpers do not see; none for a younger child, whose parents see all, and
    none for an adult, who chose their helpers. Raises KeyError for a jurisdiction that is not in the table.
    """
    row, age = table()[jurisdiction], age_of(birth_date, on)
    return row.private_to_teens if row.teen_from <= age < row.minor_until else frozenset()


def is_minor(birth_date: date, jurisdiction: str, on: date) -> bool:
    """Whether a person is not of age yet. Raises KeyError for a jurisdiction that is not in the table."""
    return age_of(birth_date, on) < table()[jurisdiction].minor_until


def age_of(birth_date: date, on: date) -> int:
    """Completed years. Who was born on 29 February has their birthday on 1 March in other years."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


@cache
def table(path: Path = JURISDICTIONS) -> Mapping[str, Jurisdiction]:
    """Every jurisdiction by its code. Raises BadFile for a row that does not say what it must."""
    rows = [_row(path, row) for row in read_toml(path).get("jurisdiction", [])]
    return {row.code: row for row in rows}


def _row(path: Path, row: Mapping[str, Any]) -> Jurisdiction:
    code = str(row.get("code", ""))
    line = line_of(path, f'code = "{code}"') or line_of(path, "[[jurisdiction]]")
    ages = row.get("teen_from"), row.get("minor_until")
    if not all(type(age) is int for age in ages) or not code:
        raise BadFile(path, f"the jurisdiction {code} needs code, teen_from and minor_until", line)
    topics, adds = list(row.get("teen_topics", ())), frozenset(row.get("adds", ()))
    for name, known in ((topics, LABELS_OF_TOPIC), (adds, OWN_LABELS)):
        if unknown := sorted(set(name) - set(known)):
            raise BadFile(path, f"the jurisdiction {code} names {unknown[0]}, which is not known", line)
    private = frozenset().union(*(LABELS_OF_TOPIC[topic] for topic in topics))
    kinds, zone = frozenset(row.get("teen_kinds", ())), str(row.get("time_zone", ""))
    if unknown := sorted(kinds - set(Category)):
        raise BadFile(path, f"the jurisdiction {code} names {unknown[0]}, which is not known", line)
    if zone and zone not in zoneinfo.available_timezones():
        raise BadFile(path, f"the jurisdiction {code} names {zone}, which is no time zone", line)
    assent, pauses = bool(row.get("assent", False)), bool(row.get("teen_pauses", False))
    return Jurisdiction(
        code, row["minor_until"], row["teen_from"], private, adds, kinds, assent, pauses, zone
    )
