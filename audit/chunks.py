"""Many rows of the log at once: is each as the application wrote it, and in its place?

What is said is yes or no, by comparing whole lists. Where it is no, `audit.verification` looks at the rows
one by one and says what is wrong: nothing here decides that a log was tampered with.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

from audit.keyring import is_ours, marker
from audit.log import COLUMNS, LISTS, NOT_COLUMNS

SIZE = 500  # entries in one chunk: as many as stay in a processor's cache
BESIDE = ", E'\\x1f', "  # U+001F stands in no code and no reference: columns side by side stay apart
# Columns as one text, bytes as they are: what is made of each value here costs more than all else.
LEAVES = """
SELECT seq, xid8send(xid), uuid_send(event_id), leaf FROM log_leaf WHERE seq >= %s AND seq < %s ORDER BY seq
"""
EVENTS = (
    "SELECT xid8send(xid), uuid_send(id), leaf, writer_mac, textsend(payload), "  # noqa: S608  our own names
    f"concat({BESIDE.join(COLUMNS)}) FROM audit_event "
    "WHERE (xid, id) > (%s::xid8, %s::uuid) AND (xid, id) <= (%s::xid8, %s::uuid) ORDER BY xid, id"
)
AS_WRITTEN = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'"
SAME_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}'"
PLACE = "SELECT xid::text, event_id::text FROM log_leaf WHERE seq = %s"
WHERE = ("host", "port", "user", "password", "dbname", "sslmode", "options")
_NUMBERS = ("consent_number", "count")
Said = msgspec.defstruct(
    "Said",
    [  # in the order in which canonical JSON has them, so that each is met where it is expected
        (name, list[str], msgspec.field(default_factory=list))
        if name in LISTS
        else (name, int | None, None)
        if name in _NUMBERS
        else (name, msgspec.Raw, msgspec.Raw())
        if name in NOT_COLUMNS
        else (name, str, "")
        for name in sorted((*COLUMNS, *NOT_COLUMNS))
    ],
    forbid_unknown_fields=True,
    gc=False,
)
read = msgspec.json.Decoder(Said).decode


class Place(NamedTuple):
    """Where an event stands in the order of the log."""

    xid: str = "0"
    event_id: str = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries one after the other, from `start` on, with their events, up to a place."""

    start: int
    leaves: Sequence[bytes]
    end: int  # before which entries were asked for
    last: Place
    is_right: bool


Rows = list[tuple[Any, ...]]


class Reader:
    """`keys` as `audit.keyring.mac_keys` gives them; `next_xid` is the first that was not given out."""

    def __init__(self, next_xid: int, keys: Sequence[tuple[bytes, datetime]]) -> None:
        self._next, self._keys = next_xid.to_bytes(8), keys
        self._mark = marker(keys[0][0])

    def chunks(
        self, snapshot: str, start: int, end: int, pauses: Sequence[int] = (), where: str = ""
    ) -> Generator[Chunk, None, None]:
        """From entry `start` on as far as there are any before `end`; a chunk ends at each of `pauses`, too.

        On a connection of its own with that snapshot: PostgreSQL makes one while the one before is looked at.
        """
        with psycopg.connect(where or conninfo(), autocommit=True) as raw:
            raw.execute(SAME_SNAPSHOT.format(snapshot))
            raw.execute(AS_WRITTEN)
            with ThreadPoolExecutor(1) as ahead:
                yield from self._chunks(
                    ahead, raw, start, lambda at: min([at + SIZE, end, *(p for p in pauses if p > at)])
                )

    def _chunks(
        self, ahead: Executor, raw: psycopg.Connection[Any], start: int, stop: Callable[[int], int]
    ) -> Iterator[Chunk]:
        found = raw.execute(PLACE, [start - 1]).fetchone()
        after = Place(*found) if found else Place()
        coming = ahead.submit(_fetch, raw, start, stop(start), after)
        while (got := coming.result())[0]:
            leaves, events, last = got
            begun, start = start, start + len(leaves)
            coming = ahead.submit(_fetch, raw, start, stop(start), last)
            hashes = [bytes(leaf[3]) for leaf in leaves]
            yield Chunk(begun, hashes, stop(begun), last, self._are_in_place(begun, leaves, events))

    def _are_in_place(self, start: int, leaves: Rows, events: Rows) -> bool:
        seqs, *placed = zip(*leaves, strict=True)
        return (
            seqs == tuple(range(start, start + len(leaves)))
            and len(events) == len(leaves)
            and self._are_right(tuple(placed), events)
        )

    def _are_right(self, placed: tuple[Any, ...], events: list[tuple[Any, ...]]) -> bool:
        xids, ids, leaves, marks, payloads, columns = zip(*events, strict=True)
        if (xids, ids, leaves) != placed or max(xids) >= self._next:
            return False
        sha256 = hashlib.sha256
        if tuple([sha256(b"\0" + payload).digest() for payload in payloads]) != leaves:
            return False
        try:
            said = [read(payload) for payload in payloads]
        except msgspec.DecodeError:
            return False
        return tuple([_columns(each) for each in said]) == columns and self._marked(leaves, marks, said)

    def _marked(self, leaves: Sequence[bytes], marks: Sequence[bytes], said: Sequence[Any]) -> bool:
        """By the newest key, or by an old one while it counted."""
        made = [self._mark(leaf) for leaf in leaves]
        return made == list(marks) or all(
            one == mark or is_ours(leaf, mark, datetime.fromisoformat(each.recorded_at), self._keys)
            for one, mark, leaf, each in zip(made, marks, leaves, said, strict=True)
        )


def conninfo() -> str:
    """Where the log is, for a connection that is not Django's."""
    parameters = connection.get_connection_params()
    return make_conninfo("", **{name: parameters[name] for name in WHERE if parameters.get(name)})


def place_of(seq: int) -> Place:
    """Of an entry; the beginning where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(PLACE, [seq])
        found = cursor.fetchone()
    return Place(*found) if found else Place()


def _fetch(raw: psycopg.Connection[Any], start: int, stop: int, after: Place) -> tuple[Rows, Rows, Place]:
    leaves = _rows(raw, LEAVES, start, stop) if stop > start else []
    if not leaves:
        return [], [], after
    last = Place(str(int.from_bytes(leaves[-1][1])), leaves[-1][2].hex())
    return leaves, _rows(raw, EVENTS, *after, *last), last


def _rows(raw: psycopg.Connection[Any], sql: str, *parameters: Any) -> Rows:
    with raw.cursor(binary=True) as cursor:
        return cursor.execute(sql, parameters, prepare=True).fetchall()


def _columns(said: Any) -> str:
    """What PostgreSQL's `concat` makes of a row that says the same, in the order of COLUMNS.

    Of lists only those are right whose values need no quotes in an array; codes need none.
    """
    at = said.recorded_at
    number = "" if said.consent_number is None else said.consent_number
    count = "" if said.count is None else said.count
    at = (at[:10] + " " + at[11:26]).rstrip("0").rstrip(".")
    return (
        f"{said.id}\x1f{at}+00\x1f{said.type}\x1f{said.outcome}\x1f{said.actor}\x1f{said.on_behalf_of}\x1f{said.role}\x1f{said.patient}\x1f{said.client}\x1f"
        f"{said.interaction}\x1f{{{','.join(said.resource_types)}}}\x1f{{{','.join(said.categories)}}}\x1f"
        f"{said.purpose}\x1f{{{','.join(said.reasons)}}}\x1f{said.consent}\x1f{number}\x1f{count}\x1f"
        f"{said.target}\x1f{said.correlation_id}"
    )
