"""Keeps one EHR that hangs from taking every worker along: a bulkhead and a circuit breaker.

Our own, since the kept libraries do not fit threads: pybreaker holds its lock for as long as a call
takes, so that one EHR would be asked by one thread at a time; circuitbreaker lets every thread through
when it tries again; purgatory is for asyncio. None of them has a bulkhead.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fhirproxy.messages import Trouble, UpstreamUnavailable

FAILURES = 5  # in a row, and it is left alone
REST = 20.0  # seconds, then one may try


class Guard:
    """For one EHR, in this process."""

    def __init__(self, concurrency: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = threading.BoundedSemaphore(concurrency)
        self._lock = threading.Lock()
        self._clock = clock
        self._failures = 0
        self._rests_until = 0.0

    @property
    def resting(self) -> bool:
        return self._failures >= FAILURES

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One call. Nobody waits for it: raises UpstreamUnavailable where there is no room."""
        if not self._slots.acquire(blocking=False):
            raise UpstreamUnavailable("too many wait for it already", Trouble.BUSY, retry_after=5)
        try:
            self._may_try()
            yield
        finally:
            self._slots.release()

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._rests_until = self._clock() + REST

    def _may_try(self) -> None:
        """After a rest one call goes through, and the next only when that one has failed or REST is over."""
        with self._lock:
            if not self.resting:
                return
            left = self._rests_until - self._clock()
            if left > 0:
                raise UpstreamUnavailable("it failed too often", Trouble.RESTING, int(left) + 1)
            self._rests_until = self._clock() + REST
