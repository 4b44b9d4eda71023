"""Names of the organisations and practitioners that a patient shares with, as their EHR has them."""

from collections.abc import Iterable, Mapping

from django.http import Http404

from consent.models import Consent
from fhirproxy import reading as fhir
from portal import records
from portal.guards import PatientRequest

NAMED = ("Organization", "Practitioner")


def names_of(request: PatientRequest, consents: Iterable[Consent | None]) -> Mapping[str, str]:
    """ "Organization/1" → its name; whom the EHR does not know, or not just now, is left out."""
    references = {consent.recipient for consent in consents if consent and consent.recipient}
    found = {reference: _name(request, reference) for reference in sorted(references)}
    return {reference: name for reference, name in found.items() if name}


def _name(request: PatientRequest, reference: str) -> str:
    kind, _, resource_id = reference.partition("/")
    if kind not in NAMED:
        return ""
    try:
        resource = records.read(request, kind, resource_id)
    except (Http404, records.Unavailable):
        return ""
    if kind == "Organization":
        return fhir.text(resource, "name")
    parts = (fhir.text(resource, "name", part) for part in ("prefix", "given", "family"))
    return fhir.text(resource, "name", "text") or " ".join(part for part in parts if part)
