"""Provisions: compiled from what a person chose, kept with each version, read back for `decide`."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from consent.decision import Provision, ProvisionType
from consent.vocabulary import Category, Purpose

# What a person may see of their own record: all of it.
OWN_RECORD = (Provision("own-record", ProvisionType.PERMIT, every_label=True, writes=True),)
# What a clinician who treats the patient may see: what carries no sensitivity label.
# Labelled records need a rule of their own (42 CFR Part 2, state law) and stay closed till then.
TREATING = (Provision("treating", ProvisionType.PERMIT, purposes=frozenset({Purpose.TREAT})),)


def compile_choice(
    *,
    categories: Collection[Category],
    labels: Collection[str],
    until: datetime,
    can_write: bool,
) -> list[dict[str, Any]]:
    """The provisions of one consent: one permit that names categories, labels, purpose and end."""
    return [
        {
            "id": "permit",
            "type": "permit",
            "period_end": until.isoformat(),
            "categories": sorted(Category(c) for c in categories),
            "purposes": [Purpose.PATRQT],
            "security_labels": sorted(labels),
            "writes": can_write,
        }
    ]


def read_back(rows: list[Mapping[str, Any]]) -> tuple[Provision, ...]:
    """Raises KeyError or ValueError for a row that is not what `compile_choice` writes: never guess."""
    return tuple(
        Provision(
            id=row["id"],
            type=ProvisionType(row["type"]),
            period_end=datetime.fromisoformat(row["period_end"]),
            categories=frozenset(Category(c) for c in row["categories"]),
            purposes=frozenset(Purpose(p) for p in row["purposes"]),
            security_labels=frozenset(row["security_labels"]),
            writes=row["writes"],
        )
        for row in rows
    )
