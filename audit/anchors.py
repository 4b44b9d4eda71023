"""The anchor file: every checkpoint once more, outside the database, only ever appended to.

It is a list of signed notes with an empty line after each.
"""

import os
from collections.abc import Generator
from pathlib import Path

from audit import notes


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


def read(
    path: Path, verifier: notes.Verifier, length: int
) -> Generator[tuple[int, notes.TreeHead], None, None]:
    """(line number, tree head) of each checkpoint in the file's first `length` bytes, one at a time.

    A note that a power cut left half is passed over. Raises `notes.InvalidNote`, with the line,
    for one that does not verify.
    """
    if not length:
        return
    start = 0
    lines: list[bytes] = []
    origin = f"{verifier.name}\n".encode()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line == origin:
                start, lines = number, []
            lines.append(line)
            if line.startswith(notes.DASH.encode()) and line.endswith(b"\n"):
                yield start, _open(b"".join(lines), verifier, start)
                lines = []
            if file.tell() >= length:
                return


def _open(note: bytes, verifier: notes.Verifier, line: int) -> notes.TreeHead:
    try:
        return notes.open_checkpoint(note.decode(), verifier)
    except (notes.InvalidNote, UnicodeDecodeError) as error:
        raise notes.InvalidNote(f"line {line}: {error}") from None
