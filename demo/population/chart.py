"""One person's chart while it is being written: its ids, its dates and its resources."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from demo.population.coding import US_CORE, Resource, security

CLINIC_ZONE = ZoneInfo("America/New_York")

# The element that says whose record it is, where that is not `subject`.
PATIENT_ELEMENT = {
    **dict.fromkeys(("AllergyIntolerance", "Immunization", "FamilyMemberHistory", "Device"), "patient"),
    **dict.fromkeys(("Claim", "ExplanationOfBenefit", "RelatedPerson"), "patient"),
    "Coverage": "beneficiary",
    **dict.fromkeys(("Appointment", "Provenance", "Binary"), ""),  # said in other words
}


def instant(day: date, clock: str = "09:00") -> str:
    """A FHIR dateTime at the clinic's wall clock, with its offset."""
    return datetime.combine(day, time.fromisoformat(clock), CLINIC_ZONE).isoformat()


def reference(to: str, display: str = "") -> Resource:
    return {"reference": to, **({"display": display} if display else {})}


class Chart:
    """Collects the resources of one patient. The same calls in the same order give the same ids."""

    def __init__(self, patient: Resource, today: date, ranges: str) -> None:
        """`ranges` names the reference ranges that fit: "female", "male" or "child"."""
        self.id: str = patient["id"]
        self.birth_date = date.fromisoformat(patient["birthDate"])
        self.today = today
        self.ranges = ranges
        self.resources: list[Resource] = [patient]
        self._counts: Counter[str] = Counter()

    @property
    def language(self) -> str:
        """What the person reads, and so what is written to them: "en", "es"."""
        spoken: Resource = self.resources[0]["communication"][0]
        return spoken["language"]["coding"][0]["code"]

    @property
    def subject(self) -> Resource:
        return reference(f"Patient/{self.id}")

    def day(self, ago: int) -> date:
        """A working day, `ago` (1 or more) days back or up to two days more. Never today."""
        day = self.today - timedelta(days=max(ago, 1))
        return day - timedelta(days=max(0, day.weekday() - 4))

    def coming(self, days: int) -> date:
        """A working day, `days` ahead or up to two days more."""
        day = self.today + timedelta(days=days)
        return day + timedelta(days=(7 - day.weekday()) % 7 if day.weekday() > 4 else 0)

    def ago_at_age(self, years: float) -> int:
        """How many days ago the person was that old; at least 1."""
        return max(1, (self.today - self.birth_date).days - round(years * 365.25))

    def name_next(self, resource_type: str, stem: str) -> str:
        """The reference that the next resource of this stem will have."""
        return f"{resource_type}/{self.id}-{stem}-{self._counts[stem] + 1}"

    def add(
        self,
        resource_type: str,
        stem: str,
        *,
        profile: str = "",
        labels: Sequence[str] = (),
        **elements: Any,
    ) -> str:
        """Add one resource and return its reference, `Type/<patient>-<stem>-<n>`.

        Elements that are None are left out; `class_` stands for FHIR's `class`.
        """
        named = self.name_next(resource_type, stem)
        self._counts[stem] += 1
        resource: Resource = {"resourceType": resource_type, "id": named.partition("/")[2]}
        meta: Resource = {}
        if profile:
            meta["profile"] = [f"{US_CORE}StructureDefinition/{profile}"]
        if labels:
            meta["security"] = security(tuple(labels))
        if meta:
            resource["meta"] = meta
        if whose := PATIENT_ELEMENT.get(resource_type, "subject"):
            resource[whose] = self.subject
        resource |= {name.rstrip("_"): value for name, value in elements.items() if value is not None}
        self.resources.append(resource)
        return named
