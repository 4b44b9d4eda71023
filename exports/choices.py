"""What a person chooses: kinds of record, and formats. From the kinds to FHIR types."""

from collections.abc import Iterable

from consent.vocabulary import Category, resource_types_of
from exports.formats.held import Format
from exports.models import ExportJob
from fhirproxy.served import SERVED

# What a download can hold: every type of a patient's own that the gate can search.
EXPORTABLE = frozenset(t for t, rule in SERVED.items() if rule.searchable)
NDJSON = "ndjson"
FORMATS = (NDJSON, *Format)
TOO_LARGE = "too-large"  # why a summary is left out


def resource_types_for(categories: Iterable[str]) -> list[str]:
    """The FHIR types in which these categories are found; no category stands for all of them.

    A type may hold other categories too: each resource is decided by its own (`exports.requesters`).
    """
    chosen = {Category(c) for c in categories}
    types = {t for category in chosen for t in resource_types_of(category)}
    return sorted(types & EXPORTABLE if chosen else EXPORTABLE)


def chosen_categories(job: ExportJob) -> frozenset[Category]:
    return frozenset(Category(c) for c in job.categories) or frozenset(Category)
