"""The records of one download: in order, without what was entered in error, found by reference."""

from collections.abc import Iterable
from typing import Any

from exports.formats.about import About, Resource
from fhirproxy.reading import codes, first, objects, text

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ORDER = "ULMNRV"  # of its codes, from unrestricted to very restricted
WITHDRAWN = "entered-in-error"
# What says whose a record is. Such a reference means the patient of the download, whatever id the source has.
OWNERS = frozenset({"subject", "patient", "beneficiary", "for", "individual"})


class Records:
    """Each source's resources stand apart: two sources may use the same id for different things."""

    def __init__(self, resources: Iterable[Resource], about: About) -> None:
        self.about = about
        standing = [one for one in resources if not is_withdrawn(one)]
        self.all: tuple[Resource, ...] = tuple(sorted(standing, key=self.key))
        self._by_key = {self.key(one): one for one in self.all}

    def key(self, resource: Resource) -> tuple[str, str, str]:
        """(type, id, source): what no two records share."""
        source = self.about.source_of(resource)
        return text(resource, "resourceType"), text(resource, "id"), source.uri if source else ""

    def find(self, holder: Resource, reference: Any) -> Resource | None:
        """What a Reference inside of `holder` means: contained in it, or of the same source."""
        address = text(reference, "reference")
        if address.startswith("#"):
            contained = holder.get("contained")
            inside = contained if isinstance(contained, list) else []
            return next((c for c in inside if isinstance(c, dict) and c.get("id") == address[1:]), None)
        kind, found = type_and_id(address)
        source = self.about.source_of(holder)
        return self._by_key.get((kind, found, source.uri if source else ""))

    def name(self, holder: Resource, reference: Any) -> str:
        """What people call the thing a Reference means; "" if nothing says it."""
        return text(reference, "display") or name_of(self.find(holder, reference))


def confidentiality(resources: Iterable[Resource]) -> str:
    """v3 Confidentiality of a file: that of the most confidential record in it, and normal at least."""
    found = [code for one in resources for code in codes({"coding": _labels(one)}, CONFIDENTIALITY)]
    return max((code for code in (*found, "N") if code in ORDER), key=ORDER.index)


def _labels(resource: Resource) -> list[dict[str, Any]]:
    return objects(resource, "meta", "security")


def type_and_id(address: str) -> tuple[str, str]:
    """("Patient", "1") of "Patient/1", of an absolute address, and of one with a version."""
    parts = address.partition("/_history/")[0].split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", "")


def is_withdrawn(resource: Resource) -> bool:
    return resource.get("status") == WITHDRAWN or WITHDRAWN in codes(first(resource, "verificationStatus"))


def name_of(resource: Any) -> str:
    """The name of a person, an organisation, a place or a medicine."""
    if not isinstance(resource, dict):
        return ""
    if isinstance(resource.get("name"), str):
        return text(resource, "name")
    person = first(resource, "name")
    if person:
        given = [g for g in person.get("given") or [] if isinstance(g, str)]
        whole = " ".join(filter(None, (*given, text(person, "family"))))
        return text(person, "text") or whole
    concept = first(resource, "code")
    return text(concept, "text") or text(concept, "coding", "display")
