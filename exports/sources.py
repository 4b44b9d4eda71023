"""What an export is made of: a source yields chunks, each with the position at which to go on after it.

The engine (`exports.runs`) knows no more of a source than this, so that people's downloads and clients' bulk
exports run alike: the same lease, the same files, the same way to go on after a worker was killed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from exports.models import ExportFile, ExportJob
from fhirproxy.exporting import Block

Position = Mapping[str, Any]  # JSON; only its source reads it


class Blocked(Exception):
    """Who asked may not have this any more: the decision changed while the files were made."""


class Unanswered(Exception):
    """A source did not answer: asked again later, and after that left out by name."""

    def __init__(self, gap: "Gap") -> None:
        super().__init__()
        self.gap = gap


class Later(Exception):
    """A source is not ready, and says when to ask again: in so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class Place(NamedTuple):
    """Which file of the job."""

    kind: str  # ExportFile.Kind
    resource_type: str
    number: int = 1
    is_private: bool = False

    @classmethod
    def of(cls, file: ExportFile) -> "Place":
        return cls(file.kind, file.resource_type, file.number, file.is_private)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines, decided with the consent of this moment, and where to go on behind them.

    All of them or none are written down, for whatever number of files: a client's are of many types at once.
    """

    lines: Mapping[Place, Sequence[bytes | Block]]  # a resource each, or many; without the last line's end
    position: Position
    is_first: bool = False  # its files begin anew with it: what was in them before is dropped
    is_last: bool = False  # its files are whole with it; else when the source has no more
    estimate: int | None = None  # of how many resources, where the source can tell


@dataclass(frozen=True, slots=True)
class Gap:
    """A file that cannot be made, and why in a word (`formats.about.Why`)."""

    place: Place
    why: str
    position: Position


class Source(Protocol):
    def __init__(self, job: ExportJob) -> None: ...

    def prepare(self) -> Position:
        """Where a run begins. Raises Blocked."""

    def chunks(self) -> Iterator[Chunk]:
        """From the job's position on. Raises Blocked and Unanswered."""

    def steps(self) -> tuple[int, int]:
        """How many steps are done, and of how many: what an estimate of time is made of."""

    def package(self) -> Sequence[ExportFile]:
        """Make what is handed out, and give it; the files that are not among it are deleted."""
