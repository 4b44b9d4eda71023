"""Alice with records in two EHRs, of which the second one can be told to misbehave."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from accounts.models import Patient, PatientIdentity, User
from demo.lakeside.records import PATIENT, records
from fhirproxy import upstream
from fhirproxy.models import Source
from portal import sources
from tests.ehr.conftest import Fake

NAME = "Lakeside Hospital"
QUICK = {"connect_timeout": 1, "read_timeout": 5, "deadline": 10}


@dataclass(frozen=True)
class Lakeside:
    fake: Fake
    patient: Patient

    def misbehaves(self, match: str = "", **do: Any) -> None:
        """From now on, for each request that contains `match`; nothing of the past is held against it."""
        upstream.forget()
        sources.late.forget()
        self.fake.script({"match": match or "/plain/fhir", "times": 0, "do": do})

    def is_down(self, match: str = "") -> None:
        self.misbehaves(match, status=503, headers={"Retry-After": "60"})

    def recovers(self) -> None:
        self.misbehaves("never asked")

    def asked(self, path: str = "") -> int:
        return len(self.fake.seen(path))


def link(alice: User, fake: Fake, *more: dict[str, Any]) -> Lakeside:
    """The hospital of the demo, with what else it is to have, and Alice's link to it."""
    sources.late.forget()
    fake.load("plain", [*records(timezone.localdate()), *more])
    Source(
        slug="lakeside",
        name=NAME,
        kind=Source.Kind.HTTP,
        base_url=fake.url("plain"),
        adapter="plain",
        **QUICK,
    ).save()
    PatientIdentity.objects.create(patient=alice.patient, source="lakeside", fhir_id=PATIENT)
    return Lakeside(fake, alice.patient)
