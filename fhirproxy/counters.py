"""Counters that all web processes share, and none of them depends on.

Each process counts in its own memory and decides by that. In Valkey the processes tell each other:
a hash for each counter and window, in which each process writes its whole count under its own name. A
message that is lost, late or sent twice does no harm then, and the next one mends a flush. While
Valkey is silent, each process goes on with an equal share of what was left.
"""

import hashlib
import math
import os
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT = 0.05  # seconds that one call may wait for Valkey
PAUSE = 2.0  # seconds without calls after one that failed
STEP = 50  # a process speaks up after each fiftieth of a limit, so each may overshoot by as much
MOST = 50_000  # counters in memory

log = structlog.get_logger("chartkey.budgets")


class Counter(NamedTuple):  # made for each request, so no dataclass: it takes a quarter of the time
    """What is counted (`name`), of whom (`subject`), and how much of it a window of seconds takes."""

    name: str
    subject: str
    limit: int
    window: int


@dataclass(slots=True)
class _Count:
    """One counter in one window, as this process knows it."""

    phase: int  # windows of different counters end at different moments
    number: int = -1  # of the window, since 1970
    own: int = 0
    told: int = 0  # of `own`, as much as the others could hear
    others: int = 0
    noted: bool = False

    def at(self, number: int) -> "_Count":
        """Itself, emptied where another window has begun."""
        if number != self.number:
            self.number, self.own, self.told, self.others, self.noted = number, 0, 0, 0, False
        return self

    def is_news(self, limit: int) -> bool:
        return self.own - self.told >= max(1, limit // STEP)

    def is_full(self, limit: int, share_of: int) -> bool:
        """`share_of` is the number of processes among which what is left is divided."""
        left = limit - self.told - self.others
        return self.own + self.others >= limit or self.own - self.told >= max(1, left // share_of)


class Counters:
    """Counts for this process, and what the others of the same Valkey say. Safe to use by many threads.

    Raises nothing of Valkey's: whatever goes wrong there counts as silence.
    """

    def __init__(
        self,
        url: str,
        *,
        processes: int,
        timeout: float = TIMEOUT,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._valkey = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )
        self._processes, self._pause, self._clock = max(1, processes), pause, clock
        self._name = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], _Count] = {}
        self._silent_until = 0.0  # 0: Valkey answers; else no call before this monotonic moment

    def take(self, spending: Sequence[Counter], watching: Sequence[Counter] = ()) -> Counter | None:
        """Count one on each of `spending`; where one of all is full, count none and return that one."""
        counters = (*spending, *watching)
        now = self._clock()
        with self._lock:
            pairs = [(counter, self._count(counter, now)) for counter in counters]
        if any(count.is_news(counter.limit) for counter, count in pairs):
            self._exchange(pairs)
        share_of = self._processes if self._silent_until else 1
        with self._lock:
            for counter, count in pairs:
                if count.is_full(counter.limit, share_of):
                    return counter
            for _, count in pairs[: len(spending)]:
                count.own += 1
        return None

    def add(self, counter: Counter, amount: int = 1) -> None:
        """Count what has happened, full or not. The others hear of it with this process's next `take`."""
        with self._lock:
            self._count(counter).own += amount

    def seconds_left(self, counter: Counter) -> int:
        """Until the counter's window ends; one at least."""
        with self._lock:
            count = self._count(counter)
        ends_at = (count.number + 1) * counter.window - count.phase
        return max(1, math.ceil(ends_at - self._clock()))

    def note(self, counter: Counter) -> bool:
        """Whether this is the first note of the counter's window, by any process that can be heard."""
        with self._lock:
            count = self._count(counter)
            first, count.noted = not count.noted, True
        if not first:
            return False
        key = self._key(counter, count.number)
        answers = self._ask([("SET", f"{key}:noted", 1, "NX", "EX", 2 * counter.window)])
        return answers is None or bool(answers[0])

    def unnote(self, counter: Counter) -> None:
        """Take a note back: what it stood for did not come about."""
        with self._lock:
            count = self._count(counter)
            count.noted = False
        self._ask([("DEL", f"{self._key(counter, count.number)}:noted")])

    def _count(self, counter: Counter, now: float | None = None) -> _Count:
        """With the lock held."""
        key = counter.name, counter.subject
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= MOST:
                self._make_room()
            phase = zlib.crc32(counter.subject.encode()) % counter.window
            count = self._counts[key] = _Count(phase)
        return count.at(int((now or self._clock()) + count.phase) // counter.window)

    def _make_room(self) -> None:
        """The oldest half goes. What Valkey was told of it comes back from there as others' counts."""
        for key in list(self._counts)[: MOST // 2]:
            del self._counts[key]

    def _exchange(self, pairs: Sequence[tuple[Counter, _Count]]) -> None:
        """Tell the others what has grown here, and hear what they say of it."""
        with self._lock:
            untold = [(c, count, count.number, count.own) for c, count in pairs if count.own > count.told]
        me = f"{self._name}-{os.getpid()}"  # a fork is another process
        commands: list[tuple[Any, ...]] = []
        for counter, _, number, own in untold:
            key = self._key(counter, number)
            commands += [("HSET", key, me, own), ("EXPIRE", key, 2 * counter.window), ("HGETALL", key)]
        answers = self._ask(commands)
        if answers is None:
            return
        heard = [_sum_without(me, answer) for answer in answers[2::3]]
        with self._lock:
            for (_, count, number, own), others in zip(untold, heard, strict=True):
                if count.number == number:
                    count.told, count.others = own, others

    def _ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any] | None:
        """The answers, in one round trip; None for silence."""
        if not self._may_call():
            return None
        pipeline = self._valkey.pipeline(transaction=False)
        try:
            for command in commands:
                pipeline.execute_command(*command)
            answers = pipeline.execute()
        except (redis.RedisError, OSError) as error:
            if not self._silent_until:
                log.warning("budgets without valkey", service="valkey", reason=type(error).__name__)
            self._silent_until = time.monotonic() + self._pause
            return None
        if self._silent_until:
            self._silent_until = 0.0
            log.warning("budgets with valkey again", service="valkey")
        return answers

    def _may_call(self) -> bool:
        """In a silence only one call tries again; the others do not wait for it."""
        with self._lock:
            if not self._silent_until:
                return True
            now = time.monotonic()
            if now < self._silent_until:
                return False
            self._silent_until = now + self._pause
            return True

    def _key(self, counter: Counter, number: int) -> str:
        """Without a word of who is counted: Valkey is no place for that."""
        text = f"{counter.name}|{counter.subject}|{number}".encode()
        keyed = hashlib.blake2b(text, key=settings.SECRET_KEY.encode()[:64], digest_size=16)
        return f"chartkey:budget:{keyed.hexdigest()}"


def _sum_without(me: str, told: Any) -> int:
    """What the other processes say. Nonsense counts for nothing: it is no reason to refuse anybody."""
    try:
        return sum(max(0, int(count)) for name, count in told.items() if name != me.encode())
    except (AttributeError, TypeError, ValueError):
        return 0
