"""`manage.py demo_seed --data`: log-ins for records that somebody brings, and what it refuses."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError

from accounts.models import Patient, User
from demo.people import PASSWORD
from fhirproxy.treating import treats
from tests.demo.conftest import seed

pytestmark = pytest.mark.django_db


def write_patient(folder: Path, id: str, given: str, family: str, **elements: object) -> None:
    name = {"name": [{"given": [given], "family": family}]} if family else {}
    patient = {"resourceType": "Patient", "id": id, "birthDate": "1970-01-01"} | name | elements
    (folder / f"{id}.json").write_text(json.dumps(patient))


def patients_logins() -> set[str]:
    return set(User.objects.filter(patient__isnull=False).values_list("email", flat=True))


def test_each_patient_gets_a_log_in_of_their_own(tmp_path):
    for number, (given, family) in enumerate([("José", "Añez123"), ("Jose", "Anez"), ("", "")]):
        write_patient(tmp_path, f"p{number}", given, family)
    printed = seed("--data", str(tmp_path))

    assert patients_logins() == {"jose.anez@demo.example", "jose.anez2@demo.example", "patient@demo.example"}
    assert all(email in printed for email in patients_logins())
    assert User.objects.get(email="jose.anez@demo.example").check_password(PASSWORD)


def test_loading_again_keeps_each_log_in_with_its_record(tmp_path):
    for number in range(3):
        write_patient(tmp_path, f"p{number}", "Ann", "Lee")
    seed("--data", str(tmp_path))
    before = dict(Patient.objects.values_list("identities__fhir_id", "user__email"))
    seed("--data", str(tmp_path))

    assert dict(Patient.objects.values_list("identities__fhir_id", "user__email")) == before
    assert len(before) == 3


def test_patient_with_half_a_birth_date_gets_a_log_in_and_one_with_none_is_named(tmp_path):
    write_patient(tmp_path, "p1", "Ann", "Lee", birthDate="1970-05")
    (tmp_path / "p2.json").write_text(json.dumps({"resourceType": "Patient", "id": "p2"}))
    printed = seed("--data", str(tmp_path))

    assert Patient.objects.get().birth_date.isoformat() == "1970-05-01"
    assert "Patient/p2 has no birth date, so no log-in." in printed


def test_what_the_loader_rejects_stops_nothing(tmp_path):
    write_patient(tmp_path, "p1", "Ann", "Lee")
    (tmp_path / "bad.json").write_text('{"resourceType": "Nonsense", "id": "x"}')
    printed = seed("--data", str(tmp_path))

    assert patients_logins() == {"ann.lee@demo.example"}
    assert "1 rejected" in printed


def test_folder_with_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="There is no FHIR file in"):
        seed("--data", str(tmp_path))
    (tmp_path / "bad.json").write_text("not json")
    with pytest.raises(CommandError, match="No FHIR resource could be read"):
        seed("--data", str(tmp_path))


def test_demo_clinician_can_review_for_each_of_them(tmp_path):
    write_patient(tmp_path, "p1", "Ann", "Lee")
    seed("--data", str(tmp_path))

    osei = User.objects.get(email="dr.osei@demo.example")
    assert treats(osei, Patient.objects.get())


def test_no_more_than_twenty_log_ins(tmp_path):
    for number in range(23):
        write_patient(tmp_path, f"p{number}", "Ann", "Lee")
    seed("--data", str(tmp_path))

    assert len(patients_logins()) == 20


def test_path_that_is_not_there_is_named_and_makes_nobody(tmp_path):
    with pytest.raises(CommandError, match="nowhere is not there"):
        seed("--data", str(tmp_path / "nowhere"))

    assert not User.objects.exists()


def test_outside_the_demo_it_refuses(settings):
    settings.DEMO = False

    with pytest.raises(CommandError, match="runs only where CHARTKEY_MODE is demo or test"):
        seed()
    assert not User.objects.exists()
