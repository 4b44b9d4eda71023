"""`manage.py demo_seed`: people and records, once, and only in a demo."""

import json
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Patient, PatientIdentity, RelatedPerson, StaffRole, User
from audit.models import AuditEvent
from demo import people, population, store
from fhirproxy.models import Source
from fhirproxy.treating import treats
from smart.models import Client

pytestmark = pytest.mark.django_db
MONDAY = date(2026, 3, 9)


def seed(*arguments: str, today: str = "2026-03-09") -> str:
    out = StringIO()
    call_command("demo_seed", *arguments, *(["--today", today] if today else []), stdout=out)
    return out.getvalue()


def rows_of_the_store() -> list[tuple]:
    """Every row of every table of the embedded store, as text."""
    tables = [name for name in connection.introspection.table_names() if name.startswith("fhirstore_")]
    rows = []
    with connection.cursor() as cursor:
        for table in sorted(tables):
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows += [(table, *row) for row in cursor.fetchall()]
    return rows


def test_seed_makes_people_who_can_sign_in(client):
    printed = seed()

    alice = User.objects.get(email="alice@demo.example")
    assert alice.check_password(people.PASSWORD)
    assert alice.patient.identities.get().fhir_id == "alice"
    assert "alice@demo.example" in printed
    assert people.PASSWORD in printed
    assert client.post(
        "/accounts/login/", {"login": alice.email, "password": people.PASSWORD}
    ).status_code == 302  # fmt: skip


def test_seed_makes_helpers_staff_source_and_client():
    seed()

    helpers = {(r.user.name, r.patient.name, r.relationship, r.status) for r in RelatedPerson.objects.all()}
    assert {
        ("Amir Moreno", "Alice Moreno", "SPS", "confirmed"),
        ("Alice Moreno", "Tom Moreno", "PRN", "confirmed"),
        ("Dana Lindqvist", "Maya Lindqvist", "PRN", "narrowed"),
    } <= helpers
    assert Patient.objects.get(name="Tom Moreno").user is None
    assert set(StaffRole.objects.values_list("user__email", "role")) == {
        ("dr.osei@demo.example", "clinician"),
        ("cora@demo.example", "compliance"),
        ("sam@demo.example", "support"),
        ("ada@demo.example", "administrator"),
        ("ada@demo.example", "app_reviewer"),
    }
    assert set(User.objects.filter(is_staff=True).values_list("name", flat=True)) == {
        "Cora Lind",
        "Ada Brook",
    }
    assert not User.objects.filter(is_superuser=True).exists()
    assert Source.primary().slug == "embedded"
    glucotrack = Client.objects.get(client_id="glucotrack")
    assert (glucotrack.status, glucotrack.client_type) == ("active", "public")
    assert glucotrack.redirect_uris == "http://127.0.0.1:8001/callback"


def test_seed_puts_every_resource_into_the_store():
    seed()

    for resource_type in ("Patient", "Organization"):
        wanted = {r["id"] for r in population.resources(MONDAY) if r["resourceType"] == resource_type}
        assert {r["id"] for r in store.search(resource_type, ("_count", "200"))} == wanted
    ldl = store.search("Observation", ("patient", "alice"), ("code", "http://loinc.org|13457-7"))
    assert sorted(r["valueQuantity"]["value"] for r in ldl) == [118, 121, 127, 134, 139, 148, 152]


def test_seeding_twice_changes_nothing():
    seed()
    before = (rows_of_the_store(), _counts())
    seed()

    assert len(before[0]) > len(population.resources(MONDAY))
    assert (rows_of_the_store(), _counts()) == before


def test_another_day_moves_the_dates_and_makes_nobody_new():
    seed()
    before = _counts()
    seed(today="2026-06-09")

    assert _counts() == before
    drawn = [
        r["effectiveDateTime"][:10]
        for r in store.search("Observation", ("patient", "alice"), ("status", "preliminary"))
    ]
    assert drawn == ["2026-06-05"]


def test_dr_osei_treats_alice_and_not_mallory():
    seed()
    osei = User.objects.get(email="dr.osei@demo.example")
    patient = {row.fhir_id: row.patient for row in PatientIdentity.objects.select_related("patient")}

    assert treats(osei, patient["alice"])
    assert not treats(osei, patient["mallory"])


def test_own_records_get_log_ins_and_a_clinician(tmp_path: Path):
    names = [("José", "Añez123"), ("Jose", "Anez"), ("", "")]
    for number, (given, family) in enumerate(names):
        (tmp_path / f"{number}.json").write_text(json.dumps(_patient(f"p{number}", given, family)))
    printed = seed("--data", str(tmp_path), today="")

    assert set(User.objects.filter(patient__isnull=False).values_list("email", flat=True)) == {
        "jose.anez@demo.example",
        "jose.anez2@demo.example",
        "patient@demo.example",
    }
    assert "jose.anez2@demo.example" in printed
    osei = User.objects.get(email="dr.osei@demo.example")
    assert all(treats(osei, patient) for patient in Patient.objects.all())


def test_own_records_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(CommandError, match="nowhere is not there"):
        seed("--data", str(tmp_path / "nowhere"), today="")

    assert not User.objects.exists()


def test_seed_refuses_outside_the_demo(settings):
    settings.DEMO = False

    with pytest.raises(CommandError, match="runs only where CHARTKEY_MODE is demo or test"):
        seed()
    assert not User.objects.exists()


def test_registration_of_the_client_is_in_the_log():
    seed()

    assert (
        AuditEvent.objects.filter(target="Client/glucotrack").exists()
        or AuditEvent.objects.filter(client="Client/glucotrack").exists()
    )


def _patient(id: str, given: str, family: str) -> dict:
    name = [{"given": [given], "family": family}] if family else []
    return {
        "resourceType": "Patient",
        "id": id,
        "birthDate": "1970-01-01",
        **({"name": name} if name else {}),
    }


def _counts() -> dict[str, int]:
    models = (User, Patient, PatientIdentity, RelatedPerson, StaffRole, Source, Client, AuditEvent)
    return {model.__name__: model.objects.count() for model in models}
