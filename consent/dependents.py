"""What rests on a consent, and ends with it.

Rooms above this one (write-back, exports) cannot be called from here, so each names, once, the
function that ends what it built on a consent. `commands.revoke` calls all of them in its own
transaction. Each dependent checks again by itself at its next step, so a missed call delays
and never leaks.
"""

from collections.abc import Callable
from uuid import UUID

End = Callable[[UUID], int]  # takes the consent's id, says how many things it ended

_ends: dict[str, End] = {}


def register(kind: str, end: End) -> None:
    _ends[kind] = end


def registered() -> dict[str, End]:
    return dict(_ends)
