"""How fresh and how whole the records on a page are. One value, shown by `{% state %}` everywhere."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    PARTIAL = "partial"
    EMPTY = "empty"
    WITHHELD = "withheld"
    PENDING = "pending"
    ERROR = "error"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What `{% state %}` shows. Which of the fields are read depends on the kind."""

    kind: Kind
    at: datetime | None = None  # when the records were last read from their source
    source: str = ""  # whose records: the name of a clinic
    missing: tuple[str, ...] = ()  # partial: the names of the parts that did not load
    heading: str = ""  # empty, pending, error: what is not there, what waits, what failed
    text: str = ""  # and one sentence more
    count: int = 0  # withheld: how many items, where saying so is allowed
    retry: str = ""  # an address that tries again
    reference: str = ""  # error: what to read out on the phone
