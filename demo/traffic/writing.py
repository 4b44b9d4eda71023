"""Events of other moments than now into the log, many at once, as `audit.log` writes them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from django.db import connection, transaction

from audit import partitions
from audit.log import COLUMNS, ENTRY_FIELDS, INSERT, Entry, leaf_of, mac_of, said, uuid7, validate


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    entry: Entry
    network: str = ""


def write(events: Iterable[Event]) -> int:
    """In the order of their times, in one transaction; returns how many. Their months must be to come,
    or this one."""
    rows = [_row(event) for event in sorted(events, key=lambda event: event.at)]
    partitions.ensure(months_ahead=4)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"{INSERT}(true)", rows)
    return len(rows)


def _row(event: Event) -> list[Any]:
    validate(event.entry)
    values = {name: getattr(event.entry, name) for name in ENTRY_FIELDS}
    context = {"assurance": "internal"} | ({"network": event.network} if event.network else {})
    values |= {"id": uuid7(event.at), "recorded_at": event.at, "context": context}
    payload = rfc8785.dumps(said(values))
    leaf = leaf_of(payload)
    shown = [list(v) if isinstance(v := values[name], tuple) else v for name in COLUMNS]
    return [*shown, payload.decode(), leaf, mac_of(leaf)]
