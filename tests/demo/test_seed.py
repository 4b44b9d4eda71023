"""`manage.py demo_seed`: the people and the records of the demo, once."""

from datetime import date

import pytest
from django.db import connection

from accounts.models import Patient, PatientIdentity, RelatedPerson, StaffRole, User
from audit.models import AuditEvent
from demo import people, population, store
from fhirproxy.models import Source
from fhirproxy.treating import treats
from smart.models import Client
from tests.demo.conftest import seed

MONDAY = date(2026, 3, 9)

# `seeded` first: its transaction is the outer one.
pytestmark = [pytest.mark.usefixtures("seeded", "db")]


def rows_of_the_store() -> list[tuple[str, str]]:
    """Every row of every table of the embedded store, as text."""
    tables = [name for name in connection.introspection.table_names() if name.startswith("fhirstore_")]
    rows = []
    with connection.cursor() as cursor:
        for table in sorted(tables):
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows += [(table, text) for (text,) in cursor.fetchall()]
    return rows


def counts() -> dict[str, int]:
    models = (User, Patient, PatientIdentity, RelatedPerson, StaffRole, Source, Client, AuditEvent)
    return {model.__name__: model.objects.count() for model in models}


def test_log_ins_are_printed_and_work(seeded, client):
    logins = [*people.PATIENTS.values(), *people.HELPERS, *(login for login, _ in people.STAFF)]

    assert all(f"  {login.email} " in seeded for login in logins)
    assert set(User.objects.values_list("email", flat=True)) == {login.email for login in logins}
    assert set(User.objects.values_list("password", flat=True)) == {people.password_hash()}
    assert people.PASSWORD in seeded

    response = client.post("/accounts/login/", {"login": "alice@demo.example", "password": people.PASSWORD})
    assert response.status_code == 302


def test_the_list_says_where_the_console_is(seeded):
    said = {line.split()[0]: line for line in seeded.splitlines() if "@demo.example" in line}

    assert "/admin/" in said["cora@demo.example"]


def test_patients_are_tied_to_their_records():
    tied = {row.fhir_id: row.patient for row in PatientIdentity.objects.filter(source="embedded")}

    assert set(tied) == {chart[0]["id"] for chart in population.charts(MONDAY)}
    assert tied["alice"].user.email == "alice@demo.example"
    assert tied["tom"].user is None
    assert tied["tom"].birth_date.year in {2013, 2014}
    assert tied["raymond"].user.language == "es"


def test_helpers_have_their_relationships():
    rows = RelatedPerson.objects.values_list("user__name", "patient__name", "relationship", "status")

    assert set(rows) == {
        ("Amir Moreno", "Alice Moreno", "SPS", "confirmed"),
        ("Alice Moreno", "Tom Moreno", "PRN", "narrowed"),
        ("Amir Moreno", "Tom Moreno", "PRN", "narrowed"),
        ("Grace Okafor", "Ella Okafor", "PRN", "confirmed"),
        ("Rosa Bennett", "Evelyn Bennett", "CHILD", "confirmed"),
        ("Dana Lindqvist", "Maya Lindqvist", "PRN", "narrowed"),
    }


def test_staff_have_their_roles_and_nobody_is_superuser():
    rows = StaffRole.objects.values_list("user__email", "role", "practitioner")

    assert set(rows) == {
        ("dr.osei@demo.example", "clinician", "Practitioner/dr-osei"),
        ("cora@demo.example", "compliance", ""),
        ("bill@demo.example", "billing", ""),
        ("sam@demo.example", "support", ""),
        ("ada@demo.example", "administrator", ""),
        ("ada@demo.example", "app_reviewer", ""),
    }
    assert set(User.objects.filter(is_staff=True).values_list("name", flat=True)) == {
        "Cora Lind",
        "Ada Brook",
    }
    assert not User.objects.filter(is_superuser=True).exists()


def test_client_is_registered_and_in_the_log(settings):
    client = Client.objects.get(client_id="glucotrack")

    assert (client.name, client.vendor, client.status) == ("GlucoTrack", "Acme Health", "active")
    assert (client.client_type, client.authorization_grant_type) == ("public", "authorization-code")
    assert client.redirect_uris == f"{settings.DEMO_CLIENT_URL}/callback"
    assert AuditEvent.objects.filter(client="Client/glucotrack").count() == 1


def test_every_resource_is_in_the_store():
    wanted = population.resources(MONDAY)
    for resource_type in {resource["resourceType"] for resource in wanted} - {"Observation", "Binary"}:
        ids = {r["id"] for r in wanted if r["resourceType"] == resource_type}
        assert {r["id"] for r in store.search(resource_type, ("_count", "200"))} == ids

    ldl = store.search("Observation", ("patient", "alice"), ("code", "http://loinc.org|13457-7"))
    assert sorted(r["valueQuantity"]["value"] for r in ldl) == [118, 121, 127, 134, 139, 148, 152]


def test_seeding_again_changes_nothing():
    before = (rows_of_the_store(), counts())
    seed("--today", MONDAY.isoformat())

    assert len(before[0]) > len(population.resources(MONDAY))
    assert (rows_of_the_store(), counts()) == before


def test_another_day_moves_the_dates_and_makes_nobody_new():
    before = counts()
    seed("--today", "2026-06-09")

    assert counts() == before
    preliminary = store.search("Observation", ("patient", "alice"), ("status", "preliminary"))
    assert [r["effectiveDateTime"][:10] for r in preliminary] == ["2026-06-05"]


def test_dr_osei_treats_alice_and_not_mallory():
    osei = User.objects.get(email="dr.osei@demo.example")

    assert treats(osei, Patient.objects.get(name="Alice Moreno"))
    assert not treats(osei, Patient.objects.get(name="Mallory Quinn"))
