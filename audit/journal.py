"""Each writer's own list of what it has committed, outside the database: the newest rows have a second
witness.

    <number> <event id> <leaf> <mac>         hexadecimal; no word of what happened

A line is written after the commit and before the answer, so that an answer which left has its line. It is
ordered, not synced: kill -9 of the writer or of PostgreSQL loses none; a power cut loses lines that the
sequencer has not synced yet (about 250 ms, `sync`), and never a row. AUDIT_JOURNAL_FSYNC=1 waits for the
disk.
"""

import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings

from audit.keyring import mac_keys, marker

MOST_BYTES = 4 * 1024 * 1024  # in one file; then the next one
MOST_AGE = 3600.0  # seconds that a file is written to
SUFFIX = ".journal"
LINE = re.compile(rb"((\d{1,9}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} [0-9a-f]{64})) ([0-9a-f]{32})\n")
log = structlog.get_logger("chartkey.audit")


class BadJournal(Exception):
    """A journal that its writer did not leave so: which file and line."""


class Line(NamedTuple):
    number: int
    said: str  # the event's id and its leaf, hexadecimal, as they stand in the line

    @property
    def event_id(self) -> UUID:
        return UUID(self.said[:36])

    @property
    def leaf(self) -> bytes:
        return bytes.fromhex(self.said[37:])


class _Writer:
    """This process's open file. A child that was forked starts one of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pid, self.file, self.folder = 0, -1, Path()
        self.name, self.count, self.bytes, self.opened_at = "", 0, 0, 0.0

    def write(self, event_id: UUID, leaf: bytes) -> None:
        with self.lock:
            if self._is_over():
                self._open()
            line = f"{_signed(self.name, self.count, event_id, leaf)}\n".encode()
            os.write(self.file, line)  # one write: lines are whole, or the file ends in half of one
            if settings.AUDIT_JOURNAL_FSYNC:
                os.fsync(self.file)
            self.count, self.bytes = self.count + 1, self.bytes + len(line)

    def _is_over(self) -> bool:
        return (
            self.pid != os.getpid()
            or self.folder != settings.AUDIT_JOURNAL_FOLDER
            or self.bytes > MOST_BYTES
            or time.monotonic() - self.opened_at > MOST_AGE
        )

    def _open(self) -> None:
        if self.pid == os.getpid() and self.file >= 0:
            os.fsync(self.file)
            os.close(self.file)
        self.file, self.pid, self.folder = -1, os.getpid(), settings.AUDIT_JOURNAL_FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{time.time_ns():x}-{secrets.token_hex(6)}"
        self.file = os.open(self.folder / (self.name + SUFFIX), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        self.count, self.bytes, self.opened_at = 0, 0, time.monotonic()

    def close(self) -> None:
        with self.lock:
            self.pid = 0


_writer = _Writer()
os.register_at_fork(after_in_child=lambda: setattr(_writer, "lock", threading.Lock()))


def append(event_id: UUID, leaf: bytes) -> bool:
    """After the commit. Where it fails the row stands all the same: shout, and give no receipt."""
    try:
        _writer.write(event_id, leaf)
    except OSError as error:
        log.error("the audit journal cannot be written", reason=type(error).__name__)
        return False
    return True


def close() -> None:
    """The next line starts a new file."""
    _writer.close()


def _signed(name: str, number: int, event_id: UUID, leaf: bytes) -> str:
    said = f"{number} {event_id} {leaf.hex()}"
    mac = hmac.digest(settings.AUDIT_MAC_KEY, f"journal {name} {said}".encode(), "sha256")
    return f"{said} {mac[:16].hex()}"


def files() -> list[Path]:
    return sorted(settings.AUDIT_JOURNAL_FOLDER.glob(f"*{SUFFIX}"))


def sizes() -> dict[str, int]:
    """How long each journal is now, by its name."""
    found = {}
    for path in files():
        with suppress(FileNotFoundError):  # it was pruned just now
            found[path.stem] = path.stat().st_size
    return found


def read(path: Path, size: int | None = None) -> Iterator[Line]:
    """The lines of one file, or of its first so many bytes; half a line at the end is no line.

    Raises `BadJournal`.
    """
    content = path.read_bytes()[:size]  # a file is bounded
    content = content[: content.rfind(b"\n") + 1]
    lines, name = LINE.findall(content), f"journal {path.stem} ".encode()
    if sum(len(signed) for signed, *_ in lines) + 34 * len(lines) != len(content):
        place = next(
            i for i, line in enumerate(content.splitlines(keepends=True)) if not LINE.fullmatch(line)
        )
        raise BadJournal(f"the journal {path.stem} has no line of ours at {place + 1}")
    wrong = set(range(len(lines)))
    for mark in [marker(key) for key, _ in mac_keys()]:
        wrong = {i for i in wrong if mark(name + lines[i][0]).hex()[:32].encode() != lines[i][3]}
    for place, (_, number, said, _) in enumerate(lines):
        if place in wrong:
            raise BadJournal(f"line {place + 1} of the journal {path.stem} was changed")
        if int(number) != place:
            raise BadJournal(f"the journal {path.stem} lacks its line {place + 1}")
        yield Line(place, said.decode())


def sync() -> None:
    """Have the disk keep what the writers have written; the sequencer does this at each look."""
    for path in files():
        if time.time() - path.stat().st_mtime < 5:
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
