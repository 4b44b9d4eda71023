"""Counters of several processes, and a Valkey that is there, gone, emptied, slow or talking nonsense (F6)."""

import os
import secrets
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
import redis

from config.embedded import start_valkey
from fhirproxy import counters
from fhirproxy.counters import Counter, Counters

MOMENT = 1_800_000_000.0
PATIENCE = 20.0  # seconds; long, so that a busy machine is not taken for a silent Valkey


class Clock:
    now = MOMENT

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    """One of this file's own, to be emptied, slowed and killed."""
    running = start_valkey(tmp_path_factory.mktemp("valkey"))
    yield running
    running.stop()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def process(valkey, clock):
    """process(processes=2) → what one of so many web processes counts with."""

    def start(processes: int = 2, url: str = "", **options) -> Counters:
        options = {"timeout": PATIENCE, "clock": clock} | options
        return Counters(url or valkey.url(), processes=processes, **options)

    return start


def counter(limit: int, name: str = "client.requests", window: int = 60) -> Counter:
    return Counter(name, secrets.token_hex(8), limit, window)


def step(counter: Counter) -> int:
    """By how much a process may overshoot."""
    return max(1, counter.limit // counters.STEP)


def taken(process: Counters, *spending: Counter, times: int = 1_000) -> int:
    return sum(process.take(spending) is None for _ in range(times))


def test_a_limit_is_taken_and_no_more(process):
    alone, ten = process(), counter(10)

    assert taken(alone, ten) == 10
    assert alone.take([ten]) == ten


def test_threads_of_a_process_do_not_overshoot(process):
    alone, limited, passed = process(), counter(200), []
    threads = [
        threading.Thread(target=lambda: passed.append(taken(alone, limited, times=50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(passed) == 200


@pytest.mark.parametrize(("limit", "processes"), [(10, 2), (300, 2), (300, 4), (1_000, 3)])
def test_processes_overshoot_by_no_more_than_a_step_each(process, limit, processes):
    limited = counter(limit)
    fleet = [process(processes) for _ in range(processes)]
    passed = sum(one.take([limited]) is None for _ in range(2 * limit) for one in fleet)

    assert limit <= passed <= limit + processes * step(limited)


def test_a_full_counter_spends_none_of_the_others(process):
    """One patient's noisy client must not use up what all patients of the client share."""
    alone, small, large = process(), counter(5), counter(20)
    taken(alone, small, large)

    assert taken(alone, large) == 15


def test_what_is_watched_refuses_and_is_not_counted(process):
    alone, requests, refusals = process(), counter(100), counter(3)
    assert [alone.take([requests], [refusals]) for _ in range(5)] == [None] * 5
    alone.add(refusals, 3)

    assert alone.take([requests], [refusals]) == refusals


def test_other_processes_hear_of_what_happened(process):
    """Resources are counted after they were let out, and told with the next request."""
    one, other = process(), process()
    requests, resources = counter(1_000), counter(500, "client.resources", 3_600)
    one.add(resources, 400)
    one.take([requests], [resources])
    other.add(resources, 100)

    assert other.take([requests], [resources]) == resources


def test_the_next_window_is_a_new_one(process, clock):
    alone, ten = process(), counter(10)
    taken(alone, ten)
    clock.now += alone.seconds_left(ten)

    assert taken(alone, ten) == 10


def test_seconds_left_lead_to_the_windows_end(process, clock):
    alone, ten = process(), counter(10)
    taken(alone, ten)
    wait = alone.seconds_left(ten)
    clock.now += wait - 1

    assert 1 <= wait <= 60
    assert alone.take([ten]) == ten
    assert alone.seconds_left(ten) == 1


def test_windows_of_different_counters_end_at_different_moments(process):
    """Else all that wait would come back in the same second."""
    alone = process()

    assert len({alone.seconds_left(counter(10)) for _ in range(50)}) > 10


def test_a_clock_that_jumps_back_locks_nobody_out(process, clock):
    """F12."""
    alone, ten = process(), counter(10)
    taken(alone, ten)
    clock.now -= 3_600

    assert taken(alone, ten) == 10


def test_one_note_for_a_window_and_all_processes(process, clock):
    one, other, ten = process(), process(), counter(10)

    assert [one.note(ten), one.note(ten), other.note(ten)] == [True, False, False]
    clock.now += 60
    assert [other.note(ten), one.note(ten)] == [True, False]


def test_a_note_can_be_taken_back(process):
    one, other, ten = process(), process(), counter(10)
    one.note(ten)
    one.unnote(ten)

    assert [other.note(ten), one.note(ten)] == [True, False]


def test_memory_is_bounded(process, monkeypatch):
    monkeypatch.setattr(counters, "MOST", 100)
    alone = process()
    for _ in range(1_000):
        alone.take([counter(10)])

    assert len(alone._counts) <= 100


def test_valkey_learns_neither_whom_nor_what(process, valkey):
    alone = process()
    limited = Counter("client.requests", "Client/glucotrack|0197-alice", 10, 60)
    taken(alone, limited)
    alone.note(limited)
    client = redis.Redis.from_url(valkey.url())
    stored = b" ".join(client.scan_iter())

    assert b"chartkey:budget:" in stored
    assert not [word for word in (b"glucotrack", b"alice", b"Client") if word in stored]
    assert all(0 < client.ttl(key) <= 7_200 for key in client.scan_iter())


# F6


def nobody(tmp_path: Path) -> str:
    return f"unix://{tmp_path}/nobody.sock"


def test_F6_without_valkey_each_process_keeps_to_its_share(process, tmp_path):
    alone, limited = process(4, nobody(tmp_path)), counter(100)

    assert taken(alone, limited) == 25


def test_F6_without_valkey_even_the_smallest_budget_lets_one_through(process, tmp_path):
    alone, limited = process(4, nobody(tmp_path)), counter(2)

    assert taken(alone, limited) == 1


def test_F6_without_valkey_a_note_is_written_rather_twice_than_never(process, tmp_path):
    one, other, ten = process(2, nobody(tmp_path)), process(2, nobody(tmp_path)), counter(10)

    assert [one.note(ten), one.note(ten), other.note(ten)] == [True, False, True]


def test_F6_when_valkey_goes_what_was_left_is_divided(process, tmp_path, clock):
    """Nobody is locked out for what they took before, and together they stay within the budget."""
    own = start_valkey(tmp_path / "v")
    fleet = [process(2, own.url()) for _ in range(2)]
    limited = counter(100)
    before = sum(one.take([limited]) is None for _ in range(20) for one in fleet)
    own.stop()
    after = [taken(one, limited) for one in fleet]

    assert before == 40
    assert all(20 <= count <= 30 + 2 * step(limited) for count in after)
    assert before + sum(after) <= 100 + 2 * step(limited)


def test_F6_a_restarted_valkey_is_heard_again(process, tmp_path):
    own = start_valkey(tmp_path / "v")
    one, other = (process(2, own.url(), pause=0.0) for _ in range(2))
    limited = counter(100)
    taken(one, limited, times=30)
    own.stop()
    taken(one, limited, times=10)
    own = start_valkey(tmp_path / "v")
    try:
        together = taken(one, limited, times=20) + taken(other, limited)
    finally:
        own.stop()

    assert 60 - 2 * step(limited) <= together <= 60 + 2 * step(limited)


def test_F6_a_flush_forgets_nothing_that_a_process_counted(process, valkey):
    one, other, limited = process(), process(), counter(100)
    before = taken(one, limited, times=50)
    redis.Redis.from_url(valkey.url()).flushall()
    after = taken(one, limited, times=20) + taken(other, limited)

    assert before + after <= 100 + 2 * step(limited)


def test_F6_a_valkey_that_hangs_is_waited_for_once(process, valkey):
    """Then it is left alone for a while, and each process keeps to its share."""
    impatient, limited = process(4, timeout=counters.TIMEOUT, pause=60.0), counter(100)
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        passed = taken(impatient, limited)
    finally:
        os.kill(valkey.pid, signal.SIGCONT)

    assert passed == 25
    assert impatient._silent_until > time.monotonic()


def test_F6_of_many_threads_only_one_tries_a_silent_valkey_again(process, tmp_path, monkeypatch):
    alone = process(2, nobody(tmp_path), pause=60.0)
    alone._silent_until = time.monotonic() - 1
    tries = [alone._may_call() for _ in range(10)]

    assert tries == [True] + [False] * 9


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda client, key: client.set(key, "not a hash"),
        lambda client, key: client.hset(key, "another", "not a number"),
        lambda client, key: client.hset(key, "another", "-1000000"),
        lambda client, key: client.hset(key, "another", "9" * 5_000),
    ],
)
def test_F6_nonsense_in_valkey_neither_locks_out_nor_opens(process, valkey, nonsense):
    alone, limited = process(2), counter(10)
    alone.take([limited])
    key = alone._key(limited, alone._count(limited).number)
    nonsense(redis.Redis.from_url(valkey.url()), key)
    passed = 1 + taken(alone, limited)

    assert 5 <= passed <= 10


def test_F6_something_else_that_answers_in_valkeys_place_is_silence(process, tmp_path):
    path = str(tmp_path / "other.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)

        def answer() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        alone, limited = process(2, f"unix://{path}", timeout=1.0, pause=60.0), counter(100)

        assert taken(alone, limited) == 50
