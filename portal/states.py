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
class SourceState:
    """How one EHR answered for a page: fresh, stale, partial or error."""

    name: str
    kind: Kind
    at: datetime | None = None  # stale, or partial with copies: when it said what is shown
    missing: tuple[str, ...] = ()  # partial: the names of the parts that it did not give


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What `{% state %}` shows. Which of the fields are read depends on the kind."""

    kind: Kind
    at: datetime | None = None  # when the records were last read from their source
    source: str = ""  # whose records: the name of a clinic
    missing: tuple[str, ...] = ()  # partial: the names of the parts that did not load
    sources: tuple[SourceState, ...] = ()  # where there are several EHRs, or an older answer is shown
    heading: str = ""  # empty, pending, error: what is not there, what waits, what failed
    text: str = ""  # and one sentence more
    count: int = 0  # withheld: how many items, where saying so is allowed
    retry: str = ""  # an address that tries again
    reference: str = ""  # error: what to read out on the phone

    @property
    def is_whole(self) -> bool:
        """Whether all EHRs answered, so that nothing found is an answer."""
        return self.kind == Kind.FRESH

    @property
    def troubled(self) -> tuple[SourceState, ...]:
        """The EHRs of which a page must say something."""
        return tuple(source for source in self.sources if source.kind != Kind.FRESH)
