"""How well the detectors found what was planted: precision, recall and delay of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from compliance.monitoring.detectors import table
from compliance.monitoring.models import Alert
from demo.traffic.misuse import Planted

AFTER = timedelta(hours=48)  # so long after its end an alert is still about a piece of misuse


@dataclass(slots=True)
class Score:
    """`other` alerts are about misuse that was planted for another detector."""

    planted: int = 0
    found: int = 0
    alerts: int = 0
    right: int = 0
    other: int = 0
    delays: list[timedelta] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return self.alerts - self.right - self.other

    @property
    def precision(self) -> float | None:
        return (self.right + self.other) / self.alerts if self.alerts else None

    @property
    def recall(self) -> float | None:
        return self.found / self.planted if self.planted else None


def score(planted: Sequence[Planted], alerts: Sequence[Alert]) -> dict[str, Score]:
    """By detector. Several windows may have grown one alert, which then found several pieces of misuse."""
    scores = {name: Score() for name in table()}
    for piece in planted:
        own = scores[piece.detector]
        own.planted += 1
        hits = [a for a in alerts if a.detector == piece.detector and _is_about(a, piece)]
        if hits:
            own.found += 1
            own.delays.append(max(timedelta(), min(a.raised_at for a in hits) - piece.first_at))
    for alert in alerts:
        own = scores[alert.detector]
        own.alerts += 1
        about = {piece.detector for piece in planted if _is_about(alert, piece)}
        own.right += alert.detector in about
        own.other += bool(about) and alert.detector not in about
    return scores


def _is_about(alert: Alert, piece: Planted) -> bool:
    # Of everybody's use of an endpoint, or of the patients of a cohort, it is about whoever was odd then.
    of_all = alert.kind in ("endpoint", "cohort") and alert.detector == piece.detector
    same = alert.subject == piece.subject or of_all
    return same and alert.raised_at <= piece.last_at + AFTER and alert.found_at >= piece.first_at


def of_week(since: datetime) -> list[Alert]:
    return list(Alert.objects.filter(raised_at__gte=since).order_by("raised_at", "pk"))


def markdown(scores: dict[str, Score]) -> Iterable[str]:
    """The table of docs/monitoring.md."""
    yield "| Detector | Planted | Found | Recall | Alerts | Of it | Of other | False | Precision | Delay |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, own in [*scores.items(), ("all", _sum(scores.values()))]:
        delay = _told(median(d.total_seconds() for d in own.delays)) if own.delays else "–"
        yield (
            f"| {name} | {own.planted} | {own.found} | {_share(own.recall)} | {own.alerts} | {own.right} "
            f"| {own.other} | {own.wrong} | {_share(own.precision)} | {delay} |"
        )


def _sum(scores: Iterable[Score]) -> Score:
    total = Score()
    for own in scores:
        total.planted, total.found = total.planted + own.planted, total.found + own.found
        total.alerts, total.right = total.alerts + own.alerts, total.right + own.right
        total.other += own.other
        total.delays += own.delays
    return total


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _told(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 180 else f"{minutes / 60:.1f} h"
