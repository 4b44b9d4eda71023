"""What a file is, by its own bytes. Its name, and what a browser calls it, say nothing."""

import struct
import zlib
from collections.abc import Callable, Mapping

MARKS_WITHOUT_SIZE = frozenset({0x01, *range(0xD0, 0xD8)})
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF: how wide and high the picture is
SCAN, END = 0xDA, b"\xff\xd9"
TAIL = 2048  # bytes at the end of a PDF among which its trailer stands


class NotAPaper(ValueError):
    """Neither a PDF nor a picture, or one that is cut short."""


def media_type(content: bytes) -> str:
    """ "application/pdf", "image/jpeg" or "image/png". Raises NotAPaper for anything else.

    The frame of a file is gone through, and not only its first bytes; what a picture shows is not decoded.
    """
    for kind, is_one in KINDS.items():
        if is_one(content):
            return kind
    raise NotAPaper


def _is_pdf(content: bytes) -> bool:
    """ISO 32000-1, 7.5: a header, and a trailer that says where its table is."""
    tail = content[-TAIL:]
    return content.startswith((b"%PDF-1.", b"%PDF-2.")) and b"startxref" in tail and b"%%EOF" in tail


def _is_png(content: bytes) -> bool:
    """Each chunk has its checksum; the first says the size, the last is the end."""
    place, names = 8, list[bytes]()
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return False
    while place + 12 <= len(content) and (not names or names[-1] != b"IEND"):
        (size,) = struct.unpack_from(">I", content, place)
        body = content[place + 4 : place + 8 + size]
        check = content[place + 8 + size : place + 12 + size]
        if len(check) < 4 or zlib.crc32(body) != int.from_bytes(check):
            return False
        names.append(body[:4])
        place += 12 + size
    return names[:1] == [b"IHDR"] and b"IDAT" in names and names[-1] == b"IEND"


def _is_jpeg(content: bytes) -> bool:
    """Segments up to the first scan, one of which says the size, and an end behind it (ITU-T T.81, B)."""
    place, is_sized = 2, False
    if not content.startswith(b"\xff\xd8\xff"):
        return False
    while place + 4 <= len(content) and content[place] == 0xFF:
        mark = content[place + 1]
        if mark == 0xFF or mark in MARKS_WITHOUT_SIZE:  # filling, or a mark alone
            place += 1 if mark == 0xFF else 2
            continue
        if mark == SCAN:
            return is_sized and END in content[place:]
        if mark in FRAMES:
            is_sized = all(struct.unpack_from(">HH", content.ljust(place + 9, b"\0"), place + 5))
        place += 2 + int.from_bytes(content[place + 2 : place + 4])
    return False


KINDS: Mapping[str, Callable[[bytes], bool]] = {
    "application/pdf": _is_pdf,
    "image/jpeg": _is_jpeg,
    "image/png": _is_png,
}
