"""What must be known around a batch of events, loaded at once: whose records, who is close, what was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from accounts.closeness import Close
from accounts.models import Patient, RelatedPerson, StaffRole
from accounts.relation_states import LIVING
from compliance.monitoring.models import Known


class APatient(NamedTuple):
    birth_date: date
    user: str  # "User/<id>", or empty


@dataclass(slots=True)
class Memory:
    first_at: datetime
    last_at: datetime
    changed: bool = False


Key = tuple[str, str]  # subject and fact


@dataclass(slots=True)
class Surroundings:
    patients: Mapping[str, APatient] = field(default_factory=dict)
    relations: frozenset[tuple[str, str]] = frozenset()  # helper ("User/…") and patient
    staff: frozenset[str] = frozenset()
    memories: dict[Key, dict[str, Memory]] = field(default_factory=dict)

    def close(self, actor: str, patient: str) -> Close | None:
        """As `accounts.closeness.close` says it, for many at once."""
        found = self.patients.get(patient)
        if found is None:
            return None
        if found.user == actor:
            return Close.OWN
        own = next((name for name, each in self.patients.items() if each.user == actor), "")
        if (actor, patient) in self.relations or (found.user and (found.user, own) in self.relations):
            return Close.FAMILY
        return Close.COLLEAGUE if found.user in self.staff else None

    def last(self, subject: str, fact: str, value: str, at: datetime) -> datetime | None:
        """When it was so the last time before, which is now `at`."""
        values = self.memories.setdefault((subject, fact), {})
        memory = values.get(value)
        if memory is None:
            values[value] = Memory(at, at, changed=True)
            return None
        before, memory.last_at, memory.changed = memory.last_at, max(at, memory.last_at), True
        return before

    def peek(self, subject: str, fact: str, value: str) -> datetime | None:
        memory = self.memories.get((subject, fact), {}).get(value)
        return memory.last_at if memory else None

    def first(self, subject: str, fact: str) -> datetime | None:
        """Since when anything is known of it."""
        return min((m.first_at for m in self.memories.get((subject, fact), {}).values()), default=None)

    def count(self, subject: str, fact: str) -> int:
        return len(self.memories.get((subject, fact), {}))

    def keep(self) -> None:
        """Write down what was learned, in one statement."""
        rows = [
            Known(subject=subject, fact=fact, value=value, first_at=memory.first_at, last_at=memory.last_at)
            for (subject, fact), values in sorted(self.memories.items())
            for value, memory in sorted(values.items())
            if memory.changed
        ]
        Known.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["subject", "fact", "value"], update_fields=["last_at"]
        )


def load(actors: Iterable[str], patients: Iterable[str]) -> Surroundings:
    """Five statements, whatever the number of events. `actors` are all subjects that the batch names."""
    actors = set(actors)
    people = list(_ids("User/", actors))
    rows = Patient.objects.filter(Q(pk__in=list(_ids("Patient/", patients))) | Q(user__in=people))
    found = {
        f"Patient/{pk}": APatient(born, f"User/{user}" if user else "")
        for pk, born, user in rows.values_list("pk", "birth_date", "user_id")
    }
    users = [*people, *_ids("User/", {each.user for each in found.values() if each.user})]
    living = RelatedPerson.objects.filter(user__in=users, status__in=LIVING)
    around = Surroundings(
        patients=found,
        relations=frozenset(
            (f"User/{user}", f"Patient/{patient}")
            for user, patient in living.values_list("user_id", "patient_id")
        ),
        staff=frozenset(
            f"User/{pk}" for pk in StaffRole.objects.filter(user__in=users).values_list("user_id", flat=True)
        ),
    )
    for known in Known.objects.filter(subject__in=actors):
        values = around.memories.setdefault((known.subject, known.fact), {})
        values[known.value] = Memory(known.first_at, known.last_at)
    return around


def _ids(kind: str, references: Iterable[str]) -> Iterable[UUID]:
    for reference in references:
        try:
            if reference.startswith(kind):
                yield UUID(reference.removeprefix(kind))
        except ValueError:  # a reference of another time
            continue
