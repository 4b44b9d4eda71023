"""Chunks that several processes look at, each at its own stretch of the log, in the log's order."""

import multiprocessing
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import django

from audit import chunks

STRETCH = 20_000  # entries that a process looks at before it is given others


@dataclass(frozen=True, slots=True)
class Beside:
    """What another process needs to read the same snapshot of the same log."""

    snapshot: str
    where: str
    next_xid: int
    keys: Sequence[tuple[bytes, datetime]]
    pauses: Sequence[int]


def chunks_of(beside: Beside, start: int, end: int, *, processes: int) -> Generator[chunks.Chunk, None, None]:
    """As `chunks.Reader.chunks`, by so many processes; at most two stretches for each wait in memory."""
    waiting: deque[Future[list[chunks.Chunk]]] = deque()
    begins = iter(range(start, end, STRETCH))
    # New programs, not forks of this one: it may have threads and open connections.
    new = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=new, initializer=django.setup)
    try:
        while True:
            while len(waiting) < 2 * processes and (begin := next(begins, None)) is not None:
                waiting.append(pool.submit(stretch, beside, begin, min(begin + STRETCH, end)))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def stretch(beside: Beside, start: int, end: int) -> list[chunks.Chunk]:
    """In the other process."""
    reader = chunks.Reader(beside.next_xid, beside.keys)
    return list(reader.chunks(beside.snapshot, start, end, beside.pauses, beside.where))
