"""What the person at the terminal sees and says: progress lines, trouble with its cure, Ctrl-C."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


class Trouble(Exception):
    """The run cannot go on; the message is for the person at the terminal, with the cure."""


class Stopped(Exception):
    """Ctrl-C, or a polite kill, while everything was being started."""


def say(line: str = "") -> None:
    # a terminal that went away must not keep the children from being stopped
    with contextlib.suppress(OSError):
        print(line, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is going on when it takes longer than a second, and how long it took."""
    began, done = time.monotonic(), threading.Event()

    def tick() -> None:
        if not done.wait(1):
            say(f"  {title} ...")
        while not done.wait(10):
            say(f"  {title} ... {time.monotonic() - began:.0f} s")

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
    say(f"  {title}: {time.monotonic() - began:.1f} s")


@dataclass
class Signals:
    """Counts SIGINT, SIGTERM and SIGHUP: the first stops everything in order, a second at once."""

    count: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, *_: object) -> None:
        self.count += 1
        self.arrived.set()

    def raise_if_arrived(self) -> None:
        if self.count:
            raise Stopped

    def in_a_hurry(self) -> bool:
        return self.count > 1
