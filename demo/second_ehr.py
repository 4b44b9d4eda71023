"""The demo's second EHR, Lakeside Hospital, made known to Chartkey: its source, and whose records it has."""

from django.conf import settings

from accounts.models import PatientIdentity
from demo.lakeside.records import PATIENT
from demo.people import find_patient
from fhirproxy.models import Source

SLUG, NAME = "lakeside", "Lakeside Hospital"


def make_source() -> None:
    """The source, at the address where it runs now; and the link to Alice's record there.

    Nothing where the demo runs without it, or without Alice.
    """
    alice = find_patient("alice")
    if not settings.LAKESIDE_URL or alice is None:
        return
    Source.objects.update_or_create(
        slug=SLUG,
        defaults={
            "name": NAME,
            "kind": Source.Kind.HTTP,
            "base_url": settings.LAKESIDE_URL,
            "adapter": Source.Adapter.ORACLE_LIKE,
            "connect_timeout": 1,
            "read_timeout": 5,
            "deadline": 10,
        },
    )
    PatientIdentity.objects.get_or_create(patient=alice, source=SLUG, defaults={"fhir_id": PATIENT})
