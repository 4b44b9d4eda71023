"""What a consent can speak of: data categories, sensitivity labels, purposes.

Categories are what people understand; each says which FHIR R4 resources belong to
it. Every resource type of R4 belongs somewhere: what has no category of its own is
OTHER, so that nothing rides along under a narrower name. CONTACT is a part of
records: it governs elements, and no type belongs to it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from consent.files import BadFile, line_of, read_toml

OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
US_CORE_TAGS = "http://hl7.org/fhir/us/core/CodeSystem/us-core-tags"  # until US Core 5
US_CORE_CLINICAL_TEST = "http://hl7.org/fhir/us/core/CodeSystem/us-core-observation-category"  # of US Core 4
US_CORE_CONDITION = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
DIAGNOSTIC_SERVICE = "http://terminology.hl7.org/CodeSystem/v2-0074"
LOINC = "http://loinc.org"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
JURISDICTIONS = Path(__file__).with_name("jurisdictions.toml")


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
    CONTACT = "contact"  # elements of other resources: see ELEMENTS_OF
    APPOINTMENTS = "appointments"
    MESSAGES = "messages"
    PRIVACY = "privacy"
    OTHER = "other"


class Label(StrEnum):
    """Sensitivity, in HL7 v3 ActCode (ActInformationSensitivityPolicy); R and V are v3 Confidentiality
    standing alone. What a jurisdiction's law adds is in OWN_LABELS."""

    ETH = "ETH"  # substance use, alcohol included
    SUD = "SUD"
    ETHUD = "ETHUD"  # alcohol use disorder
    OPIOIDUD = "OPIOIDUD"
    BH = "BH"  # behavioural health
    MH = "MH"
    PSY = "PSY"
    PSYTHPN = "PSYTHPN"  # psychotherapy notes
    COGN = "COGN"  # cognitive disability
    DVD = "DVD"  # developmental disability
    EMOTDIS = "EMOTDIS"
    SEX = "SEX"
    STD = "STD"
    HIV = "HIV"
    PREGNANT = "PREGNANT"
    GDIS = "GDIS"  # genetic
    SCA = "SCA"  # sickle cell
    SICKLE = "SICKLE"
    SDV = "SDV"  # abuse, domestic violence
    MST = "MST"  # military sexual trauma
    VIO = "VIO"
    SPI = "SPI"  # specially protected, whatever it is
    TBOO = "TBOO"  # not to be told to the patient before somebody has
    R = "R"
    V = "V"


class Confidentiality(StrEnum):
    """HL7 v3 Confidentiality, as far as consents speak of it."""

    N = "N"
    R = "R"
    V = "V"


class Mark(StrEnum):
    """A law that goes with a resource wherever it goes (v3 ActPrivacyLaw). It is no sensitivity by itself."""

    PART_2 = "42CFRPart2"  # 42 CFR Part 2: out of a substance use disorder program


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


def _own_labels(path: Path = JURISDICTIONS) -> dict[str, dict[str, str]]:
    """Rows of the table of labels, by code. Raises BadFile."""
    rows = {}
    for row in read_toml(path).get("label", []):
        if missing := {"code", "topic", "system"} - set(row):
            raise BadFile(path, f"a label has no {sorted(missing)[0]}", line_of(path, "[[label]]"))
        rows[row["code"]] = row
    return rows


# Labels that a jurisdiction's own law has, and HL7 has not: code → its row in jurisdictions.toml.
OWN_LABELS: Mapping[str, Mapping[str, str]] = _own_labels()
LABELS: frozenset[str] = frozenset(Label) | frozenset(OWN_LABELS)
SUBSTANCE_USE = frozenset({Label.ETH, Label.SUD, Label.ETHUD, Label.OPIOIDUD})
REPRODUCTIVE_CARE = "reproductive-care"

TOPICS = (
    Topic(
        "mental-health",
        frozenset(
            {Label.BH, Label.MH, Label.PSY, Label.PSYTHPN, Label.COGN, Label.DVD, Label.EMOTDIS},
        ),
    ),
    Topic("substance-use", SUBSTANCE_USE),
    Topic("sexual-health", frozenset({Label.SEX, Label.STD, Label.HIV, Label.PREGNANT})),
    Topic(
        REPRODUCTIVE_CARE,
        frozenset(code for code, row in OWN_LABELS.items() if row["topic"] == REPRODUCTIVE_CARE),
    ),
    Topic("genetic-tests", frozenset({Label.GDIS, Label.SCA, Label.SICKLE})),
    Topic("abuse-or-violence", frozenset({Label.SDV, Label.MST, Label.VIO})),
    Topic("marked-private", frozenset({Label.R, Label.V, Label.SPI, Label.TBOO})),
)


def system_of(label: str) -> str:
    """The code system that a label or a confidentiality stands in; empty for one that nobody here knows."""
    if label in set(Confidentiality):
        return CONFIDENTIALITY
    if label in OWN_LABELS:
        return OWN_LABELS[label]["system"]
    return ACT_CODE if label in set(Label) | set(Mark) else ""


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
    **dict.fromkeys(("Condition", "AdverseEvent", "RiskAssessment", "BodyStructure"), Category.CONDITIONS),
    **dict.fromkeys(
        ("Immunization", "ImmunizationRecommendation", "ImmunizationEvaluation"), Category.VACCINES
    ),
    **dict.fromkeys(("Encounter", "EpisodeOfCare"), Category.VISITS),
    **dict.fromkeys(
        ("DocumentReference", "DocumentManifest", "Composition", "ClinicalImpression"), Category.NOTES
    ),
    **dict.fromkeys(("ImagingStudy", "Media"), Category.IMAGING),
    **dict.fromkeys(("Procedure", "ServiceRequest"), Category.PROCEDURES),
    **dict.fromkeys(("CarePlan", "Goal", "NutritionOrder", "RequestGroup"), Category.CARE_PLANS),
    **dict.fromkeys(
        (
            "CareTeam",
            "Practitioner",
            "PractitionerRole",
            "Organization",
            "OrganizationAffiliation",
            "Location",
            "HealthcareService",
            "Endpoint",
        ),
        Category.CARE_TEAM,
    ),
    **dict.fromkeys(("QuestionnaireResponse", "Questionnaire"), Category.SURVEYS),
    **dict.fromkeys(
        (
            "Device",
            "DeviceRequest",
            "DeviceUseStatement",
            "DeviceMetric",
            "DeviceDefinition",
            "SupplyDelivery",
            "SupplyRequest",
            "VisionPrescription",
        ),
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
            "PaymentReconciliation",
            "InsurancePlan",
        ),
        Category.INSURANCE,
    ),
    **dict.fromkeys(("Patient", "RelatedPerson", "Person"), Category.DEMOGRAPHICS),
    **dict.fromkeys(("Appointment", "AppointmentResponse", "Schedule", "Slot"), Category.APPOINTMENTS),
    **dict.fromkeys(("Communication", "CommunicationRequest"), Category.MESSAGES),
    **dict.fromkeys(("Specimen", "MolecularSequence"), Category.TEST_RESULTS),
    **dict.fromkeys(("Consent", "AuditEvent", "Provenance"), Category.PRIVACY),
    # What people would not look for under any other name, and what is about no person at all.
    **dict.fromkeys(
        re.findall(
            r"\w+",
            """
    Basic Binary BiologicallyDerivedProduct Bundle Contract DetectedIssue Flag Group
    GuidanceResponse Linkage List MeasureReport MessageHeader OperationOutcome Parameters
    ResearchStudy ResearchSubject Subscription Substance Task VerificationResult

    ActivityDefinition CapabilityStatement CatalogEntry ChargeItemDefinition CodeSystem
    CompartmentDefinition ConceptMap EffectEvidenceSynthesis EventDefinition Evidence
    EvidenceVariable ExampleScenario GraphDefinition ImplementationGuide Library Measure
    MedicationKnowledge MedicinalProduct MedicinalProductAuthorization
    MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient
    MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
    MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition NamingSystem
    ObservationDefinition OperationDefinition PlanDefinition ResearchDefinition
    ResearchElementDefinition RiskEvidenceSynthesis SearchParameter SpecimenDefinition
    StructureDefinition StructureMap SubstanceNucleicAcid SubstancePolymer SubstanceProtein
    SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification
    TerminologyCapabilities TestReport TestScript ValueSet
            """,
        ),
        Category.OTHER,
    ),
}

# Types whose `category` decides. A resource with several categories belongs to each of them; one with
# none that is known belongs where its type does, or to OTHER where the type says nothing.
# Values: US Core 6.1 (and the names of 3.1 and 8.0), FHIR R4, as Synthea and the big EHRs send them.
CATEGORY_OF_CODE: Mapping[str, Mapping[tuple[str, str], Category]] = {
    "Observation": {
        (OBSERVATION_CATEGORY, "laboratory"): Category.TEST_RESULTS,
        (US_CORE_CATEGORY, "clinical-test"): Category.TEST_RESULTS,
        (US_CORE_CLINICAL_TEST, "clinical-test"): Category.TEST_RESULTS,
        (OBSERVATION_CATEGORY, "vital-signs"): Category.VITAL_SIGNS,
        (OBSERVATION_CATEGORY, "activity"): Category.VITAL_SIGNS,
        (OBSERVATION_CATEGORY, "social-history"): Category.SOCIAL_HISTORY,
        (US_CORE_CATEGORY, "sdoh"): Category.SOCIAL_HISTORY,
        (US_CORE_TAGS, "sdoh"): Category.SOCIAL_HISTORY,
        (OBSERVATION_CATEGORY, "survey"): Category.SURVEYS,
        (US_CORE_CATEGORY, "functional-status"): Category.SURVEYS,
        (US_CORE_CATEGORY, "cognitive-status"): Category.SURVEYS,
        (US_CORE_CATEGORY, "disability-status"): Category.SURVEYS,
        (US_CORE_CATEGORY, "treatment-intervention-preference"): Category.CARE_PLANS,
        (US_CORE_CATEGORY, "care-experience-preference"): Category.CARE_PLANS,
        (US_CORE_CATEGORY, "observation-adi-documentation"): Category.CARE_PLANS,
        (OBSERVATION_CATEGORY, "imaging"): Category.IMAGING,
        (OBSERVATION_CATEGORY, "exam"): Category.VISITS,
        (OBSERVATION_CATEGORY, "procedure"): Category.PROCEDURES,
        (OBSERVATION_CATEGORY, "therapy"): Category.PROCEDURES,
    },
    # One category for people: a problem is a problem, whoever listed it.
    "Condition": {
        (CONDITION_CATEGORY, "encounter-diagnosis"): Category.CONDITIONS,
        (CONDITION_CATEGORY, "problem-list-item"): Category.CONDITIONS,
        (US_CORE_CONDITION, "health-concern"): Category.CONDITIONS,
        (US_CORE_CONDITION, "problem"): Category.CONDITIONS,
        (US_CORE_CATEGORY, "sdoh"): Category.CONDITIONS,
        (US_CORE_TAGS, "sdoh"): Category.CONDITIONS,
        (US_CORE_CATEGORY, "functional-status"): Category.CONDITIONS,
        (US_CORE_CATEGORY, "cognitive-status"): Category.CONDITIONS,
        (US_CORE_CATEGORY, "disability-status"): Category.CONDITIONS,
    },
    "DiagnosticReport": {
        (DIAGNOSTIC_SERVICE, "LAB"): Category.TEST_RESULTS,
        (DIAGNOSTIC_SERVICE, "GE"): Category.TEST_RESULTS,
        (LOINC, "LP7839-6"): Category.TEST_RESULTS,  # pathology
        (LOINC, "LP29693-6"): Category.TEST_RESULTS,  # laboratory
        (DIAGNOSTIC_SERVICE, "RAD"): Category.IMAGING,
        (LOINC, "LP29684-5"): Category.IMAGING,  # radiology
        (LOINC, "LP29708-2"): Category.TEST_RESULTS,  # cardiology
        (LOINC, "34117-2"): Category.NOTES,  # history and physical, as Synthea reports notes
        (LOINC, "51847-2"): Category.NOTES,
    },
}

# Types that are of the categories of what they belong to: the target, the document.
FOLLOWING = frozenset({"Provenance", "Binary"})

# Which elements a part of records governs: who may see the type, and not this part, gets it without them.
# The narrative goes with them, since it says the same again in words.
ELEMENTS_OF: Mapping[Category, Mapping[str, frozenset[str]]] = {
    Category.CONTACT: {
        "Patient": frozenset({"address", "telecom", "contact", "photo", "text"}),
        "RelatedPerson": frozenset({"address", "telecom", "photo", "text"}),
        "Person": frozenset({"address", "telecom", "photo", "text"}),
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
    by_code = CATEGORY_OF_CODE.get(resource_type, {})
    found = (
        frozenset(by_code[c] for c in codings(resource.get("category")) if c in by_code) if by_code else ()
    )
    return frozenset(found) or frozenset({_of_type(resource_type)})


def _of_type(resource_type: str) -> Category:
    return CATEGORY_OF_TYPE.get(resource_type, Category.OTHER)


def categories_of_scope(resource_type: str, category: str = "") -> frozenset[Category]:
    """What a scope reaches: a type or `*`, narrowed by `category=system|code` (SMART 2.2, granular scopes).

    FOLLOWING types have none of their own: nothing more is shared by letting them come along. The parts
    of records that stand in the type (ELEMENTS_OF) are among it. An unknown category value reaches
    nothing that has a name of its own, so it counts as the type does.
    """
    if resource_type == "*":
        return frozenset(Category)
    if resource_type in FOLLOWING:
        return frozenset()
    parts = {part for part, types in ELEMENTS_OF.items() if resource_type in types}
    by_code = CATEGORY_OF_CODE.get(resource_type, {})
    if by_code and category:
        system, _, code = category.rpartition("|")
        matches = {v for (s, c), v in by_code.items() if c == code and system in ("", s)}
        return frozenset(matches or {_of_type(resource_type)})
    return frozenset({*by_code.values(), _of_type(resource_type), *parts})


def resource_types_of(category: Category) -> frozenset[str]:
    """FHIR types in which resources, or parts, of this category are found."""
    whole = {t for t, c in CATEGORY_OF_TYPE.items() if c is category}
    partly = {t for t, codes in CATEGORY_OF_CODE.items() if category in {*codes.values(), _of_type(t)}}
    return frozenset(whole | partly | set(ELEMENTS_OF.get(category, ())))
