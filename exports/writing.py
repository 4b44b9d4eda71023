"""Append to a sealed file, so that a run that is killed goes on at the last point that was written down.

Whole segments are on disk; the end that fills none stands, sealed, in the file's row beside the count. What a
killed run wrote after that is cut off.
"""

import hashlib
import io
import os

from exports import files, sealing
from exports.models import ExportFile
from exports.sealing import SEALED, SEGMENT


class Lost(Exception):
    """What the row says is not on this disk: the job has to begin again."""


class Writer(io.RawIOBase):
    """Appends to `file`; nothing counts before `mark()` and the saving of the row."""

    def __init__(self, file: ExportFile, wrapped_key: str) -> None:
        """Raises Lost, and sealing.Destroyed."""
        self.file = file
        self._box = sealing.box(wrapped_key, file.job_id, file.id)
        self._hash, self._size = hashlib.sha256(), file.size
        self._index = file.size // SEGMENT
        self._out = files.append(file)
        if os.fstat(self._out.fileno()).st_size < self._index * SEALED:
            self.close()
            raise Lost
        self._begun = bytearray(self._replay())

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._hash.update(data)
        self._begun += data
        if len(self._begun) >= SEGMENT:
            self._write_segments()
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def mark(self) -> None:
        """Bring the row up to what is written; the caller saves it."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self.file.size = self._size
        self.file.tail = self._box.seal(bytes(self._begun), self._index)

    def end(self) -> None:
        """Write the last segment: the file is whole. The caller saves the row."""
        self._out.write(self._box.seal(bytes(self._begun), self._index, is_last=True))
        self._out.flush()
        os.fsync(self._out.fileno())
        self.file.size, self.file.tail = self._size, b""
        self.file.sha256 = self._hash.hexdigest()

    def close(self) -> None:
        if not self.closed and hasattr(self, "_out"):
            self._out.close()
        super().close()

    def _write_segments(self) -> None:
        whole = len(self._begun) // SEGMENT * SEGMENT
        view = memoryview(self._begun)[:whole]
        for start in range(0, whole, SEGMENT):
            self._out.write(self._box.seal(view[start : start + SEGMENT], self._index))
            self._index += 1
        view.release()
        del self._begun[:whole]

    def _replay(self) -> bytes:
        """Read what counts, for its hash; cut off the rest; return the begun end."""
        with files.path(self.file).open("rb") as there:
            for index in range(self._index):
                self._hash.update(self._box.open(there.read(SEALED), index))
        self._out.truncate(self._index * SEALED)
        self._out.seek(self._index * SEALED)
        begun = self._box.open(bytes(self.file.tail), self._index) if self.file.tail else b""
        self._hash.update(begun)
        return begun


class Reader(io.RawIOBase):
    """The content of a file that is whole, from any place of it: one segment is opened at a time."""

    def __init__(self, file: ExportFile, wrapped_key: str) -> None:
        """Raises sealing.Destroyed where there is nothing to read."""
        self._box = sealing.box(wrapped_key, file.job_id, file.id)
        self._size, self._at = file.size, 0
        self._opened: tuple[int, bytes] = (-1, b"")
        self._sealed = files.sealed(file)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        index, start = divmod(self._at, SEGMENT)
        if self._at >= self._size:
            return 0
        part = self._segment(index)[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_sealed"):
            self._sealed.close()
        super().close()

    def _segment(self, index: int) -> bytes:
        if self._opened[0] != index:
            self._sealed.seek(index * SEALED)
            sealed = self._sealed.read(SEALED)
            is_last = index == self._size // SEGMENT
            self._opened = index, self._box.open(sealed, index, is_last=is_last)
        return self._opened[1]
