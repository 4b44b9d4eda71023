"""Whether somebody whose records are in the files has changed what they chose since: then the files are gone.

A file cannot be decided on again line by line. So it is given only as long as all that was decided for it
still holds, and a client whose export was overtaken makes a new one.
"""

from audit.events import EventType, Outcome
from audit.models import AuditEvent
from consent.models import Consent, ConsentVersion
from exports.models import ExportJob

# What holds for a service's purpose, whoever it is: an opt-in or opt-out, and limits that were agreed to.
KINDS = (Consent.Kind.PREFERENCE, Consent.Kind.RESTRICTION)


def by_a_patient(job: ExportJob) -> bool:
    """Whether a choice was made after this export had taken that patient's records, as the log tells it."""
    given = AuditEvent.objects.filter(
        type=EventType.EXPORT_GIVE, outcome=Outcome.PERMIT, target=f"ExportJob/{job.pk}"
    )
    choices = ConsentVersion.objects.filter(consent__kind__in=KINDS, made_at__gte=job.created_at)
    return any(
        given.filter(patient=f"Patient/{patient}", recorded_at__lte=made_at).exists()
        for patient, made_at in choices.values_list("consent__patient_id", "made_at")
    )
