"""An EHR of the shape of ../shared/data/multi_ehr/*/epic_like.

Ids of more than 64 characters, page links of a session (`?sessionID=…`), a warning among the matches,
no meta, medicines as references, attachments by relative links.
"""

from fhirproxy.adapters.shape import Adapter, demand
from fhirproxy.adapters.values import OBSERVATIONS

ADAPTER = Adapter(
    demands={
        "Observation": demand("category", *OBSERVATIONS, or_else="code"),
        "CarePlan": demand("category", "assess-plan", "38717003", "734163000", "736271009"),
    },
    largest_page=100,
    most_ids=50,
)
