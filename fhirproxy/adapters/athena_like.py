"""An EHR of the shape of ../shared/data/multi_ehr/*/athena_like.

Page links with a cursor, no total, attachments inside their documents; many searches must say a
category, and prescriptions their intent.
"""

from fhirproxy.adapters.shape import Adapter, demand
from fhirproxy.adapters.values import INTENTS, OBSERVATIONS, REPORTS

ADAPTER = Adapter(
    demands={
        "CarePlan": demand("category", "assess-plan", "38717003", "734163000", "736271009"),
        "DiagnosticReport": demand("category", *REPORTS, or_else="code"),
        "MedicationRequest": demand("intent", *INTENTS),
        "Observation": demand("category", *OBSERVATIONS, or_else="code"),
    },
    largest_page=100,
    most_ids=25,
)
