"""The standing cast: Alice (patient), Amir (her helper), Tom (her son, 12), Mallory (nobody),
Dr Osei (clinician), Acme (a client). Each is made afresh, and reaches its state by the real commands.

Records go into the embedded store through its entry point; `load_records` takes any FHIR resource.
"""

import uuid
from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts import relations
from accounts.models import Patient, PatientIdentity, RelatedPerson, StaffRole, User
from accounts.relation_states import Why
from consent import ages, helper_rights
from consent import commands as consents
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category
from demo import store
from demo.people import PASSWORD, SOURCE, password_hash
from demo.population import clinic
from demo.population.coding import Resource
from fhirproxy.models import Source
from smart.commands import register_client
from smart.models import Client

__all__ = ["PASSWORD"]


def create_user(name: str = "Pat Example", *, email: str = "", **fields: object) -> User:
    """A person who can sign in with PASSWORD. Without an address they get one that nobody has."""
    email = email or f"{name.split()[0].lower()}-{uuid.uuid4().hex[:8]}@demo.example"
    return User.objects.create(email=email, name=name, password=password_hash(), **fields)


def create_source() -> Source:
    return Source.objects.get_or_create(
        slug=SOURCE, defaults={"name": "Riverside Clinic", "kind": "embedded", "is_primary": True}
    )[0]


def create_patient(
    name: str = "Pat Example",
    *,
    fhir_id: str = "",
    birth_date: date = date(1980, 5, 1),
    signs_in: bool = True,
) -> Patient:
    """A patient with an identity in the embedded store, and a log-in unless `signs_in` is false.

    No record is written for them: see `load_records` and `patient_record`.
    """
    create_source()
    patient = Patient.objects.create(
        user=create_user(name) if signs_in else None, name=name, birth_date=birth_date
    )
    PatientIdentity.objects.create(
        patient=patient, source=SOURCE, fhir_id=fhir_id or f"{name.split()[0].lower()}-{uuid.uuid4().hex[:8]}"
    )
    return patient


def fhir_id(patient: Patient) -> str:
    return patient.identities.get(source=SOURCE).fhir_id


def load_records(*resources: Resource) -> None:
    """Put resources into the embedded store in one transaction. Raises demo.store.NotStored."""
    store.put(resources)


def patient_record(patient: Patient) -> Resource:
    """The least FHIR Patient for a row."""
    given, _, family = patient.name.partition(" ")
    return {
        "resourceType": "Patient",
        "id": fhir_id(patient),
        "name": [{"given": [given], "family": family}],
        "birthDate": patient.birth_date.isoformat(),
    }


def lab_result(patient: Patient, id: str = "", **elements: object) -> Resource:
    """An LDL of 118 mg/dL in the category laboratory; `elements` change or add to it."""
    return {
        "resourceType": "Observation",
        "id": id or f"{fhir_id(patient)}-ldl",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "13457-7"}], "text": "LDL cholesterol"},
        "subject": {"reference": f"Patient/{fhir_id(patient)}"},
        "effectiveDateTime": "2026-03-02T08:20:00-05:00",
        "valueQuantity": {
            "value": 118,
            "unit": "mg/dL",
            "system": "http://unitsofmeasure.org",
            "code": "mg/dL",
        },
        "referenceRange": [{"high": {"value": 100, "unit": "mg/dL"}}],
        **elements,
    }


def alice() -> Patient:
    """Alice Moreno, with a Patient record and one lab result in the store."""
    patient = create_patient("Alice Moreno", birth_date=date(1979, 4, 17))
    load_records(patient_record(patient), lab_result(patient))
    return patient


def mallory() -> Patient:
    """A patient who has nothing to do with anyone."""
    patient = create_patient("Mallory Quinn")
    load_records(patient_record(patient), lab_result(patient))
    return patient


def tom() -> Patient:
    """Alice's son, 12. He has no log-in; see `helps` for his mother."""
    twelve = timezone.localdate() - timedelta(days=round(12.5 * 365.25))
    patient = create_patient("Tom Moreno", birth_date=twelve, signs_in=False)
    load_records(patient_record(patient))
    return patient


def amir(of: Patient | None = None) -> User:
    """Amir, who helps Alice (or `of`), and has no record of his own here."""
    user = create_user("Amir Moreno")
    helps(user, of or alice(), "SPS")
    return user


def helps(
    user: User, patient: Patient, relationship: str = "PRN", *, status: str = "confirmed"
) -> RelatedPerson:
    """A relationship alone, without a consent: see `let_help`."""
    minor = relationship == "PRN" and ages.is_minor(patient, timezone.now())
    basis = "parent" if minor else "choice"
    return RelatedPerson.objects.create(
        patient=patient, user=user, relationship=relationship, status=status, basis=basis
    )


def let_help(
    user: User,
    patient: Patient,
    relationship: str = "SPS",
    *,
    level: str = "most",
    basis: str = "",
    days: int = 300,
    categories: Collection[str] = (),
    may_share: bool = False,
    may_write: bool = False,
) -> RelatedPerson:
    """A helper who can act: the relationship, by its command, and the consent behind it."""
    basis = basis or ("parent" if relationship == "PRN" else "choice")
    until = timezone.now() + timedelta(days=days)
    by = patient.user or user
    with transaction.atomic():
        relation = relations.start(
            patient,
            user,
            Why.CODE_TAKEN,
            relationship=relationship,
            basis=basis,
            level=level,
            may_share=may_share,
            may_write=may_write,
            until=until,
            review_at=until,
            by=by,
            role="helper",
        )
        consents.let_help(
            relation=relation,
            categories=helper_rights.for_writing(helper_rights.categories_of(level, categories), may_write),
            labels=[],
            until=until,
            act=Act(by=by, channel="portal", text_shown="May they help?", language="en"),
            can_write=may_write,
        )
    return relation


def create_staff(name: str, *roles: str, practitioner: str = "") -> User:
    """A member of staff; compliance and administrators open the admin console."""
    user = create_user(name, is_staff=bool({"compliance", "administrator"} & set(roles)))
    for role in roles:
        StaffRole.objects.create(user=user, role=role, practitioner=practitioner)
    return user


def dr_osei(*, treats: Collection[Patient] = ()) -> User:
    """The clinician; the care teams of those she `treats` name her in the EHR."""
    user = create_staff("Dr. Ngozi Osei", "clinician", practitioner="Practitioner/dr-osei")
    if treats:
        load_records(*clinic.resources(), *(_team(patient) for patient in treats))
    return user


def _team(patient: Patient) -> Resource:
    return {
        "resourceType": "CareTeam",
        "id": f"{fhir_id(patient)}-team",
        "status": "active",
        "subject": {"reference": f"Patient/{fhir_id(patient)}"},
        "participant": [{"member": {"reference": "Practitioner/dr-osei"}}],
    }


def acme_client(**changes: object) -> Client:
    """A public SMART client of Acme Health, active, with PKCE. Its client_id is new each time."""
    return register_client(
        **{
            "client_id": f"acme-{uuid.uuid4().hex[:8]}",
            "name": "Acme",
            "vendor": "Acme Health",
            "purpose": "to show your sugar levels",
            "redirect_uris": ["http://127.0.0.1:8001/callback"],
            "client_type": "public",
            "scope": "",
        }
        | changes
    )


def create_consent(
    patient: Patient,
    client: Client | None = None,
    *,
    categories: Collection[Category] = (Category.TEST_RESULTS, Category.DEMOGRAPHICS),
    labels: Collection[str] = (),
    until: datetime | None = None,
    can_write: bool = False,
) -> Consent:
    """What the patient allowed the client, by `consent.commands.grant`; for 30 days, no private topic."""
    return consents.grant(
        patient=patient,
        client=client or acme_client(),
        categories=categories,
        labels=labels,
        until=until or timezone.now() + timedelta(days=30),
        by=patient.user,
        channel="portal",
        text_shown="Share your records with Acme?",
        language="en",
        can_write=can_write,
    )
