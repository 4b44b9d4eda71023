"""What is usual: a mean, a spread and the hours of the week, of the windows in which there was anything.

Old windows weigh less: beyond MEMORY of them all are scaled down. A window far above what is usual is
learned as no more than CAP times the usual, so that an attack does not teach that it is one.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import sqrt

from django.utils import timezone

HOURS = 7 * 24
MEMORY = 500  # windows
MEMORY_OF_ALL = 100_000  # of what all subjects of a kind do
CAP = 3.0


def hour_of_week(at: datetime) -> int:
    """0 is Monday, from midnight on, in the site's time zone."""
    local = timezone.localtime(at)
    return local.weekday() * 24 + local.hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Sums over windows; `hours` counts the windows by hour of the week."""

    windows: float = 0
    total: float = 0
    squares: float = 0
    hours: tuple[float, ...] = (0.0,) * HOURS

    @property
    def mean(self) -> float:
        return self.total / self.windows if self.windows else 0.0

    @property
    def deviation(self) -> float:
        if not self.windows:
            return 0.0
        return sqrt(max(0.0, self.squares / self.windows - self.mean**2))

    def learn(self, at: datetime, count: int, memory: int = MEMORY) -> "Baseline":
        """With one window more."""
        value = float(count)
        if self.windows >= 3:
            value = min(value, max(CAP * self.mean, self.mean + CAP * self.deviation))
        hour = hour_of_week(at)
        hours = tuple(n + 1 if i == hour else n for i, n in enumerate(self.hours))
        grown = Baseline(
            windows=self.windows + 1,
            total=self.total + value,
            squares=self.squares + value**2,
            hours=hours,
        )
        return grown._scaled(memory / grown.windows) if grown.windows > memory else grown

    def _scaled(self, by: float) -> "Baseline":
        return replace(
            self,
            windows=self.windows * by,
            total=self.total * by,
            squares=self.squares * by,
            hours=tuple(n * by for n in self.hours),
        )
