"""What a patient's choices were at a moment in the past."""

from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from consent.models import Consent, ConsentVersion


def versions_at(patient_id: UUID, moment: datetime) -> QuerySet[ConsentVersion]:
    """The version of each of the patient's consents that stood at that moment, whatever its status."""
    standing = (
        ConsentVersion.objects.filter(consent=OuterRef("consent"), made_at__lte=moment)
        .order_by("-number")
        .values("number")[:1]
    )
    return (
        ConsentVersion.objects.filter(consent__patient=patient_id, made_at__lte=moment)
        .annotate(standing=Subquery(standing))
        .filter(number=F("standing"))
        .select_related("consent__client", "consent__helper")
        .order_by("made_at")
    )


def in_force_at(patient_id: UUID, moment: datetime) -> QuerySet[ConsentVersion]:
    """Those that allowed or denied something then: "what did the policy look like at 14:23 on 3 May"."""
    running = Q(period_end=None) | Q(period_end__gt=moment)
    return versions_at(patient_id, moment).filter(running, status=Consent.Status.ACTIVE)
