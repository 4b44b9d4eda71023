"""What a consent can speak of: data categories, sensitivity labels, purposes.

Categories are what people understand; each says which FHIR R4 resources belong to
it. Every resource type of R4 belongs somewhere: what has no category of its own is
OTHER, so that nothing rides along under a narrower name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
US_CORE_CONDITION = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
US_CORE_DOCUMENT = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
DIAGNOSTIC_SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"
LOINC = "http://loinc.org"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


class Category(StrEnum):
    """A kind of record that a person can share or keep. Values are kept in consents: never rename one."""

    TEST_RESULTS = "test-results"
    VITAL_SIGNS = "vital-signs"
    MEDICINES = "medicines"
    ALLERGIES = "allergies"
    CONDITIONS = "conditions"
    VACCINES = "vaccines"
    VISITS = "visits"
    NOTES = "notes"
    IMAGING = "imaging"
    PROCEDURES = "procedures"
    CARE_PLANS = "care-plans"
    CARE_TEAM = "care-team"
    SOCIAL_HISTORY = "social-history"
    SURVEYS = "surveys"
    DEVICES = "devices"
    FAMILY_HISTORY = "family-history"
    INSURANCE = "insurance"
    DEMOGRAPHICS = "demographics"
    APPOINTMENTS = "appointments"
    MESSAGES = "messages"
    OTHER = "other"


class Label(StrEnum):
    """Sensitivity, in HL7 v3 ActCode; R and V are v3 Confidentiality standing alone."""

    ETH = "ETH"  # substance use, alcohol included
    SUD = "SUD"
    OPIOIDUD = "OPIOIDUD"
    PSY = "PSY"
    PSYTHPN = "PSYTHPN"  # psychotherapy notes
    BH = "BH"  # behavioural health
    SEX = "SEX"
    STD = "STD"
    HIV = "HIV"
    GDIS = "GDIS"  # genetic
    SDV = "SDV"  # abuse, domestic violence
    R = "R"
    V = "V"


class Purpose(StrEnum):
    """Why: HL7 v3 ActReason."""

    TREAT = "TREAT"
    HPAYMT = "HPAYMT"
    HOPERAT = "HOPERAT"
    HRESCH = "HRESCH"
    PATRQT = "PATRQT"
    FAMRQT = "FAMRQT"
    ETREAT = "ETREAT"
    BTG = "BTG"


@dataclass(frozen=True, slots=True)
class Topic:
    """A private topic as a person chooses it: one yes for the labels that belong together."""

    code: str
    labels: frozenset[str]


TOPICS = (
    Topic("mental-health", frozenset({Label.PSY, Label.PSYTHPN, Label.BH})),
    Topic("substance-use", frozenset({Label.ETH, Label.SUD, Label.OPIOIDUD})),
    Topic("sexual-health", frozenset({Label.SEX, Label.STD, Label.HIV})),
    Topic("genetic-tests", frozenset({Label.GDIS})),
    Topic("abuse-or-violence", frozenset({Label.SDV})),
    Topic("marked-private", frozenset({Label.R, Label.V})),
)

# Types whose resources fall in one category whatever they say.
CATEGORY_OF_TYPE: Mapping[str, Category] = {
    **dict.fromkeys(
        (
            "MedicationRequest",
            "MedicationStatement",
            "MedicationDispense",
            "MedicationAdministration",
            "Medication",
        ),
        Category.MEDICINES,
    ),
    "AllergyIntolerance": Category.ALLERGIES,
    "Condition": Category.CONDITIONS,
    **dict.fromkeys(
        ("Immunization", "ImmunizationRecommendation", "ImmunizationEvaluation"), Category.VACCINES
    ),
    **dict.fromkeys(("Encounter", "EpisodeOfCare"), Category.VISITS),
    **dict.fromkeys(("DocumentReference", "Composition", "ClinicalImpression"), Category.NOTES),
    **dict.fromkeys(("ImagingStudy", "Media"), Category.IMAGING),
    **dict.fromkeys(("Procedure", "ServiceRequest"), Category.PROCEDURES),
    **dict.fromkeys(("CarePlan", "Goal", "NutritionOrder", "RequestGroup"), Category.CARE_PLANS),
    **dict.fromkeys(
        (
            "CareTeam",
            "Practitioner",
            "PractitionerRole",
            "Organization",
            "Location",
            "HealthcareService",
            "Endpoint",
        ),
        Category.CARE_TEAM,
    ),
    **dict.fromkeys(("QuestionnaireResponse", "Questionnaire"), Category.SURVEYS),
    **dict.fromkeys(
        ("Device", "DeviceRequest", "DeviceUseStatement", "DeviceMetric", "DeviceDefinition"),
        Category.DEVICES,
    ),
    "FamilyMemberHistory": Category.FAMILY_HISTORY,
    **dict.fromkeys(
        (
            "Coverage",
            "Claim",
            "ClaimResponse",
            "ExplanationOfBenefit",
            "Account",
            "Invoice",
            "CoverageEligibilityRequest",
            "CoverageEligibilityResponse",
            "ChargeItem",
            "EnrollmentRequest",
            "EnrollmentResponse",
            "PaymentNotice",
            "InsurancePlan",
        ),
        Category.INSURANCE,
    ),
    **dict.fromkeys(("Patient", "RelatedPerson", "Person"), Category.DEMOGRAPHICS),
    **dict.fromkeys(("Appointment", "AppointmentResponse", "Schedule", "Slot"), Category.APPOINTMENTS),
    **dict.fromkeys(("Communication", "CommunicationRequest"), Category.MESSAGES),
    **dict.fromkeys(("Specimen", "MolecularSequence"), Category.TEST_RESULTS),
}

# Types whose `category` decides. A resource with several categories belongs to each of them.
CATEGORY_OF_CODE: Mapping[str, Mapping[tuple[str, str], Category]] = {
    "Observation": {
        (OBSERVATION_CATEGORY, "laboratory"): Category.TEST_RESULTS,
        (US_CORE_CATEGORY, "clinical-test"): Category.TEST_RESULTS,
        (OBSERVATION_CATEGORY, "vital-signs"): Category.VITAL_SIGNS,
        (OBSERVATION_CATEGORY, "activity"): Category.VITAL_SIGNS,
        (OBSERVATION_CATEGORY, "social-history"): Category.SOCIAL_HISTORY,
        (US_CORE_CATEGORY, "sdoh"): Category.SOCIAL_HISTORY,
        (OBSERVATION_CATEGORY, "survey"): Category.SURVEYS,
        (US_CORE_CATEGORY, "functional-status"): Category.SURVEYS,
        (US_CORE_CATEGORY, "cognitive-status"): Category.SURVEYS,
        (US_CORE_CATEGORY, "disability-status"): Category.SURVEYS,
        (OBSERVATION_CATEGORY, "imaging"): Category.IMAGING,
        (OBSERVATION_CATEGORY, "exam"): Category.VISITS,
        (OBSERVATION_CATEGORY, "procedure"): Category.PROCEDURES,
        (OBSERVATION_CATEGORY, "therapy"): Category.PROCEDURES,
    },
    "DiagnosticReport": {
        (DIAGNOSTIC_SERVICE, "LAB"): Category.TEST_RESULTS,
        (LOINC, "LP7839-6"): Category.TEST_RESULTS,  # pathology
        (DIAGNOSTIC_SERVICE, "RAD"): Category.IMAGING,
        (LOINC, "LP29684-5"): Category.IMAGING,  # radiology
        (LOINC, "LP29708-2"): Category.TEST_RESULTS,  # cardiology
        (LOINC, "34117-2"): Category.NOTES,  # history and physical, as Synthea reports notes
        (LOINC, "51847-2"): Category.NOTES,
    },
}


def codings(concepts: object) -> Iterable[tuple[str, str]]:
    """(system, code) of each coding in a list of CodeableConcepts, whatever shape it came in."""
    for concept in concepts if isinstance(concepts, list) else [concepts]:
        inner = concept.get("coding") if isinstance(concept, dict) else None
        for coding in inner if isinstance(inner, list) else []:
            if isinstance(coding, dict):
                yield str(coding.get("system", "")), str(coding.get("code", ""))


def categories_of(resource: Mapping[str, Any]) -> frozenset[Category]:
    """The categories that a FHIR resource belongs to; never empty."""
    resource_type = str(resource.get("resourceType", ""))
    if by_code := CATEGORY_OF_CODE.get(resource_type):
        found = {by_code[c] for c in codings(resource.get("category")) if c in by_code}
        return frozenset(found) or frozenset({Category.OTHER})
    return frozenset({CATEGORY_OF_TYPE.get(resource_type, Category.OTHER)})


def categories_of_scope(resource_type: str, category: str = "") -> frozenset[Category]:
    """What a scope reaches: a type or `*`, narrowed by `category=system|code` (SMART 2.2, granular scopes).

    An unknown category value reaches nothing that has a name, so it counts as OTHER.
    """
    if resource_type == "*":
        return frozenset(Category)
    if by_code := CATEGORY_OF_CODE.get(resource_type):
        if not category:
            return frozenset(by_code.values()) | {Category.OTHER}
        system, _, code = category.rpartition("|")
        matches = {v for (s, c), v in by_code.items() if c == code and system in ("", s)}
        return frozenset(matches) or frozenset({Category.OTHER})
    return frozenset({CATEGORY_OF_TYPE.get(resource_type, Category.OTHER)})


def resource_types_of(category: Category) -> frozenset[str]:
    """FHIR types in which resources of this category are found. OTHER has no list: it is the rest."""
    whole = {t for t, c in CATEGORY_OF_TYPE.items() if c is category}
    partly = {t for t, codes in CATEGORY_OF_CODE.items() if category in codes.values()}
    return frozenset(whole | partly)
