"""The misuse that is planted among ordinary days: of each kind several, strong and weak."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry
from consent.emergency_models import EmergencyAccess
from demo.traffic.cast import Cast, Clinician
from demo.traffic.ordinary import NIGHT_SHIFT, Day, entry, over_budget
from demo.traffic.writing import Event


@dataclass(frozen=True, slots=True)
class Planted:
    """One piece of misuse: what should find it, whose doing it is, and how much there is of it."""

    detector: str
    subject: str
    first_at: datetime
    last_at: datetime
    strength: str

    def told(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


Plant = Callable[["Misuse", Day, float], Iterator[Event]]
# How strong each instance is: in the unit of its plant, from hardly to plainly odd.
STRENGTHS: Mapping[str, Sequence[float]] = {
    "export-volume": (2, 3, 4, 6, 10),
    "read-volume": (2, 4, 8, 15),
    "many-patients": (18, 25, 35, 60),
    "denials": (14, 18, 25, 40, 80),
    "sensitive": (10, 14, 18, 30, 50),
    "new-network": (1, 1, 1, 1),
    "dormant-client": (1, 1, 1),
    "off-hours": (5, 9, 12, 20, 30),
    "close-record": (1, 1, 1),
    "break-glass": (30, 40, 500),
    "enumeration": (8, 12, 20, 40, 80),
    "refresh-reuse": (1, 1, 1),
    "helper-start": (20, 30, 45, 90),
    "budget": (3, 5, 8),
    "log": (1, 1),
}


class Misuse:
    """Plants each in one day of the last week, and keeps what was planted."""

    def __init__(self, cast: Cast, chance: random.Random) -> None:
        self.cast, self.chance = cast, chance
        self.planted: list[Planted] = []
        self._free = cast.clinicians[NIGHT_SHIFT:]
        chance.shuffle(self._free)
        self._subject = ""

    def plan(self, days: Sequence[int]) -> dict[int, list[tuple[str, int, float]]]:
        """Day → what is planted on it. By the working days, since on others clinicians are away."""
        plan: dict[int, list[tuple[str, int, float]]] = {day: [] for day in days}
        for name, strengths in STRENGTHS.items():
            for number, strength in enumerate(strengths):
                plan[self.chance.choice(days)].append((name, number, strength))
        return plan

    def plant(self, day: Day, name: str, number: int, strength: float) -> list[Event]:
        events = sorted(PLANTS[name](self, day, number, strength), key=lambda event: event.at)
        times = [event.at for event in events]
        self.planted.append(Planted(name, self._subject, times[0], times[-1], f"{strength:g}"))
        return events

    def doctor(self) -> Clinician:
        """One who does nothing else that is odd, as long as there are such."""
        who = self._free.pop(0)
        self._free.append(who)
        self._subject = who.user
        return who

    def export(self, day: Day, number: int, times: float) -> Iterator[Event]:
        service = self.cast.services[number % len(self.cast.services)]
        self._subject = service.client
        yield from day.export(service, times)

    def volume(self, day: Day, number: int, times: float) -> Iterator[Event]:
        app = self.cast.server_apps[number % len(self.cast.server_apps)]
        self._subject = app.client
        for _ in range(round(60 * times)):
            patient = self.chance.choice(app.patients)
            read = self.of_app(app.client, patient, count=self.chance.randint(3, 10))
            yield Event(day.at(13), read, app.networks[0])

    def patients(self, day: Day, number: int, many: float) -> Iterator[Event]:
        who = self.doctor()
        for patient in self.chance.sample(list(self.cast.patients), round(many)):
            if patient not in {near for _, near in self.cast.close.values()}:
                yield Event(
                    day.at(self.chance.choice(who.hours)), day.treat(who.user, patient), who.networks[0]
                )

    def denials(self, day: Day, number: int, many: float) -> Iterator[Event]:
        app = (self.cast.phone_apps + self.cast.server_apps)[number]
        self._subject, start = app.client, day.at(11).replace(minute=2)
        for _ in range(round(many)):
            read = self.of_app(app.client, self.chance.choice(app.patients), denied="consent.category")
            yield Event(self.soon(start), read, "100.64.7.0/24")

    def sensitive(self, day: Day, number: int, many: float) -> Iterator[Event]:
        who = self.doctor()
        for _ in range(round(many)):
            patient = self.chance.choice(who.panel[:12])
            read = entry(EventType.RECORD_READ, who.user, Role.CLINICIAN, patient, categories=("notes",))
            yield Event(day.at(self.chance.choice(who.hours)), read, who.networks[0])

    def network(self, day: Day, number: int, _: float) -> Iterator[Event]:
        who, network = self.doctor(), f"185.9.{number}.0/24"
        at = day.at(who.hours[2])
        yield Event(at, day.treat(who.user, self.chance.choice(who.panel)), network)

    def dormant(self, day: Day, number: int, _: float) -> Iterator[Event]:
        app = self.cast.dormant[number]
        self._subject = app.client
        for patient in app.patients[:5]:
            yield Event(day.at(4), self.of_app(app.client, patient), app.networks[0])

    def off_hours(self, day: Day, number: int, many: float) -> Iterator[Event]:
        who, start = self.doctor(), day.at(3).replace(minute=2)
        for _ in range(round(many)):
            yield Event(self.soon(start), day.treat(who.user, self.chance.choice(who.panel)), who.networks[0])

    def close(self, day: Day, number: int, _: float) -> Iterator[Event]:
        self._subject, patient = self.cast.close[("own", "family", "colleague")[number]]
        yield Event(day.at(11), day.treat(self._subject, patient), "10.20.1.0/24")

    def emergency(self, day: Day, number: int, hours: float) -> Iterator[Event]:
        who = self.doctor()
        view = emergency(day.at(9), who.user, self.chance.choice(list(self.cast.patients)), hours)
        self._subject = f"EmergencyAccess/{view.pk}"
        yield opened(view)

    def guesses(self, day: Day, number: int, many: float) -> Iterator[Event]:
        """Every other one without a token that we know."""
        start = day.at(14).replace(minute=2)
        app = self.cast.phone_apps[number % len(self.cast.phone_apps)]
        network = f"185.77.{number}.0/24"
        self._subject = f"Network/{network}" if number % 2 else app.client
        for _ in range(round(many)):
            missed = self.of_app(app.client, self.chance.choice(app.patients), denied="record.not-found")
            if number % 2:
                missed = Entry(
                    type=EventType.RECORD_REFUSE,
                    outcome=Outcome.DENY,
                    actor=ANONYMOUS,
                    reasons=("token.unknown",),
                )
            yield Event(self.soon(start), missed, network)

    def replay(self, day: Day, number: int, _: float) -> Iterator[Event]:
        app = self.cast.phone_apps[number]
        self._subject = app.client
        refused = Entry(
            type=EventType.TOKEN_REFUSE,
            outcome=Outcome.DENY,
            actor=app.client,
            role=Role.CLIENT,
            client=app.client,
            patient=app.patients[0],
            reasons=("token.replayed",),
        )
        yield Event(day.at(16), refused, "185.3.3.0/24")

    def helper(self, day: Day, number: int, looks: float) -> Iterator[Event]:
        user, patient = self.cast.fresh[-1 - number]
        self._subject = user
        yield from day.begin_to_help(user, patient, round(looks))

    def budget(self, day: Day, number: int, many: float) -> Iterator[Event]:
        app = self.cast.phone_apps[-1 - number]
        self._subject = app.client
        for _ in range(round(many)):
            yield Event(day.at(self.chance.choice(range(9, 12))), over_budget(app), "100.64.3.0/24")

    def log(self, day: Day, number: int, _: float) -> Iterator[Event]:
        self._subject = "System/log"
        late = Entry(
            type=EventType.FAULT_REPORT,
            outcome=Outcome.FAILED,
            actor="System/audit",
            role=Role.SYSTEM,
            target="System/audit",
            reasons=(("log.late", "log.broken")[number],),
        )
        yield Event(day.at(8), late)

    def of_app(self, client: str, patient: str, denied: str = "", **more: Any) -> Entry:
        said: dict[str, Any] = {"client": client, "purpose": "PATRQT"} | more
        return entry(EventType.RECORD_SEARCH, client, Role.CLIENT, patient, denied, **said)

    def soon(self, start: datetime) -> datetime:
        """Within some fifty minutes, so that one hour of the clock has all of it."""
        return start.replace(second=0, microsecond=0) + timedelta(seconds=self.chance.uniform(0, 3000))


def emergency(at: datetime, user: str, patient: str, hours: float) -> EmergencyAccess:
    """A view that is reviewed after so many hours."""
    return EmergencyAccess.objects.create(
        user_id=user.removeprefix("User/"),
        patient_id=patient.removeprefix("Patient/"),
        why="life",
        text="Made-up traffic.",
        on_team=False,
        opened_at=at,
        ends_at=at + timedelta(minutes=15),
        verdict="confirmed",
        reviewed_at=at + timedelta(hours=hours),
        reviewed_by_id=user.removeprefix("User/"),
        note="Made-up traffic.",
    )


def opened(view: EmergencyAccess) -> Event:
    said = Entry(
        type=EventType.EMERGENCY_OPEN,
        outcome=Outcome.PERMIT,
        actor=f"User/{view.user_id}",
        role=Role.CLINICIAN,
        patient=f"Patient/{view.patient_id}",
        purpose="ETREAT",
        target=f"EmergencyAccess/{view.pk}",
    )
    return Event(view.opened_at, said, "10.20.1.0/24")


PLANTS: Mapping[str, Callable[[Misuse, Day, int, float], Iterator[Event]]] = {
    "export-volume": Misuse.export,
    "read-volume": Misuse.volume,
    "many-patients": Misuse.patients,
    "denials": Misuse.denials,
    "sensitive": Misuse.sensitive,
    "new-network": Misuse.network,
    "dormant-client": Misuse.dormant,
    "off-hours": Misuse.off_hours,
    "close-record": Misuse.close,
    "break-glass": Misuse.emergency,
    "enumeration": Misuse.guesses,
    "refresh-reuse": Misuse.replay,
    "helper-start": Misuse.helper,
    "budget": Misuse.budget,
    "log": Misuse.log,
}
