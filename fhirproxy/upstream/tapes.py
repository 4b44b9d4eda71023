"""Overhearing an EHR, and letting what was overheard answer in its place.

Both only inside a `with` of whoever wants it: nothing else that asks an EHR notices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from fhirproxy.messages import FhirRequest, FhirResponse, Params, Trouble, Upstream, UpstreamUnavailable

Exchange = tuple[FhirRequest, FhirResponse]


@dataclass(slots=True)
class Tape:
    """What was said between us and one EHR for one interaction."""

    at: datetime
    exchanges: list[Exchange] = field(default_factory=list)

    def send(self, request: FhirRequest) -> FhirResponse:
        """The EHR's answer, out of the tape. Raises UpstreamUnavailable for what was not asked then."""
        for asked, answer in self.exchanges:
            if _same(asked, request):
                return answer
        raise UpstreamUnavailable("the copy does not have it", Trouble.CONNECT)


@dataclass(frozen=True, slots=True)
class _Listening:
    upstream: Upstream
    tape: Tape

    def send(self, request: FhirRequest) -> FhirResponse:
        answer = self.upstream.send(request)
        self.tape.exchanges.append((request, answer))
        return answer


_RECORDING: ContextVar[Tape | None] = ContextVar("recording", default=None)
_REPLAYING: ContextVar[Tape | None] = ContextVar("replaying", default=None)


@contextmanager
def recording() -> Iterator[Tape]:
    """Inside, what EHRs answer to this thread is written down; `save` keeps it."""
    tape = Tape(timezone.now())
    token = _RECORDING.set(tape)
    try:
        yield tape
    finally:
        _RECORDING.reset(token)


@contextmanager
def replaying(tape: Tape) -> Iterator[None]:
    """Inside, EHRs over HTTP are not asked: the copy answers, and the log says how old it is."""
    token = _REPLAYING.set(tape)
    try:
        yield
    finally:
        _REPLAYING.reset(token)


def in_use() -> Tape | None:
    return _REPLAYING.get()


def age() -> int | None:
    """Seconds since the EHR said what is being let out; None where it says it just now."""
    tape = in_use()
    return int((timezone.now() - tape.at).total_seconds()) if tape else None


def listening(upstream: Upstream) -> Upstream:
    """The same EHR, overheard where somebody records."""
    tape = _RECORDING.get()
    return _Listening(upstream, tape) if tape else upstream


def _same(one: FhirRequest, other: FhirRequest) -> bool:
    (mine, since), (theirs, wanted) = from_when(one.query), from_when(other.query)
    same = (one.method, one.path, one.onward, mine) == (other.method, other.path, other.onward, theirs)
    return same and (since == wanted or ("" < since <= wanted))


def from_when(params: Params) -> tuple[list[tuple[str, str]], str]:
    """(the search without its first day, that day). "The last two weeks" is a new search each day: what
    was found from an earlier day on has all that is wanted, and pages choose from it by themselves."""
    starts = [value[2:] for name, value in params if name == "date" and value.startswith("ge")]
    if len(starts) != 1:
        return sorted(params), ""
    rest = sorted((name, value) for name, value in params if value != f"ge{starts[0]}")
    return [*rest, ("date", "ge")], starts[0]
