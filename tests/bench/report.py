"""What a part found: a table for people, JSON for machines, and whether it fails the run."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from config.supervisor.children import ROOT

LENIENCE = 1.5  # times a ratio's bar: machines are shared and noisy


class Kind(StrEnum):
    COUNT = "count"  # exact: over the bar fails
    RATIO = "ratio"  # of two measurements of one run: fails where it is far over the bar
    TIME = "time"  # milliseconds and microseconds of this machine: told, and fails nothing


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    value: float
    bar: float  # at most
    kind: Kind

    @property
    def met(self) -> bool:
        return self.value <= self.bar

    @property
    def fails(self) -> bool:
        if self.kind is Kind.TIME:
            return False
        return self.value > self.bar * (LENIENCE if self.kind is Kind.RATIO else 1)


Row = Mapping[str, str | float | int]


@dataclass(slots=True)
class Report:
    part: str
    title: str
    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, what: str, value: float, bar: float, kind: Kind) -> None:
        self.checks.append(Check(what, value, bar, kind))

    def failed(self, *, counts_only: bool) -> bool:
        return any(check.fails for check in self.checks if check.kind is Kind.COUNT or not counts_only)

    def text(self) -> str:
        lines = [f"\n{self.part}  {self.title}", *_table(self.rows)]
        for check in self.checks:
            verdict = "ok" if check.met else "FAILED" if check.fails else "over the bar"
            lines.append(
                f"  {_number(check.value):>10} of {_number(check.bar):<8} {verdict:<12} {check.what}"
            )
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def save(self, folder: Path, about: Mapping[str, object]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.part}.json"
        checks = [asdict(c) | {"met": c.met, "fails": c.fails} for c in self.checks]
        path.write_text(json.dumps({**about, **asdict(self), "checks": checks}, indent=1))
        return path


def about_this_run(sizes: object) -> dict[str, object]:
    """Where and when, so that a figure never stands alone."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} vCPU, {platform.machine()}, Python {platform.python_version()}",
        "load_average": os.getloadavg()[0],
        "sizes": asdict(sizes),
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def _table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_number(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    return ["  " + "  ".join(_pad(row[i], widths[i], i) for i in range(len(names))) for row in cells]


def _pad(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def _number(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
