"""An EHR of the shape of ../shared/data/multi_ehr/*/oracle_like.

Page links with a context (`-pageContext=…`), no total, its own names for code systems, attachments by
absolute links.
"""

from fhirproxy.adapters.shape import Adapter, demand
from fhirproxy.adapters.values import CONDITIONS

ADAPTER = Adapter(
    demands={"Condition": demand("category", *CONDITIONS, or_else="code clinical-status")},
    largest_page=200,
    most_ids=50,
)
