"""Whether a window of use is odd, against a baseline. Pure: no clock, no I/O."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

from compliance.monitoring.baselines import Baseline, hour_of_week

TABLE = Path(__file__).with_name("detectors.toml")
MOST_TUNED = (0.5, 2.0)  # feedback moves a limit so far and no further
LOOSER, TIGHTER = 1.1, 0.95  # for one alert that was nothing; for one that was something


class How(StrEnum):
    ABOVE = "above"
    EACH = "each"
    HOURS = "hours"
    STATE = "state"


class Against(StrEnum):
    """What a window was held against. Values are kept with the alert."""

    OWN = "own"
    PEERS = "peers"  # all others of its kind, where its own history is too short
    NOTHING = "nothing"  # no baseline yet: only a high limit is left
    RULE = "rule"  # it needs no baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One row of detectors.toml, which says what each field means."""

    name: str
    title: str
    severity: str
    measure: str
    kinds: frozenset[str]
    how: How
    says: str
    floor: int = 1
    factor: float = 1
    sigmas: float = 0
    alone: int = 0
    history: int = 0
    share: float = 0
    act: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What somebody did of one measure in one hour or day, and the newest events of it."""

    measure: str
    kind: str
    subject: str
    starts_at: datetime
    count: int
    about: str = ""
    events: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A window that is odd, and why. `mean` and `windows` are of the baseline, where there is one."""

    detector: Detector
    window: Window
    against: Against
    limit: int
    mean: float = 0
    windows: int = 0


def judge(
    detector: Detector, window: Window, own: Baseline | None, peers: Baseline | None, tuning: float = 1
) -> Finding | None:
    """Hold one window against what is known of its subject, or else of all subjects of its kind."""
    if window.kind not in detector.kinds or window.measure != detector.measure:
        return None
    if detector.how is How.EACH:
        return _found(detector, window, Against.RULE, detector.floor)
    against, baseline = _baseline(detector, own, peers)
    if detector.how is How.HOURS:
        return _at_an_odd_hour(detector, window, against, baseline)
    return _found(detector, window, against, limit_of(detector, baseline, tuning), baseline)


def limit_of(detector: Detector, baseline: Baseline | None, tuning: float = 1) -> int:
    """The most that is not odd; `tuning` is what feedback made of it (`tuning_of`)."""
    if baseline is None:
        return round(detector.alone * tuning)
    expected = max(detector.factor * baseline.mean, baseline.mean + detector.sigmas * baseline.deviation)
    return round(max(detector.floor, expected) * tuning)


def tuning_of(*, wrong: int, right: int) -> float:
    """What a limit is multiplied by, after so many alerts that were nothing and that were something."""
    least, most = MOST_TUNED
    return min(most, max(least, LOOSER**wrong * TIGHTER**right))


def _baseline(
    detector: Detector, own: Baseline | None, peers: Baseline | None
) -> tuple[Against, Baseline | None]:
    for against, baseline in ((Against.OWN, own), (Against.PEERS, peers)):
        if baseline and baseline.windows >= detector.history:
            return against, baseline
    return Against.NOTHING, None


def _found(
    detector: Detector, window: Window, against: Against, limit: int, baseline: Baseline | None = None
) -> Finding | None:
    enough = window.count >= limit if against is Against.RULE else window.count > limit
    if not enough:
        return None
    known = (baseline.mean, round(baseline.windows)) if baseline else (0.0, 0)
    return Finding(
        detector=detector, window=window, against=against, limit=limit, mean=known[0], windows=known[1]
    )


def _at_an_odd_hour(
    detector: Detector, window: Window, against: Against, baseline: Baseline | None
) -> Finding | None:
    """The hours beside it count as well: who stays a little longer is not odd."""
    if baseline is None:
        return None
    hour = hour_of_week(window.starts_at)
    near = sum(baseline.hours[(hour + step) % len(baseline.hours)] for step in (-1, 0, 1))
    if near > detector.share * baseline.windows:
        return None
    return _found(detector, window, against, detector.floor - 1, baseline)


@cache
def table() -> Mapping[str, Detector]:
    """Raises TypeError and ValueError for a row that is none."""
    rows = tomllib.loads(TABLE.read_text())
    return MappingProxyType(
        {
            name: Detector(name=name, **row | {"kinds": frozenset(row["kinds"]), "how": How(row["how"])})
            for name, row in rows.items()
        }
    )


def of_measure(measure: str) -> Iterable[Detector]:
    return (each for each in table().values() if each.measure == measure)
