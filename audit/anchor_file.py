"""The anchor file: every checkpoint once more, outside the database, only ever appended to.

It is a list of signed notes with an empty line after each.
"""

import base64
import os
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from audit import notes
from audit.keyring import open_checkpoint

TAIL = 4096  # bytes that hold the last note of the file


class Anchored(NamedTuple):
    """One checkpoint of the file: its line and where that line begins in bytes."""

    line: int
    offset: int
    head: notes.TreeHead


def append(path: Path, note: str) -> None:
    """Add one checkpoint and wait until the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        end = os.fstat(file).st_size
        # A power cut may have left half a note: the next one starts on a line of its own.
        torn = end and os.pread(file, 1, end - 1) != b"\n"
        os.write(file, (("\n" if torn else "") + note + "\n").encode())
        os.fsync(file)
    finally:
        os.close(file)


def last(path: Path) -> notes.TreeHead | None:
    """The newest whole note of the file, unverified: `verify_audit` does that."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        parts = file.read().split(f"{settings.AUDIT_ORIGIN}\n".encode())[1:]
    whole = [part for part in parts if b"\n\n" in part and part.endswith(b"\n")]
    if not whole:
        return None
    size, root, _ = whole[-1].split(b"\n", 2)
    return notes.TreeHead(int(size), base64.b64decode(root))


def read(path: Path, length: int) -> Generator[Anchored, None, None]:
    """Each checkpoint in the file's first `length` bytes, one at a time.

    A note that a power cut left half is passed over. Raises `notes.InvalidNote`, with the line,
    for one that does not verify.
    """
    if not length:
        return
    start, offset, place = 0, 0, 0
    lines: list[bytes] = []
    origin = f"{settings.AUDIT_ORIGIN}\n".encode()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line == origin:
                start, offset, lines = number, place, []
            lines.append(line)
            place += len(line)
            if line.startswith(notes.DASH.encode()) and line.endswith(b"\n"):
                yield Anchored(start, offset, _open(b"".join(lines), start))
                lines = []
            if place >= length:
                return


def _open(note: bytes, line: int) -> notes.TreeHead:
    try:
        return open_checkpoint(note.decode())
    except (notes.InvalidNote, UnicodeDecodeError) as error:
        raise notes.InvalidNote(f"line {line}: {error}") from None
