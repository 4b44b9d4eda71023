"""A usual day: clinicians at work, apps that refresh, exports at night, patients and helpers."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS, Entry
from demo.traffic.cast import App, Cast, Clinician
from demo.traffic.writing import Event

KINDS = ("test-results", "medicines", "visits", "conditions", "vital-signs", "allergies")
TYPES = ("Observation", "MedicationRequest", "Encounter", "Condition", "AllergyIntolerance")


class Day:
    """What happens on one day. `at` makes a random moment of an hour; beyond 24 is the next day."""

    def __init__(self, cast: Cast, chance: random.Random, start: datetime, number: int) -> None:
        self.cast, self.chance, self.start, self.number = cast, chance, start, number
        self.weekday = start.weekday()

    def at(self, hour: float) -> datetime:
        return self.start + timedelta(hours=hour, seconds=self.chance.uniform(0, 3599))

    def events(self) -> Iterator[Event]:
        for clinician in self.cast.clinicians:
            yield from self.clinician(clinician)
        for app in (*self.cast.phone_apps, *self.cast.server_apps):
            yield from self.app(app)
        for service in self.cast.services:
            yield from self.export(service)
        yield from self.people()
        yield from self.helpers()
        yield from self.noise()

    def clinician(self, who: Clinician) -> Iterator[Event]:
        on_call = self.chance.random() < 0.15
        if self.weekday not in who.days and not on_call:
            return
        hours = list(who.hours)
        if self.chance.random() < 0.06:  # stays longer
            hours += [hours[-1] + step for step in range(1, self.chance.randint(2, 4))]
        network = self.chance.choice(who.networks)
        if self.chance.random() < 0.002:  # from a hotel
            network = f"203.0.{self.chance.randint(0, 255)}.0/24"
        yield Event(self.at(hours[0] - 0.2), sign_in(who.user), network)
        seen = self.chance.sample(who.panel, max(3, round(self.chance.gauss(who.pace, 1.5))))
        for patient in seen:
            for _ in range(self.chance.randint(3, 6)):
                yield Event(self.at(self.chance.choice(hours)), self.treat(who.user, patient), network)
        if self.chance.random() < 0.2:  # a wrong link, a colleague's record that asks for a reason
            refused = entry(
                EventType.RECORD_READ, who.user, Role.CLINICIAN, seen[0], denied="record.not-found"
            )
            yield Event(self.at(self.chance.choice(hours)), refused, network)

    def treat(self, user: str, patient: str) -> Entry:
        kinds = ("notes",) if self.chance.random() < 0.06 else (self.chance.choice(KINDS),)
        count = self.chance.randint(1, 12)
        return entry(EventType.RECORD_SEARCH, user, Role.CLINICIAN, patient, categories=kinds, count=count)

    def app(self, app: App) -> Iterator[Event]:
        for patient in app.patients:
            for hour in self.chance.sample(range(6, 23), 2):
                network = app.networks[0] if app.networks else f"100.64.{self.chance.randint(0, 250)}.0/24"
                at = self.at(hour)
                yield Event(at, refresh(app.client, patient), network)
                for _ in range(2):
                    denied = "consent.category" if self.chance.random() < 0.03 else ""
                    read = entry(
                        EventType.RECORD_SEARCH,
                        app.client,
                        Role.CLIENT,
                        patient,
                        client=app.client,
                        purpose="PATRQT",
                        denied=denied,
                        categories=(self.chance.choice(KINDS),),
                        count=self.chance.randint(1, 10),
                    )
                    yield Event(at + timedelta(seconds=self.chance.uniform(1, 40)), read, network)

    def export(self, service: App, times: float = 1) -> Iterator[Event]:
        """At two in the night; `times` is how much of the usual."""
        share = service.volume * times * self.chance.uniform(0.8, 1.2) / len(service.patients)
        for patient in service.patients:
            given = entry(
                EventType.EXPORT_GIVE,
                service.client,
                Role.CLIENT,
                patient,
                client=service.client,
                purpose="HPAYMT",
                count=round(share),
                target="ExportJob/traffic",
            )
            yield Event(self.at(2), given, service.networks[0])

    def people(self) -> Iterator[Event]:
        for patient, user in self.cast.patients.items():
            if self.chance.random() > 0.15:
                continue
            hour = self.chance.choice((7, 12, 18, 19, 20, 21))
            network = f"100.64.{self.chance.randint(0, 250)}.0/24"
            for _ in range(self.chance.randint(2, 6)):
                kinds = (self.chance.choice((*KINDS, "notes")),)
                looked = entry(EventType.RECORD_SEARCH, user, Role.PATIENT, patient, purpose="PATRQT")
                yield (
                    Event(self.at(hour), looked, network)
                    if self.chance.random() < 0.97
                    else Event(
                        self.at(hour),
                        entry(
                            EventType.RECORD_READ,
                            user,
                            Role.PATIENT,
                            patient,
                            purpose="PATRQT",
                            denied="record.not-found",
                            categories=kinds,
                        ),
                        network,
                    )
                )

    def helpers(self) -> Iterator[Event]:
        for user, patient in self.cast.helpers:
            if self.chance.random() < 0.3:
                yield from self.help(user, patient, self.chance.randint(3, 9))
        if self.number % 2 == 0 and self.number // 2 < len(self.cast.fresh) - 6:
            user, patient = self.cast.fresh[self.number // 2]
            yield from self.begin_to_help(user, patient, self.chance.randint(5, 18))

    def begin_to_help(self, user: str, patient: str, looks: int) -> Iterator[Event]:
        confirmed = Entry(
            type=EventType.HELPER_CONFIRM,
            outcome=Outcome.DONE,
            actor=self.cast.patients[patient],
            role=Role.PATIENT,
            patient=patient,
            target="RelatedPerson/1",
            detail={"about": user},
        )
        yield Event(self.start + timedelta(hours=15), confirmed, "100.64.1.0/24")
        yield from self.help(user, patient, looks)

    def help(self, user: str, patient: str, looks: int) -> Iterator[Event]:
        for _ in range(looks):
            looked = entry(
                EventType.RECORD_SEARCH,
                user,
                Role.HELPER,
                patient,
                purpose="FAMRQT",
                categories=(self.chance.choice(KINDS),),
            )
            yield Event(self.at(self.chance.choice((18, 19, 20))), looked, "100.64.9.0/24")

    def noise(self) -> Iterator[Event]:
        """Old tokens, an app over its budget, a colleague who is treated with good reason."""
        for _ in range(self.chance.randint(0, 5)):
            network = f"100.64.{self.chance.randint(0, 250)}.0/24"
            unknown = Entry(
                type=EventType.RECORD_REFUSE,
                outcome=Outcome.DENY,
                actor=ANONYMOUS,
                reasons=("token.unknown",),
            )
            yield Event(self.at(self.chance.randint(0, 22)), unknown, network)
        if self.chance.random() < 0.3:
            app = self.chance.choice(self.cast.phone_apps)
            for _ in range(self.chance.randint(1, 2)):
                yield Event(self.at(self.chance.randint(8, 20)), over_budget(app), "100.64.3.0/24")
        if self.chance.random() < 0.12:
            _, patient = self.cast.close["colleague"]
            doctor = self.chance.choice(self.cast.clinicians[NIGHT_SHIFT:])
            yield Event(self.at(10), self.treat(doctor.user, patient), doctor.networks[0])


NIGHT_SHIFT = 12  # those before are night staff, or close to somebody


def entry(type: EventType, actor: str, role: Role, patient: str, denied: str = "", **more: Any) -> Entry:
    """A read, a search or a part of an export, let out or (`denied`) refused."""
    said: dict[str, Any] = {"interaction": "search-type", "purpose": "TREAT", "count": 1} | more
    if denied:
        said |= {"reasons": (denied,), "count": None}
    outcome = Outcome.DENY if denied else Outcome.PERMIT
    said.setdefault("resource_types", ("Observation",))
    return Entry(type=type, outcome=outcome, actor=actor, role=role, patient=patient, **said)


def sign_in(user: str) -> Entry:
    return Entry(type=EventType.SESSION_START, outcome=Outcome.PERMIT, actor=user, role=Role.CLINICIAN)


def refresh(client: str, patient: str) -> Entry:
    return Entry(
        type=EventType.TOKEN_REFRESH,
        outcome=Outcome.DONE,
        actor=client,
        role=Role.CLIENT,
        client=client,
        patient=patient,
    )


def over_budget(app: App) -> Entry:
    return Entry(
        type=EventType.BUDGET_EXCEED,
        outcome=Outcome.DENY,
        actor=app.client,
        role=Role.CLIENT,
        client=app.client,
        reasons=("budget.requests",),
    )
