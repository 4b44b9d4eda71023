"""All EHRs that a patient is linked to, asked side by side; how long a page waits for them.

Each question goes through the gate by itself. An EHR that does not answer costs a page its deadline,
and the next pages nothing: for a while they go straight to the last good copy.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextvars import copy_context
from typing import TypeVar

from django.conf import settings
from django.db import connections

from consent.requester import Requester
from fhirproxy.models import Source

T = TypeVar("T")
THREADS = 8  # for all pages of this process; each is busy for a page's deadline at most
GRACE = 0.5  # seconds after the deadline, for what came in time to be checked and written down
REST = 20.0  # seconds for which pages do not wait for an EHR again
_POOL = ThreadPoolExecutor(THREADS, thread_name_prefix="source")


class _Late:
    """EHRs that a page waited for in vain, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def note(self, slug: str) -> None:
        with self._lock:
            self._until[slug] = time.monotonic() + REST

    def rests(self, slug: str) -> bool:
        """After a rest one page waits again, and the next ones only once it had its answer."""
        with self._lock:
            until = self._until.get(slug, 0.0)
            if until and until <= time.monotonic():
                self._until[slug] = time.monotonic() + REST
                return False
            return bool(until)

    def answered(self, slug: str) -> None:
        with self._lock:
            self._until.pop(slug, None)

    def forget(self) -> None:
        with self._lock:
            self._until.clear()


late = _Late()


def linked(requester: Requester) -> list[Source]:
    """The EHRs in which the patient has an identity, the primary one first.

    Always the primary one, too: where the patient has nothing there, the gate answers with nothing.
    """
    primary = Source.primary()
    others = set(requester.identities) - {primary.slug}
    if not others:
        return [primary]
    return [primary, *Source.objects.filter(slug__in=others).order_by("slug")]


def deadline() -> float:
    """Until when this page may wait, by the monotonic clock."""
    return time.monotonic() + settings.PAGE_DEADLINE


def side_by_side(sources: Sequence[Source], work: Callable[[Source], T], until: float) -> list[T | None]:
    """What `work` gives for each, in order; None for one that was too late.

    One of them is worked on here: the one in this process, else the first.
    """
    here = next((s for s in sources if s.kind == Source.Kind.EMBEDDED), sources[0])
    away: dict[str, Future[T]] = {
        source.slug: _POOL.submit(copy_context().run, _with_own_connection, work, source)
        for source in sources
        if source is not here
    }
    found: dict[str, T | None] = {here.slug: work(here)}
    for slug, future in away.items():
        try:
            found[slug] = future.result(timeout=max(until + GRACE - time.monotonic(), 0))
        except TooLate:
            future.cancel()
            found[slug] = None
    return [found[source.slug] for source in sources]


def _with_own_connection(work: Callable[[Source], T], source: Source) -> T:
    """A thread has a database connection of its own, and gives it back."""
    try:
        return work(source)
    finally:
        connections.close_all()
