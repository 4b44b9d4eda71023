"""What an EHR of some make does differently from plain FHIR R4, and how it is put right both ways.

An adapter says what is asked so that the EHR takes it, and says what was answered in FHIR's own words.
It lets nothing out: the gate looks at every resource after it. What any FHIR server may do (page links
of its own, an OperationOutcome among the matches, no total, no meta) needs no adapter: see
`fhirproxy.asking`.
"""

from collections.abc import Mapping

from fhirproxy.adapters import athena_like, epic_like, hapi, oracle_like
from fhirproxy.adapters.shape import Adapter, Demand

__all__ = ["ADAPTERS", "Adapter", "Demand", "of"]

ADAPTERS: Mapping[str, Adapter] = {
    "plain": Adapter(),
    "hapi": hapi.ADAPTER,
    "epic_like": epic_like.ADAPTER,
    "oracle_like": oracle_like.ADAPTER,
    "athena_like": athena_like.ADAPTER,
}


def of(name: str) -> Adapter:
    """Raises KeyError for a name that is none; `Source.clean` keeps such out."""
    return ADAPTERS[name]
