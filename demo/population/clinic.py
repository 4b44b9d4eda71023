"""Riverside Clinic: its staff, its places, the lab and the insurer that everyone's records refer to."""

from dataclasses import dataclass

from demo.population.chart import reference
from demo.population.coding import HL7, US_CORE, Resource, coding, concept, hl7, snomed
from demo.population.forms import before_your_visit

NUCC = "http://nucc.org/provider-taxonomy"


@dataclass(frozen=True, slots=True)
class Clinician:
    id: str
    prefix: str
    given: str
    family: str
    npi: str
    taxonomy: str
    speciality: str

    @property
    def name(self) -> str:
        return f"{self.prefix} {self.given} {self.family}".strip()

    @property
    def ref(self) -> Resource:
        return reference(f"Practitioner/{self.id}", self.name)


OSEI = Clinician("dr-osei", "Dr.", "Ngozi", "Osei", "1999999976", "207Q00000X", "Family medicine")
PATEL = Clinician("dr-patel", "Dr.", "Anil", "Patel", "1999999984", "207RC0000X", "Cardiology")
ALVAREZ = Clinician("dr-alvarez", "Dr.", "Lucia", "Alvarez", "1999999992", "208000000X", "Pediatrics")
NGUYEN = Clinician("dr-nguyen", "Dr.", "Linh", "Nguyen", "1999999943", "207V00000X", "Obstetrics")
KIM = Clinician("nurse-kim", "Nurse", "Jae", "Kim", "1999999950", "163W00000X", "Nursing")
HALE = Clinician("dr-hale", "Dr.", "Miriam", "Hale", "1999999968", "103T00000X", "Psychology")
BRANDT = Clinician("dr-brandt", "Dr.", "Otto", "Brandt", "1999999935", "2085R0202X", "Radiology")
CLINICIANS = (OSEI, PATEL, ALVAREZ, NGUYEN, KIM, HALE, BRANDT)

CLINIC = reference("Organization/riverside-clinic", "Riverside Clinic")
LAB = reference("Organization/riverside-lab", "Riverside Lab")
COUNTY_HOSPITAL = reference("Organization/county-hospital", "County Hospital")
INSURER = reference("Organization/harbor-health-plan", "Harbor Health Plan")
MAIN_BUILDING = reference("Location/riverside-main", "Riverside Clinic, Main Street")
VIDEO = reference("Location/riverside-video", "Riverside Clinic, video visit")


def _organization(id: str, name: str, kind: tuple[str, str], phone: str) -> Resource:
    return {
        "resourceType": "Organization",
        "id": id,
        "meta": {"profile": [f"{US_CORE}StructureDefinition/us-core-organization"]},
        "identifier": [{"system": "https://riverside.example/organizations", "value": id}],
        "active": True,
        "type": [hl7("organization-type", *kind)],
        "name": name,
        "telecom": [{"system": "phone", "value": phone, "use": "work"}],
        "address": [
            {
                "line": ["1 Main Street"],
                "city": "Riverside",
                "state": "NY",
                "postalCode": "12999",
                "country": "US",
            }
        ],
    }


def _practitioner(person: Clinician) -> Resource:
    return {
        "resourceType": "Practitioner",
        "id": person.id,
        "meta": {"profile": [f"{US_CORE}StructureDefinition/us-core-practitioner"]},
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": person.npi}],
        "active": True,
        "name": [
            {"use": "official", "family": person.family, "given": [person.given], "prefix": [person.prefix]}
        ],
        "telecom": [{"system": "phone", "value": "555-0100", "use": "work"}],
    }


def _role(person: Clinician) -> Resource:
    return {
        "resourceType": "PractitionerRole",
        "id": f"{person.id}-role",
        "meta": {"profile": [f"{US_CORE}StructureDefinition/us-core-practitionerrole"]},
        "active": True,
        "practitioner": person.ref,
        "organization": CLINIC,
        "code": [concept(NUCC, person.taxonomy, person.speciality)],
        "specialty": [concept(NUCC, person.taxonomy, person.speciality)],
        "location": [MAIN_BUILDING],
        "telecom": [{"system": "phone", "value": "555-0100", "use": "work"}],
    }


def _location(id: str, name: str, form: Resource) -> Resource:
    return {
        "resourceType": "Location",
        "id": id,
        "meta": {"profile": [f"{US_CORE}StructureDefinition/us-core-location"]},
        "status": "active",
        "name": name,
        "type": [form],
        "telecom": [{"system": "phone", "value": "555-0100", "use": "work"}],
        "address": {"line": ["1 Main Street"], "city": "Riverside", "state": "NY", "postalCode": "12999"},
        "managingOrganization": CLINIC,
    }


def resources() -> list[Resource]:
    """What belongs to no patient: organizations, staff, roles and places."""
    outpatient = concept(HL7 + "v3-RoleCode", "OF", "outpatient facility")
    return [
        _organization("riverside-clinic", "Riverside Clinic", ("prov", "Healthcare Provider"), "555-0100"),
        _organization("riverside-lab", "Riverside Lab", ("prov", "Healthcare Provider"), "555-0101"),
        _organization("county-hospital", "County Hospital", ("prov", "Healthcare Provider"), "555-0102"),
        _organization("harbor-health-plan", "Harbor Health Plan", ("pay", "Payer"), "555-0103"),
        *(_practitioner(person) for person in CLINICIANS),
        *(_role(person) for person in CLINICIANS),
        _location("riverside-main", "Riverside Clinic, Main Street", outpatient),
        _location("riverside-video", "Riverside Clinic, video visit", outpatient),
        {
            "resourceType": "HealthcareService",
            "id": "riverside-family-medicine",
            "active": True,
            "providedBy": CLINIC,
            "category": [{"coding": [coding(HL7 + "service-category", "17", "General Practice")]}],
            "type": [snomed("394814009", "General practice (specialty)")],
            "name": "Family medicine",
            "location": [MAIN_BUILDING],
        },
        before_your_visit(),
    ]
