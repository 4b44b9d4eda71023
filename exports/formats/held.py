"""What each format holds of each served type, and why it leaves out the rest. Total: a test counts."""

from collections.abc import Mapping
from enum import StrEnum

from exports.formats.parts import PART_OF_TYPE


class Format(StrEnum):
    CSV = "csv"
    IPS = "ips"
    PDF = "pdf"
    CCD = "ccd"


class Held(StrEnum):
    """How records of a type stand in a file, or (from NOT_A_RESULT on) why they do not."""

    WHOLE = "whole"  # each record, as data
    WORDS = "words"  # each record, in the text of a part
    ALONG = "along"  # where a record that is in the file refers to it
    NAMES = "names"  # its name, beside a record that refers to it
    NOT_A_RESULT = "not-a-result"  # the file is a list of results
    NO_PART = "no-part"  # the standard has no section for it
    NOT_CLINICAL = "not-clinical"  # bills and messages are no summary of health
    ATTACHED = "attached"  # a file of its own; a download of documents has it
    SAID_ONCE = "said-once"  # the file names its sources itself

    @property
    def is_in(self) -> bool:
        return self in (Held.WHOLE, Held.WORDS, Held.ALONG, Held.NAMES)


_NAMED = dict.fromkeys(("Location", "Organization", "Practitioner", "PractitionerRole"), Held.NAMES)
_REST = {
    **dict.fromkeys(("Claim", "Communication", "ExplanationOfBenefit"), Held.NOT_CLINICAL),
    **dict.fromkeys(
        ("MedicationDispense", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen"),
        Held.NO_PART,
    ),
    "Binary": Held.ATTACHED,
    "Medication": Held.NAMES,
    "Provenance": Held.SAID_ONCE,
}
_WORDS = dict.fromkeys(PART_OF_TYPE, Held.WORDS)
_IPS_WHOLE = (
    *("AllergyIntolerance", "CarePlan", "Condition", "Device", "DiagnosticReport", "Immunization"),
    *("MedicationRequest", "MedicationStatement", "Observation", "Patient", "Procedure"),
)
_IPS_ALONG = (
    *("CareTeam", "Encounter", "Location", "Medication", "Organization", "Practitioner"),
    *("PractitionerRole", "ServiceRequest", "Specimen"),
)
_CCD_WHOLE = (
    *("AllergyIntolerance", "Condition", "MedicationRequest", "MedicationStatement", "Observation"),
    "Patient",
)
_CCD_WORDS = (
    *("CarePlan", "Coverage", "Device", "Encounter", "FamilyMemberHistory", "Goal", "Immunization"),
    "Procedure",
)
HOLDS: Mapping[Format, Mapping[str, Held]] = {
    Format.PDF: {**_REST, **_NAMED, **_WORDS, "Patient": Held.WORDS},
    Format.IPS: {
        **_REST,
        **dict.fromkeys(("Appointment", "Coverage", "FamilyMemberHistory"), Held.NO_PART),
        "DocumentReference": Held.ATTACHED,
        **dict.fromkeys(("Goal", "ImagingStudy"), Held.WORDS),
        **dict.fromkeys(_IPS_ALONG, Held.ALONG),
        **dict.fromkeys(_IPS_WHOLE, Held.WHOLE),
    },
    Format.CCD: {
        **_REST,
        **_NAMED,
        **dict.fromkeys(("Appointment", "CareTeam", "DiagnosticReport", "ImagingStudy"), Held.NO_PART),
        "DocumentReference": Held.ATTACHED,
        **dict.fromkeys(_CCD_WORDS, Held.WORDS),
        **dict.fromkeys(_CCD_WHOLE, Held.WHOLE),
    },
    Format.CSV: {
        **dict.fromkeys((*_REST, *PART_OF_TYPE, "Patient"), Held.NOT_A_RESULT),
        **_NAMED,
        "Observation": Held.WHOLE,
    },
}
