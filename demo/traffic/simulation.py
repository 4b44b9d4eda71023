"""Weeks of traffic from one seed, day by day, with what was planted in the last of them."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from demo.traffic import cast as casting
from demo.traffic.cast import Cast
from demo.traffic.misuse import Misuse, Planted, emergency, opened
from demo.traffic.ordinary import Day
from demo.traffic.writing import Event, write

WEEK = 7
LEAST_DAYS = 36  # an app must be quiet for 30 days before it can wake up


class Simulation:
    """`days` from `start` (midnight of a Monday) on; misuse on the working days after the last week began."""

    def __init__(self, seed: int, start: datetime, days: int = LEAST_DAYS + 4) -> None:
        if days < LEAST_DAYS:
            raise ValueError(f"It takes {LEAST_DAYS} days.")
        self.chance = random.Random(seed)
        self.start, self.days = start, days
        self.cast: Cast = casting.make(self.chance)
        self.misuse = Misuse(self.cast, self.chance)
        self.evaluated_from = start + timedelta(days=days - WEEK)

    @property
    def planted(self) -> list[Planted]:
        return self.misuse.planted

    def run(self) -> Iterator[int]:
        """Write each day; yields how many events it had."""
        last = range(self.days - WEEK, self.days)
        plan = self.misuse.plan([day for day in last if (self.start + timedelta(days=day)).weekday() < 5])
        for number in range(self.days):
            day = Day(self.cast, self.chance, self.start + timedelta(days=number), number)
            events = [*day.events(), *self._first_day(day), *self._emergencies(day)]
            for name, instance, strength in plan.get(number, ()):
                events += self.misuse.plant(day, name, instance, strength)
            yield write(events)

    def _first_day(self, day: Day) -> Iterator[Event]:
        """What the apps did that sleep from then on."""
        for app in self.cast.dormant if day.number == 0 else ():
            for patient in app.patients[:5]:
                yield Event(day.at(10), self.misuse.of_app(app.client, patient), app.networks[0])

    def _emergencies(self, day: Day) -> Iterator[Event]:
        """Every third day one that is reviewed in time."""
        if day.number % 3 == 0:
            who = self.chance.choice(self.cast.clinicians)
            patient = self.chance.choice(list(self.cast.patients))
            hours = min(23, self.chance.expovariate(1 / 8))
            yield opened(emergency(day.at(9), who.user, patient, hours))
