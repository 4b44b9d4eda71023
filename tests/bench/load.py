"""Requests over HTTP, by processes and threads of their own, each with one connection that it keeps.

`start` and `finish` are for the bench; the processes run this module, are told what to do in one line of
JSON, and go on until their time is over or their standard input ends. All clocks are CLOCK_MONOTONIC, which
is the same in every process of a machine.
"""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from config.supervisor.children import ROOT

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET, again and again. `key` is what its answers are counted under."""

    path: str
    token: str = ""
    key: str = ""


@dataclass(slots=True)
class Answers:
    statuses: dict[str, Counter[int]] = field(default_factory=dict)  # by key; 0: no answer
    served: dict[str, list[float]] = field(default_factory=dict)  # by key: when those answered 200 began
    milliseconds: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(count.total() for count in self.statuses.values())

    @property
    def others(self) -> int:
        """Answers that are not 200."""
        return sum(count.total() - count[200] for count in self.statuses.values())

    def note(self, key: str, status: int, began: float) -> None:
        self.statuses.setdefault(key, Counter())[status] += 1
        self.milliseconds.append((time.monotonic() - began) * 1000)
        if status == 200:
            self.served.setdefault(key, []).append(began)

    def add(self, other: "Answers") -> None:
        for key, count in other.statuses.items():
            self.statuses.setdefault(key, Counter()).update(count)
        for key, times in other.served.items():
            self.served.setdefault(key, []).extend(times)
        self.milliseconds += other.milliseconds


def run(port: int, asks: Sequence[Ask], *, threads: int, seconds: float, processes: int = 1) -> Answers:
    """Read for that long; the answers of all `threads`, which are shared out among the processes."""
    return finish(start(port, asks, threads=threads, processes=processes, seconds=seconds))


def start(
    port: int, asks: Sequence[Ask], *, threads: int, processes: int = 1, seconds: float = 0.0
) -> list[subprocess.Popen[str]]:
    """Let them begin. Without `seconds` they go on until `finish`."""
    clients = []
    for number in range(processes):
        # Each thread keeps to its share of the asks; where they are fewer than threads, to one of them.
        share = list(asks[number::processes] if len(asks) >= threads else asks)
        count = threads // processes + (number < threads % processes)
        job = {"port": port, "threads": count, "seconds": seconds, "asks": [asdict(a) for a in share]}
        client = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert client.stdin
        client.stdin.write(json.dumps(job) + "\n")
        client.stdin.flush()
        clients.append(client)
    return clients


def finish(clients: Iterable[subprocess.Popen[str]], *, at_once: bool = False) -> Answers:
    """Wait for the end of their time, or tell them that it is over; what was under way is waited for."""
    clients, answers = list(clients), Answers()
    for client in clients:
        assert client.stdin
        if at_once:
            client.stdin.close()
    for client in clients:
        assert client.stdout
        said = json.loads(client.stdout.read())
        client.wait()
        assert client.stdin
        client.stdin.close()
        client.stdout.close()
        statuses = {k: Counter({int(s): n for s, n in c.items()}) for k, c in said["statuses"].items()}
        answers.add(Answers(statuses, said["served"], said["milliseconds"]))
    return answers


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of them does not exceed; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Reader(threading.Thread):
    """Asks for its share in turn until told to stop, on one connection."""

    def __init__(self, port: int, asks: Sequence[Ask], over: threading.Event) -> None:
        super().__init__()
        self.port, self.asks, self.over, self.answers = port, asks, over, Answers()

    def run(self) -> None:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        number = 0
        while not self.over.is_set():
            ask = self.asks[number % len(self.asks)]
            number += 1
            began = time.monotonic()
            self.answers.note(ask.key, _status(connection, ask), began)
        connection.close()


def _status(connection: http.client.HTTPConnection, ask: Ask) -> int:
    headers = {"Authorization": f"Bearer {ask.token}"} if ask.token else {}
    try:
        connection.request("GET", ask.path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request opens another
        return 0


def main() -> None:
    job = json.loads(sys.stdin.readline())
    asks, threads, over = [Ask(**ask) for ask in job["asks"]], job["threads"], threading.Event()
    shares = [asks[i::threads] or [asks[i % len(asks)]] for i in range(threads)]
    readers = [Reader(job["port"], share, over) for share in shares]
    for reader in readers:
        reader.start()
    if job["seconds"]:
        time.sleep(job["seconds"])
    else:
        sys.stdin.read()
    over.set()
    answers = Answers()
    for reader in readers:
        reader.join()
        answers.add(reader.answers)
    with contextlib.suppress(BrokenPipeError):
        json.dump({name: getattr(answers, name) for name in Answers.__slots__}, sys.stdout)


if __name__ == "__main__":
    main()
