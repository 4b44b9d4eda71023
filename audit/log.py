"""Write to the log: one event, one INSERT, in the transaction of what it speaks of.

The application makes `id` and `recorded_at` itself, since both stand in the hashed
payload; the transaction id, which orders the log, is the database's.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from audit import context, journal, sealed
from audit.events import REQUIRED, EventType, Outcome, Role

CODE = re.compile(r"[A-Za-z0-9$][A-Za-z0-9_.:/|*$-]{0,199}")
REFERENCE = re.compile(r"[A-Z][A-Za-z]{0,39}/[!-~]{1,255}")  # Patient/1, Client/https://app.example/id
MOST_CODES = 200  # in one list; the types of R4 are fewer
MOST_DETAILS = 16

ANONYMOUS = "User/anonymous"  # the actor where nobody has signed in
REFERENCES = ("actor", "on_behalf_of", "patient", "client", "consent", "target")
CODES = ("interaction", "purpose", "correlation_id")
LISTS = ("resource_types", "categories", "reasons")

Condition = tuple[str, list[Any]]  # an SQL boolean expression, and its parameters
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidEntry(ValueError):
    """An entry that the log does not take: a field is missing, or is not a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened. References are "Type/id"; everything else is a code, never free text."""

    type: EventType
    outcome: Outcome
    actor: str
    on_behalf_of: str = ""
    role: str = ""
    patient: str = ""
    client: str = ""
    interaction: str = ""  # FHIR restful-interaction code
    resource_types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    purpose: str = ""  # HL7 v3 ActReason
    reasons: tuple[str, ...] = ()
    consent: str = ""
    consent_number: int | None = None
    count: int | None = None
    target: str = ""
    correlation_id: str = ""  # empty: the request's own
    detail: Mapping[str, str | int | bool] = field(default_factory=dict)


ENTRY_FIELDS = tuple(f.name for f in fields(Entry))
COLUMNS = ("id", "recorded_at", *(name for name in ENTRY_FIELDS if name != "detail"))
_ALL_COLUMNS = (*COLUMNS, "payload", "leaf", "writer_mac")
_CASTS = {
    "id": "::uuid",
    "recorded_at": "::timestamptz",
    **dict.fromkeys(LISTS, "::text[]"),
    **dict.fromkeys(("consent_number", "count"), "::integer"),
}
_TYPES = {name: cast.removeprefix("::") for name, cast in _CASTS.items()}
_OF_EACH = {
    **{name: f"t.{name}" for name in ("id", "recorded_at", "consent_number", "count")},
    **{name: f"coalesce(t.{name}, '{{}}')" for name in LISTS},
    **{name: f"decode(t.{name}, 'hex')" for name in ("leaf", "writer_mac")},
}
NOT_COLUMNS = ("detail", "context", "sealed")  # they stand in the payload alone
SAID = (*COLUMNS, *NOT_COLUMNS)
INSERT = (
    f"INSERT INTO audit_event ({', '.join(_ALL_COLUMNS)}) "
    f"SELECT {', '.join('%s' + _CASTS.get(name, '') for name in _ALL_COLUMNS)} WHERE "
)
# With the key that is new, in the same statement; where the event is not let in, neither is the key.
WITH_KEY = """
WITH recorded AS ({} RETURNING id)
INSERT INTO audit_key (id, subject, salt) SELECT %s, %s, %s FROM recorded
"""
# Of many: rows as JSON. What an event does not say is "" or {}, as with `INSERT`.
_READ = ", ".join(_OF_EACH.get(name, f"coalesce(t.{name}, '')") for name in _ALL_COLUMNS)
_ROW = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in _ALL_COLUMNS)
INSERT_EACH = (
    f"INSERT INTO audit_event ({', '.join(_ALL_COLUMNS)}) "  # noqa: S608  our own words only
    f"SELECT {_READ} FROM jsonb_to_recordset(%s::jsonb) AS t ({_ROW}, asked jsonb) WHERE "
)
STILL_KEPT = "RETURNING EXISTS (SELECT FROM audit_key WHERE id = %s)"


def record(entry: Entry, *, only_if: Condition | None = None) -> UUID | None:
    """Insert one event, in one statement, in the caller's transaction; return its id.

    `only_if` is (SQL boolean expression, parameters): the event is inserted only where it
    is true, in the same statement, and None is returned otherwise. The expression sees the
    snapshot of the statement; what waits for a lock and looks again belongs in a volatile
    function. Raises `InvalidEntry`, and any database error: no row, no access.
    """
    made = _made(entry)
    values, key = made.values, made.key
    row = [list(v) if isinstance(v := values[name], tuple) else v for name in COLUMNS]
    condition, parameters = only_if or ("true", [])
    statement = f"{INSERT}({condition})"
    parameters = [*row, made.payload, made.leaf, made.mac, *parameters]
    if key and made.is_new:
        statement, parameters = WITH_KEY.format(statement), [*parameters, key.id, key.subject, key.salt]
    elif key:
        statement, parameters = f"{statement} {STILL_KEPT}", [*parameters, key.id]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        if not cursor.rowcount:
            return None
        if key and not made.is_new and not cursor.fetchone()[0]:
            sealed.forget(key.subject)  # another process shredded it: what this event sealed is gone with it
            key = None
    transaction.on_commit(lambda: _committed(entry, made.id, made.leaf, made.mac, key))
    return made.id


def record_each(entries: Sequence[tuple[Entry, Condition | None]]) -> list[UUID | None]:
    """As `record` for each of many that no request speaks for, in one statement for each expression.

    In `only_if` every parameter has its cast.
    """
    if context.current.get():
        return [record(entry, only_if=only_if) for entry, only_if in entries]
    made = [_made(entry) for entry, _ in entries]
    rows = defaultdict(list)
    for one, (_, only_if) in zip(made, entries, strict=True):
        condition, parameters = only_if or ("true", [])
        asked = [None if value is None else str(value) for value in parameters]
        rows[condition].append(said(one.values, COLUMNS) | one.columns() | {"asked": asked})
    inserted: set[UUID] = set()
    with connection.cursor() as cursor:
        for condition, some in rows.items():
            first, *rest = condition.split("%s")
            where = first + "".join(f"(t.asked->>{n}){after}" for n, after in enumerate(rest))
            cursor.execute(f"{INSERT_EACH}({where}) RETURNING id", [json.dumps(some)])
            inserted |= {event_id for (event_id,) in cursor.fetchall()}
    transaction.on_commit(partial(_all_committed, [one for one in made if one.id in inserted]))
    return [one.id if one.id in inserted else None for one in made]


def _all_committed(made: Sequence["_Made"]) -> None:
    for one in made:
        journal.append(one.id, one.leaf)


@dataclass(frozen=True, slots=True)
class _Made:
    """An event that is ready to be inserted."""

    id: UUID
    values: Mapping[str, Any]
    payload: str
    leaf: bytes
    mac: bytes
    key: sealed.Key | None
    is_new: bool

    def columns(self) -> dict[str, str]:
        return {"payload": self.payload, "leaf": self.leaf.hex(), "writer_mac": self.mac.hex()}


def _made(entry: Entry) -> _Made:
    validate(entry)
    recorded_at = _now()
    event_id = uuid7(recorded_at)
    values = {name: getattr(entry, name) for name in ENTRY_FIELDS}
    values |= {"id": event_id, "recorded_at": recorded_at}
    values["correlation_id"] = entry.correlation_id or _correlation_id()
    values["context"], key, is_new = context.INTERNAL, None, False
    if here := context.current.get():
        key, is_new = sealed.key_for(entry.patient or entry.actor)
        values |= {"context": here.told(), "sealed": sealed.seal(key, event_id, here.erasable())}
    payload = canonical(said(values))
    leaf = leaf_of(payload.encode())
    return _Made(event_id, values, payload, leaf, mac_of(leaf), key, is_new)


def canonical(content: Mapping[str, Any]) -> str:
    """RFC 8785 of what an event can hold: strings, whole numbers, lists and objects, under names of ASCII.

    Of these the standard library writes the same bytes, and quickly.
    """
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _committed(entry: Entry, event_id: UUID, leaf: bytes, mac: bytes, key: sealed.Key | None) -> None:
    """What follows the commit, before the answer: the journal's line, and the receipt of what is let out."""
    if key:
        sealed.remember(key)
    here = context.current.get()
    if journal.append(event_id, leaf) and here and entry.outcome == Outcome.PERMIT:
        here.receipts.append(f"{event_id}.{leaf.hex()}.{mac.hex()}")


def said(values: Mapping[str, Any], names: Sequence[str] = SAID) -> dict[str, Any]:
    """The payload's content: every field that says something, as JSON has it.

    Works alike on an entry and on a row of the table, so that one can be held against the other.
    """
    return {
        name: value if type(value) is str else _as_json(value)
        for name in names
        if (value := values.get(name))
        or type(value) is int  # 0 says something, and nothing else that is empty
    }


def _as_json(value: Any) -> Any:
    if isinstance(value, str | int | list):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    return list(value) if isinstance(value, tuple) else dict(value)


def leaf_of(payload: bytes) -> bytes:
    """SHA-256(0x00 || payload): the leaf hash of RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + payload).digest()


def mac_of(leaf: bytes) -> bytes:
    """HMAC-SHA256 with the application's key, which direct SQL does not have."""
    return hmac.digest(settings.AUDIT_MAC_KEY, leaf, "sha256")


def uuid7(at: datetime) -> UUID:
    """RFC 9562, 5.7: 48 bits of milliseconds, 12 of the millisecond's parts (6.2, method 3), 62 random."""
    milliseconds, rest = divmod(at - EPOCH, timedelta(milliseconds=1))
    parts = rest.microseconds * 4096 // 1000
    return UUID(
        int=milliseconds << 80 | 0x7 << 76 | parts << 64 | 0b10 << 62 | secrets.randbits(62),
    )


def validate(entry: Entry) -> None:
    """Raise `InvalidEntry` where a required field is empty or a value is not a code."""
    required = {"actor"} | REQUIRED[EventType(entry.type)]
    if Outcome(entry.outcome) is Outcome.DENY:
        required |= {"reasons"}
    if missing := sorted(name for name in required if getattr(entry, name) in ("", (), {}, None)):
        raise InvalidEntry(f"{entry.type} needs {', '.join(missing)}")
    if entry.role and entry.role not in set(Role):
        raise InvalidEntry("role is not one of the roles")
    for name in REFERENCES:
        _match(REFERENCE, name, getattr(entry, name))
    for name in CODES:
        _match(CODE, name, getattr(entry, name))
    for name in LISTS:
        _bounded(name, getattr(entry, name), MOST_CODES)
        for value in getattr(entry, name):
            _match(CODE, name, value or " ")
    _validate_detail(entry.detail)


def _validate_detail(detail: Mapping[str, str | int | bool]) -> None:
    _bounded("detail", detail, MOST_DETAILS)
    for name, value in detail.items():
        _match(CODE, "detail", name)
        if isinstance(value, str):
            _match(CODE, f"detail.{name}", value)
        elif not isinstance(value, int):
            raise InvalidEntry(f"detail.{name} is neither a code nor a whole number")


def _match(pattern: re.Pattern[str], name: str, value: str) -> None:
    """The message leaves the value out: it may be the very text that must not be kept."""
    if value and not pattern.fullmatch(value):
        raise InvalidEntry(f"{name} is not a {'reference' if pattern is REFERENCE else 'code'}")


def _bounded(name: str, values: Any, most: int) -> None:
    if len(values) > most:
        raise InvalidEntry(f"{name} has more than {most} values")


def _correlation_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


def _now() -> datetime:
    return EPOCH + timedelta(microseconds=time.time_ns() // 1000)
