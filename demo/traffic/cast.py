"""Who is in the traffic: staff, patients, helpers and apps with rows in the database, and no records."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.contrib.auth.hashers import make_password

from accounts.models import Patient, RelatedPerson, StaffRole, User
from smart.models import Client

CLINICIANS, NIGHT, PATIENTS, HELPERS = 24, 4, 220, 16
PHONE_APPS, SERVER_APPS, SERVICES, DORMANT = 6, 3, 3, 3
PANEL = 40  # patients of one clinician


@dataclass(slots=True)
class Clinician:
    user: str  # "User/…"
    networks: list[str]
    hours: range
    days: frozenset[int]  # of the week, Monday is 0
    panel: list[str]
    pace: float  # patients on a usual day


@dataclass(slots=True)
class App:
    client: str  # "Client/…"
    networks: list[str]  # none: whatever network a phone has
    patients: list[str]
    volume: int = 0  # of a service: records in one export


@dataclass(slots=True)
class Cast:
    clinicians: list[Clinician] = field(default_factory=list)
    patients: dict[str, str] = field(default_factory=dict)  # "Patient/…" → "User/…"
    helpers: list[tuple[str, str]] = field(default_factory=list)  # "User/…", "Patient/…"
    phone_apps: list[App] = field(default_factory=list)
    server_apps: list[App] = field(default_factory=list)
    services: list[App] = field(default_factory=list)
    dormant: list[App] = field(default_factory=list)
    close: dict[str, tuple[str, str]] = field(default_factory=dict)  # kind → clinician, patient
    fresh: list[tuple[str, str]] = field(default_factory=list)  # helpers to come: "User/…", "Patient/…"


def make(chance: random.Random) -> Cast:
    """All rows anew. Their accounts have no password."""
    cast = Cast()
    people = _users("patient", PATIENTS)
    rows = Patient.objects.bulk_create(
        Patient(user=user, name=user.name, birth_date=date(chance.randint(1935, 2015), 6, 1))
        for user in people
    )
    cast.patients = {f"Patient/{row.pk}": f"User/{row.user_id}" for row in rows}
    patients = list(cast.patients)
    _staff(cast, chance, patients)
    _helpers(cast, chance, patients)
    _apps(cast, chance, patients)
    _close(cast, rows)
    return cast


def _users(kind: str, count: int) -> list[User]:
    closed = make_password(None)
    return User.objects.bulk_create(
        User(email=f"traffic-{kind}-{i}@demo.example", name=f"Traffic {kind} {i}", password=closed)
        for i in range(count)
    )


def _staff(cast: Cast, chance: random.Random, patients: Sequence[str]) -> None:
    users = _users("clinician", CLINICIANS)
    StaffRole.objects.bulk_create(StaffRole(user=user, role=StaffRole.Role.CLINICIAN) for user in users)
    for i, user in enumerate(users):
        night = i < NIGHT
        start = 19 if night else chance.choice((7, 8, 9))
        cast.clinicians.append(
            Clinician(
                user=f"User/{user.pk}",
                networks=["10.20.1.0/24"] + ([f"192.0.{i}.0/24"] if chance.random() < 0.5 else []),
                hours=range(start, start + (5 if night else 9)),
                days=frozenset(range(7)) if night else frozenset(range(5)),
                panel=chance.sample(patients, PANEL),
                pace=chance.uniform(7, 12),
            )
        )


def _helpers(cast: Cast, chance: random.Random, patients: Sequence[str]) -> None:
    users = _users("helper", HELPERS * 3)
    chosen = chance.sample(patients, len(users))
    for i, (user, patient) in enumerate(zip(users, chosen, strict=True)):
        RelatedPerson.objects.create(
            patient_id=patient.removeprefix("Patient/"),
            user=user,
            relationship="CHILD",
            status="confirmed",
            basis="choice",
        )
        (cast.helpers if i < HELPERS else cast.fresh).append((f"User/{user.pk}", patient))


def _apps(cast: Cast, chance: random.Random, patients: Sequence[str]) -> None:
    names = [*(f"phone-{i}" for i in range(PHONE_APPS)), *(f"server-{i}" for i in range(SERVER_APPS))]
    names += [*(f"service-{i}" for i in range(SERVICES)), *(f"dormant-{i}" for i in range(DORMANT))]
    Client.objects.bulk_create(
        Client(
            client_id=f"traffic-{name}",
            name=f"Traffic {name}",
            vendor="Traffic",
            status=Client.Status.ACTIVE,
            client_type="public" if name.startswith("phone") else "confidential",
            authorization_grant_type="authorization-code",
        )
        for name in names
    )
    groups = {"phone": cast.phone_apps, "server": cast.server_apps}
    groups |= {"service": cast.services, "dormant": cast.dormant}
    for i, name in enumerate(names):
        kind = name.partition("-")[0]
        groups[kind].append(
            App(
                client=f"Client/traffic-{name}",
                networks=[] if kind == "phone" else [f"198.51.{i}.0/24"],
                patients=chance.sample(patients, 15),
                volume=chance.randint(600, 1500),
            )
        )


def _close(cast: Cast, rows: Sequence[Patient]) -> None:
    """A clinician who is a patient here, one whose mother is, and two who are colleagues."""
    own, family, colleague, other = (each.user for each in cast.clinicians[8:12])
    for user, row in ((own, rows[0]), (other, rows[1])):
        Patient.objects.filter(pk=row.pk).update(user_id=user.removeprefix("User/"))
        cast.patients[f"Patient/{row.pk}"] = user
    RelatedPerson.objects.create(
        patient_id=rows[2].pk,
        user_id=family.removeprefix("User/"),
        relationship="CHILD",
        status="confirmed",
        basis="choice",
    )
    cast.close = {
        "own": (own, f"Patient/{rows[0].pk}"),
        "family": (family, f"Patient/{rows[2].pk}"),
        "colleague": (colleague, f"Patient/{rows[1].pk}"),
    }
    near = {patient for _, patient in cast.close.values()}
    for each in cast.clinicians:
        each.panel = [patient for patient in each.panel if patient not in near]


def first_monday(now: datetime) -> datetime:
    """Of this month: no month before has a place in the log."""
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start + timedelta(days=-start.weekday() % 7)
