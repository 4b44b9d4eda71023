"""What the gate serves: types, interactions and search parameters, as one allow-list.

What is not on it is refused, never ignored: an ignored parameter is a wider answer.
The CapabilityStatement is generated from the same table.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consent.vocabulary import Category, categories_of_scope
from fhirproxy.outcomes import Refusal
from fhirproxy.upstream import Params

FHIR_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9\-.]{1,64}\Z")
COMMON = frozenset({"_id", "_lastUpdated", "_count", "_sort"})
LARGEST_PAGE = 200
COUNT = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class TypeRule:
    """How one resource type is served.

    `patient_param` narrows a search to one patient; `owner_paths` are the elements that say
    whose a resource is. A type without them is shared (a clinic's address): read by id only.
    """

    patient_param: str = ""
    owner_paths: tuple[str, ...] = ()
    search_params: frozenset[str] = frozenset()

    @property
    def shared(self) -> bool:
        return not self.owner_paths


def _of_patient(params: str = "", path: str = "subject") -> TypeRule:
    return TypeRule("patient", (path,), frozenset(params.split()))


# The patient compartment of FHIR R4 (compartmentdefinition-patient), as far as we serve it.
SERVED: Mapping[str, TypeRule] = {
    "Patient": TypeRule("_id", ("id",)),
    "AllergyIntolerance": _of_patient("clinical-status date", "patient"),
    "Appointment": TypeRule("patient", ("participant.actor",), frozenset({"date", "status"})),
    "CarePlan": _of_patient("category date status"),
    "CareTeam": _of_patient("status role participant"),
    "Claim": _of_patient("status created", "patient"),
    "Communication": _of_patient("status sent category"),
    "Condition": _of_patient("category clinical-status code onset-date recorded-date encounter"),
    "Consent": _of_patient("status date", "patient"),
    "Coverage": _of_patient("status", "beneficiary"),
    "Device": _of_patient("type", "patient"),
    "DiagnosticReport": _of_patient("category code date status result"),
    "DocumentReference": _of_patient("category type date status period"),
    "Encounter": _of_patient("class date status type location"),
    "ExplanationOfBenefit": _of_patient("created status", "patient"),
    "FamilyMemberHistory": _of_patient("status", "patient"),
    "Goal": _of_patient("lifecycle-status target-date"),
    "ImagingStudy": _of_patient("status started"),
    "Immunization": _of_patient("date status vaccine-code", "patient"),
    "MedicationRequest": _of_patient("intent status authoredon encounter"),
    "MedicationStatement": _of_patient("status effective"),
    "Observation": _of_patient("category code date status"),
    "Procedure": _of_patient("code date status"),
    "Provenance": TypeRule("patient", ("target",), frozenset({"target"})),
    "QuestionnaireResponse": _of_patient("questionnaire authored status"),
    "RelatedPerson": _of_patient("name", "patient"),
    "ServiceRequest": _of_patient("category code authored status"),
    **dict.fromkeys(
        ("Location", "Medication", "Organization", "Practitioner", "PractitionerRole"), TypeRule()
    ),
}
# Consent here is our own, not the EHR's, and Provenance needs its target's decision: not yet over HTTP.
NOT_OVER_HTTP = frozenset({"Consent", "Provenance"})


@dataclass(frozen=True, slots=True)
class Interaction:
    """One interaction, parsed and on the allow-list. `code` is FHIR's restful-interaction code."""

    code: str
    resource_type: str
    id: str = ""
    params: Params = ()
    cursor: str = ""

    @property
    def rule(self) -> TypeRule:
        return SERVED[self.resource_type]

    @property
    def categories(self) -> frozenset[Category]:
        """Every category that the answer could be of, by its type and a `category` that was asked for."""
        wanted = [value for name, value in self.params if name == "category" and "," not in value]
        reach = (categories_of_scope(self.resource_type, value) for value in wanted)
        return frozenset.intersection(categories_of_scope(self.resource_type), *reach)


def parse(method: str, path: str, query: Sequence[tuple[str, str]]) -> Interaction:
    """The interaction that a request asks for. Raises Refusal for all that is not served."""
    parts = path.strip("/").split("/")
    if parts[1:] == ["_search"] and method == "POST":
        parts, method = parts[:-1], "GET"
    if not parts[0] or parts[0] not in SERVED or parts[0] in NOT_OVER_HTTP:
        raise Refusal(404, "This resource type is not served here. See /fhir/r4/metadata.")
    if method != "GET":
        raise Refusal(405, "Only reading is served here.", {"Allow": "GET"})
    query = [(name, value) for name, value in query if name != "_format"]
    match parts:
        case [resource_type, resource_id] if FHIR_ID.match(resource_id):
            if query:
                raise Refusal(400, "A read takes no parameters.")
            return Interaction("read", resource_type, resource_id)
        case [resource_type]:
            return search(resource_type, query)
    raise Refusal(404, "This address is not served here. See /fhir/r4/metadata.")


def search(resource_type: str, query: Sequence[tuple[str, str]]) -> Interaction:
    rule = SERVED[resource_type]
    if rule.shared:
        raise Refusal(403, f"{resource_type} is read by its id, not searched.")
    if [name for name, _ in query] == ["_cursor"]:
        return Interaction("search-type", resource_type, cursor=query[0][1])
    allowed = COMMON | rule.search_params | {rule.patient_param, *rule.owner_paths[:1]}
    for name, value in query:
        if name not in allowed:
            raise Refusal(400, f"The search parameter {_plain(name)} is not served for {resource_type}.")
        if name == "_count" and not (COUNT.fullmatch(value) and 0 < int(value) <= LARGEST_PAGE):
            raise Refusal(400, f"_count takes a number from 1 to {LARGEST_PAGE}.")
        if len(value) > 500 or "\x00" in value:
            raise Refusal(400, f"The value of {name} is too long, or has a character that none has.")
    return Interaction("search-type", resource_type, params=tuple(query))


def _plain(name: str) -> str:
    """A caller's word, fit to be said back to it."""
    return re.sub(r"[^A-Za-z0-9_:.\-]", "?", name[:40])
