"""One range of bytes (RFC 9110, 14). Several at once are answered with the whole, as a server may."""

import re

ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(Exception):
    """416: the file ends before it."""


def parse(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for the whole. Raises Unsatisfiable."""
    match = ONE.fullmatch(header.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= size:
        raise Unsatisfiable
    return start, end
