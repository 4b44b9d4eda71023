"""Which kinds of thing this reader may send for the record they are on, so that pages offer no others."""

from collections.abc import Mapping

from django.utils import timezone

from consent import helper_rights
from consent.vocabulary import Category
from portal.guards import PatientRequest

# The page of each kind, and the kind of record that it adds to.
ADDS_TO: Mapping[str, Category] = {
    "add-blood-pressure": Category.VITAL_SIGNS,
    "ask-message": Category.MESSAGES,
    "ask-visit": Category.APPOINTMENTS,
    "ask-form": Category.SURVEYS,
    "add-document": Category.NOTES,
    "contact": Category.CONTACT,
    "wrong": Category.MESSAGES,
}


def may_send(request: PatientRequest) -> frozenset[str]:
    """Names of pages: all for one's own record; a helper sends of what they see, if they may at all."""
    if not hasattr(request, "may_send_"):
        request.may_send_ = _may_send(request)  # type: ignore[attr-defined]
    found: frozenset[str] = request.may_send_  # type: ignore[attr-defined]
    return found


def _may_send(request: PatientRequest) -> frozenset[str]:
    if request.helping is None:
        return frozenset(ADDS_TO)
    if not request.helping.may_write:
        return frozenset()
    seen = helper_rights.visible(request.helping, timezone.now())
    return frozenset(name for name, category in ADDS_TO.items() if category in seen)
