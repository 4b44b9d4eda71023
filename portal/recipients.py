"""Names of the organisations and practitioners that a patient shares with, as their EHR has them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import Http404

from accounts.matching import plain
from consent.models import Consent
from fhirproxy import reading as fhir
from fhirproxy.interactions import FHIR_ID
from portal import records
from portal.guards import PatientRequest

NAMED = ("Organization", "Practitioner")
NAMING = ("Encounter", "Appointment", "ServiceRequest")  # besides care teams: who was seen, or will be


def names_of(request: PatientRequest, consents: Iterable[Consent | None]) -> Mapping[str, str]:
    """ "Organization/1" → its name; whom the EHR does not know, or not just now, is left out."""
    references = {consent.recipient for consent in consents if consent and consent.recipient}
    found = {reference: _name(request, reference) for reference in sorted(references)}
    return {reference: name for reference, name in found.items() if name}


def known(request: PatientRequest) -> Mapping[str, str]:
    """ "Practitioner/1" → name, whom the patient's own record names: the care team first.

    Read through the gate, as the patient, from the EHR whose ids a share is about. Raises Unavailable.
    """
    requester = records.requester_of(request)
    team = dict(_named(records.search_as(requester, "CareTeam", ("status", "active"))))
    others = dict(_named([found for kind in NAMING for found in records.search_as(requester, kind)]))
    return dict(_by_name(team)) | dict(_by_name(others))


def matching(names: Mapping[str, str], words: str) -> dict[str, str]:
    """Those of the names that have every word, or its beginning."""
    looked_for = plain(words).split()
    return {
        reference: name
        for reference, name in names.items()
        if all(f" {word}" in f" {plain(name)}" for word in looked_for)
    }


def _by_name(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(names.items(), key=lambda one: plain(one[1]))


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """(reference, name) of each organisation and practitioner that resources refer to by name."""
    if isinstance(value, list):
        for part in value:
            yield from _named(part)
    elif isinstance(value, dict):
        reference, name = fhir.text(value, "reference"), fhir.display(value)
        kind, _, resource_id = reference.partition("/")
        if kind in NAMED and FHIR_ID.match(resource_id) and name:
            yield reference, name
        for part in value.values():
            yield from _named(part)


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
