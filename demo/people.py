"""Who can sign in to the demo, and who they are to each other. Every function may run twice."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts import relations, relationships
from accounts.models import Patient, PatientIdentity, RelatedPerson, StaffRole, User
from accounts.relation_states import Why
from consent import ages, helper_rights
from consent import commands as consents
from consent.versions import Act
from demo.population.coding import Resource
from fhirproxy.models import Source
from smart.commands import register_client
from smart.models import Client

PASSWORD = "demo-password-2026"
SOURCE = "embedded"


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    name: str
    what: str  # shown in the list of log-ins


# Patients who sign in, by the id of their record. Tom and Ella are children and do not.
PATIENTS = {
    "alice": Login("alice@demo.example", "Alice Moreno", "patient: the story to follow"),
    "amir": Login("amir@demo.example", "Amir Moreno", "patient; helper of Alice"),
    "maya": Login("maya@demo.example", "Maya Lindqvist", "patient, 16, with a confidential visit"),
    "grace": Login("grace@demo.example", "Grace Okafor", "patient, pregnant; mother of Ella, 3"),
    "raymond": Login("raymond@demo.example", "Raymond Castillo", "patient with many results, Spanish"),
    "evelyn": Login("evelyn@demo.example", "Evelyn Bennett", "patient, 82"),
    "jordan": Login("jordan@demo.example", "Jordan Ellis", "patient with private topics"),
    "kenji": Login("kenji@demo.example", "Kenji Tanaka", "patient whose record is almost empty"),
    "mallory": Login("mallory@demo.example", "Mallory Quinn", "patient, a stranger to the others"),
}
CHILDREN = {"tom": "Tom Moreno", "ella": "Ella Okafor"}
HELPERS = (
    Login("rosa@demo.example", "Rosa Bennett", "helper of her mother Evelyn"),
    Login("dana@demo.example", "Dana Lindqvist", "mother of Maya, sees less since Maya is a teen"),
)
# Who helps whom: helper's address, record, relationship, level.
RELATIONSHIPS = (
    ("amir@demo.example", "alice", "SPS", "daily"),
    ("alice@demo.example", "tom", "PRN", "most"),
    ("amir@demo.example", "tom", "PRN", "most"),
    ("grace@demo.example", "ella", "PRN", "most"),
    ("rosa@demo.example", "evelyn", "CHILD", "most"),
    ("dana@demo.example", "maya", "PRN", "most"),
)
STAFF = (
    (
        Login("dr.osei@demo.example", "Dr. Ngozi Osei", "clinician: reviews what patients send"),
        ("clinician",),
    ),
    (Login("cora@demo.example", "Cora Lind", "compliance: the console at /admin/"), ("compliance",)),
    (Login("bill@demo.example", "Bill Ward", "billing: plans and bills at /billing/"), ("billing",)),
    (Login("sam@demo.example", "Sam Park", "support: the desk at /support/"), ("support",)),
    (
        Login(
            "ada@demo.example",
            "Ada Brook",
            "administrator and app reviewer: the console at /admin/",
        ),
        ("administrator", "app_reviewer"),
    ),
)
CONSOLE = frozenset({"compliance", "administrator"})  # roles that open the admin console
PRACTITIONER = "Practitioner/dr-osei"
# Of the app for codes that `demo_code` gives to the demo's staff. It is as public as PASSWORD.
STAFF_SECRET = "CHARTKEYDEMOSTAFFCHARTKEYDEMOSTA"


def make_source() -> None:
    Source.objects.get_or_create(
        slug=SOURCE, defaults={"name": settings.CLINIC_NAME, "kind": Source.Kind.EMBEDDED, "is_primary": True}
    )


@cache
def password_hash() -> str:
    """PASSWORD, hashed once for all: hashing is slow on purpose, and everybody knows this password."""
    return make_password(PASSWORD)


def make_user(login: Login, *, language: str = "en", is_staff: bool = False) -> User:
    return User.objects.get_or_create(
        email=login.email,
        defaults={
            "name": login.name,
            "password": password_hash(),
            "language": language,
            "is_staff": is_staff,
        },
    )[0]


def find_patient(fhir_id: str) -> Patient | None:
    """Whose record it is in the embedded store."""
    return Patient.objects.filter(
        identities__in=PatientIdentity.objects.filter(source=SOURCE, fhir_id=fhir_id)
    ).first()


def make_patient(record: Resource, name: str, user: User | None) -> Patient:
    """The Patient row of a FHIR Patient that has a birth date; of one that is known, its row.

    Where the date gives no day or month (R4 date), the first one stands for it.
    """
    born = date.fromisoformat((record["birthDate"] + "-01-01")[:10])
    if known := find_patient(record["id"]):
        known.birth_date, known.user, known.is_test = born, known.user or user, True
        known.save(update_fields=["birth_date", "user", "is_test"])
        return known
    patient = Patient.objects.create(user=user, name=name, birth_date=born, is_test=True)
    PatientIdentity.objects.create(patient=patient, source=SOURCE, fhir_id=record["id"])
    return patient


def make_cast(records: dict[str, Resource]) -> list[Login]:
    """The people of the demo population. `records`: FHIR Patients by id. Returns the log-ins."""
    patients = {id: make_patient(records[id], name, None) for id, name in CHILDREN.items()}
    for id, login in PATIENTS.items():
        language = records[id]["communication"][0]["language"]["coding"][0]["code"]
        patients[id] = make_patient(records[id], login.name, make_user(login, language=language))
    for login in HELPERS:
        make_user(login)
    for email, id, relationship, level in RELATIONSHIPS:
        make_helper(User.objects.get(email=email), patients[id], relationship, level)
    return [*PATIENTS.values(), *HELPERS]


def make_helper(user: User, patient: Patient, relationship: str, level: str) -> None:
    """A relationship as it would stand after its steps, with the consent behind it."""
    if patient.helpers.filter(user=user).exists():
        return
    parent = relationship == "PRN"
    basis = RelatedPerson.Basis.PARENT if parent else RelatedPerson.Basis.CHOICE
    now = timezone.now()
    by = patient.user if patient.user and not parent else user
    relation = relations.start(
        patient,
        user,
        Why.CODE_TAKEN,
        relationship=relationship,
        basis=basis,
        level=level,
        may_share=level == "most",
        may_write=True,
        evidence=relationships.bases()[basis].evidence,
        until=min(helper_rights.latest_end(basis, patient, now), now + timedelta(days=365)),
        review_at=now + timedelta(days=relationships.bases()[basis].review_days),
        by=by,
        role="helper",
    )
    act = Act(by=by, channel="staff", text_shown="The demo's own.", language="en")
    consents.let_help(
        relation=relation,
        categories=helper_rights.for_writing(helper_rights.categories_of(level), relation.may_write),
        labels=[],
        until=relation.period_end or now,
        act=act,
        can_write=relation.may_write,
    )
    if ages.is_teen(patient, now) and parent:
        relations.become(relation, Why.TEEN_AGE, by=None, role="system")


def make_staff() -> list[Login]:
    for login, roles in STAFF:
        user = make_user(login, is_staff=bool(CONSOLE & set(roles)))
        for role in roles:
            practitioner = PRACTITIONER if role == "clinician" else ""
            StaffRole.objects.get_or_create(user=user, role=role, defaults={"practitioner": practitioner})
    return [login for login, _ in STAFF]


def make_client() -> Client:
    """GlucoTrack, the demo's SMART app. It keeps its registration, but follows the port it runs on."""
    redirect, launch = f"{settings.DEMO_CLIENT_URL}/callback", f"{settings.DEMO_CLIENT_URL}/launch"
    client = Client.objects.filter(client_id="glucotrack").first()
    if client is None:
        return register_client(
            client_id="glucotrack",
            name="GlucoTrack",
            vendor="Acme Health",
            purpose="to show your sugar and cholesterol levels over time",
            redirect_uris=[redirect],
            client_type=Client.CLIENT_PUBLIC,
            scope="",
            launch_uri=launch,
        )
    if (client.redirect_uris, client.launch_uri) != (redirect, launch):
        client.redirect_uris, client.launch_uri = redirect, launch
        client.save(update_fields=["redirect_uris", "launch_uri", "updated"])
    return client
