"""What the sign-in behind an access token must be, for what is asked: `sign_in_rules.toml` (RFC 9470)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from consent.decision import WRITES
from consent.files import BadFile, line_of, read_toml
from smart import identity

FILE = Path(__file__).with_name("sign_in_rules.toml")
CLOCKS_DIFFER = 60  # seconds: who signed in later than that after now did not
PRIVATE, WRITING = "private-topics", "writes"


@dataclass(frozen=True, slots=True)
class Rule:
    max_age: int | None  # seconds; None: however long ago
    acr: str  # empty: however sure

    def is_met(self, acr: str, age: float | None) -> bool:
        """`age` is in seconds, None where nobody knows it."""
        is_late = self.max_age is None or (age is not None and -CLOCKS_DIFFER <= age <= self.max_age)
        return is_late and identity.satisfies(acr, self.acr)


@cache
def rules(file: Path = FILE) -> Mapping[str, Rule]:
    """By what is asked. Raises BadFile."""
    return {what: _rule(file, what, row) for what, row in read_toml(file).items()}


def lacking(
    interaction: str,
    labels: Collection[str],
    *,
    acr: str,
    authenticated_at: datetime | None,
    now: datetime,
) -> Rule | None:
    """What a sign-in must be, and is not, for this interaction and records with these labels; None: it is."""
    age = (now - authenticated_at).total_seconds() if authenticated_at else None
    asked = (rules().get(what) for what in _about(interaction, labels))
    unmet = [rule for rule in asked if rule and not rule.is_met(acr, age)]
    if not unmet:
        return None
    ages = [rule.max_age for rule in unmet if rule.max_age is not None]
    classes = sorted((rule.acr for rule in unmet if rule.acr), key=identity.ACR_VALUES.index)
    return Rule(min(ages, default=None), classes[-1] if classes else "")


def _about(interaction: str, labels: Collection[str]) -> Iterator[str]:
    if labels:
        yield PRIVATE
    if interaction in WRITES:
        yield WRITING


def _rule(file: Path, what: str, row: Mapping[str, Any]) -> Rule:
    rule = Rule(row.get("max_age"), row.get("acr", ""))
    fault = ""
    if what not in (PRIVATE, WRITING):
        fault = f"there is no {what!r}"
    elif not isinstance(row.get("max_age", 0), int) or (rule.max_age or 0) < 0:
        fault = "`max_age` is a number of seconds"
    elif rule.acr and rule.acr not in identity.ACR_VALUES:
        fault = f"`acr` is one of {', '.join(identity.ACR_VALUES)}"
    elif not row.get("why"):
        fault = "`why` says why"
    if fault:
        raise BadFile(file, fault, line_of(file, f"[{what}]"))
    return rule
