"""What the gate serves: types, search parameters and includes, as one allow-list.

What is not on it is refused, never ignored: an ignored parameter is a wider answer.
The CapabilityStatement is generated from the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

COMMON = frozenset({"_id", "_lastUpdated", "_count", "_sort"})
# Said in a search and never sent on: how the answer is to look.
SHAPING = frozenset({"_elements", "_include", "_revinclude", "_total", "_summary"})
REVINCLUDES = frozenset({"Provenance:target"})  # every US Core type asks for it
REFERENCES = frozenset(
    {"patient", "participant", "encounter", "location", "result", "questionnaire", "actor", "medication"}
)


@dataclass(frozen=True, slots=True)
class TypeRule:
    """How one resource type is served.

    `patient_param` narrows a search to one patient; `owner_paths` are the elements that say
    whose a resource is. A type without them is shared (a clinic's address) or reached through what is
    not (`fhirproxy.reached`): read by id only.
    """

    patient_param: str = ""
    owner_paths: tuple[str, ...] = ()
    search_params: frozenset[str] = frozenset()
    includes: Mapping[str, str] = field(default_factory=dict)  # search parameter → element

    @property
    def searchable(self) -> bool:
        return bool(self.patient_param)


def _type(
    params: str = "", owner: str = "subject", *, includes: str = "", param: str = "patient"
) -> TypeRule:
    """`includes` are search parameters of references, "=" element where that has another name."""
    pairs = [part.partition("=") for part in includes.split()]
    found = {name: element or name for name, _, element in pairs}
    if owner != "id" and "." not in owner:
        found["patient"] = owner
    return TypeRule(param, (owner,), frozenset(params.split()), found)


# The patient compartment of FHIR R4 (compartmentdefinition-patient), as far as we serve it.
SERVED: Mapping[str, TypeRule] = {
    "Patient": _type("", "id", param="_id"),
    "AllergyIntolerance": _type("clinical-status date", "patient"),
    "Appointment": _type("date status", "participant.actor", includes="actor=participant.actor"),
    "CarePlan": _type("category date status", includes="care-team=careTeam goal"),
    "CareTeam": _type("status role participant", includes="participant=participant.member"),
    "Claim": _type("status created", "patient", includes="provider insurer"),
    "Communication": _type("status sent category"),
    "Condition": _type(
        "category clinical-status code onset-date recorded-date encounter", includes="encounter"
    ),
    "Coverage": _type("status", "beneficiary", includes="payor"),
    "Device": _type("type", "patient"),
    "DiagnosticReport": _type("category code date status result", includes="result performer encounter"),
    "DocumentReference": _type(
        "category type date status period", includes="author encounter=context.encounter"
    ),
    "Encounter": _type(
        "class date status type location",
        includes="location=location.location participant=participant.individual "
        "service-provider=serviceProvider",
    ),
    "ExplanationOfBenefit": _type("created status", "patient", includes="provider insurer"),
    "FamilyMemberHistory": _type("status", "patient"),
    "Goal": _type("lifecycle-status target-date"),
    "ImagingStudy": _type("status started"),
    "Immunization": _type("date status vaccine-code", "patient", includes="performer=performer.actor"),
    "MedicationDispense": _type("status type", includes="medication=medicationReference"),
    "MedicationRequest": _type(
        "intent status authoredon encounter", includes="medication=medicationReference requester encounter"
    ),
    "MedicationStatement": _type("status effective", includes="medication=medicationReference"),
    "Observation": _type(
        "category code date status",
        includes="performer encounter has-member=hasMember derived-from=derivedFrom",
    ),
    "Procedure": _type("code date status", includes="performer=performer.actor encounter"),
    "QuestionnaireResponse": _type("questionnaire authored status"),
    "RelatedPerson": _type("name", "patient"),
    "ServiceRequest": _type("category code authored status", includes="requester performer"),
    "Specimen": _type("type"),
    **dict.fromkeys(("Location", "Organization", "Practitioner", "PractitionerRole"), TypeRule()),
    # These do not say whose they are.
    "Binary": TypeRule(),
    "Medication": TypeRule(),
    "Provenance": TypeRule(),  # through its targets: see `reached`
}
# The types of a whole record (`$everything`), the patient first.
RECORD = tuple(
    sorted((t for t, rule in SERVED.items() if rule.searchable), key=lambda t: (t != "Patient", t))
)
