"""Which private topics an emergency view opens: `emergency.toml`, a row for every label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from consent.decision import Provision, ProvisionType
from consent.files import BadFile, line_of, read_toml
from consent.vocabulary import Purpose

FILE = Path(__file__).with_name("emergency.toml")


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one label in an emergency."""

    open: bool
    law: str


@cache
def rules(file: Path = FILE) -> Mapping[str, Rule]:
    """By label. Raises BadFile."""
    return {code: rule for row in read_toml(file).get("label", []) for code, rule in _rows(file, row)}


def _rows(file: Path, row: Mapping[str, Any]) -> Iterator[tuple[str, Rule]]:
    try:
        if not isinstance(row["open"], bool) or not row["law"]:
            raise ValueError("`open` is true or false, and `law` says why")
        yield from ((code, Rule(row["open"], row["law"])) for code in row["codes"])
    except (KeyError, ValueError, TypeError) as error:
        raise BadFile(file, f"a label cannot be read: {error}", line_of(file, "[[label]]")) from error


def permit() -> Provision:
    """What an emergency view opens, where neither the patient nor the organisation says no."""
    opened = frozenset(code for code, rule in rules().items() if rule.open)
    return Provision(
        "emergency", ProvisionType.PERMIT, purposes=frozenset({Purpose.ETREAT}), security_labels=opened
    )
