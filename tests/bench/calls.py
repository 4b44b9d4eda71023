"""What one call costs in this process, and PostgreSQL with it; several kinds of call in turn."""

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.test import Client as Browser

from tests.bench.report import Report
from tests.bench.sizes import Sizes
from tests.bench.stack import Stack

FORM = "application/x-www-form-urlencoded"  # what clients send (RFC 6749, appendix B)
WARM_UP = 8  # calls before any counts: statements are prepared from the third on
Act = Callable[[], Any]


class Cost(NamedTuple):
    """CPU-ms of one call."""

    here: float
    database: float

    @property
    def sum(self) -> float:
        return self.here + self.database


def host() -> str:
    return urlsplit(settings.BASE_URL).netloc


@cache
def _browser() -> Browser:
    """One: each loads the middleware anew at its first request. It gets no cookie here."""
    return Browser(HTTP_HOST=host())


def post(path: str, body: Mapping[str, str], headers: dict[str, str] | None = None) -> HttpResponse:
    """As a client posts, through the whole middleware, in this process."""
    return _browser().post(path, urlencode(body), content_type=FORM, headers=headers)


def costs(
    stack: Stack, sizes: Sizes, report: Report, acts: Mapping[str, Act], count: int
) -> dict[str, list[Cost]]:
    """Of each act, in every round, all in turn, so that what else runs here meets them alike.

    The table tells the least.
    """
    for act in acts.values():
        for _ in range(WARM_UP):
            act()
    found: dict[str, list[Cost]] = {name: [] for name in acts}
    for _ in range(sizes.rounds):
        for name, act in acts.items():
            found[name].append(_one(stack, act, count))
    for name, rounds in found.items():
        least = min(rounds, key=lambda cost: cost.sum)
        report.rows.append(
            {"what": name, "ms": least.here, "ms of PostgreSQL": least.database, "calls": count}
        )
    return found


def _one(stack: Stack, act: Act, count: int) -> Cost:
    gc.collect()
    own, there = time.process_time(), stack.cpu()["postgres"]
    for _ in range(count):
        act()
    here = time.process_time() - own
    return Cost(here * 1e3 / count, (stack.cpu()["postgres"] - there) * 1e3 / count)


@contextmanager
def logged_to_nowhere() -> Iterator[None]:
    """Refusals are written, which costs what it costs, where nobody has to read them."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
    with Path(os.devnull).open("w") as nowhere:
        before = [(handler, handler.setStream(nowhere)) for handler in handlers]
        try:
            yield
        finally:
            for handler, stream in before:
                handler.setStream(stream or sys.stderr)
