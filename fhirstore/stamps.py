"""A number kept beside each resource, that means nothing here: somebody else's, for reading in bulk.

The setting FHIRSTORE_STAMP names the function that gives it, from what is about to be kept. Without the
setting there is none, and whoever reads in bulk looks into each resource.
"""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from fhirstore.documents import Document

# (resource, its bytes, the id of the one patient whose it is) → 64 bits with sign; None: not known
Stamper = Callable[[Document, bytes, str | None], int | None]


def of(document: Document, body: str, patient: str | None) -> int | None:
    stamper = _stamper()
    return stamper(document, body.encode(), patient) if stamper else None


@cache
def _stamper() -> Stamper | None:
    return import_string(settings.FHIRSTORE_STAMP) if settings.FHIRSTORE_STAMP else None
