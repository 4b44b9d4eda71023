"""What the demo's people have sent to their clinic already, through the door that everybody takes."""

from django.utils import timezone

from consent import authority
from demo import people
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands
from portal import outgoing

SCOPE = "demo"


def open_correction(fhir_id: str, *, about: str, name: str, wrong: str, right: str) -> None:
    """One that waits for a clinician. There is one, however often the demo is filled."""
    patient = people.find_patient(fhir_id)
    assert patient is not None
    assert patient.user is not None
    if WriteCommand.objects.filter(idempotency_scope=SCOPE, idempotency_key=about).exists():
        return
    now = timezone.now()
    commands.submit(
        outgoing.correction(
            patient_id=fhir_id, about=about, name=name, fault="old", wrong=wrong, right=right, at=now
        ),
        requester=authority.for_own_record(patient.user, patient, now),
        patient=patient,
        author=patient.user,
        channel=WriteCommand.Channel.PORTAL,
        idempotency_scope=SCOPE,
        idempotency_key=about,
        origin=WriteCommand.Origin.REMEMBERED,
    )
