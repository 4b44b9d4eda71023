"""Whom a clinician treats: by care team, or by an encounter in its window; and who is too close for that."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import closeness
from audit.models import AuditEvent
from fhirproxy import treating
from tests import factories
from tests.portal import ehr

pytestmark = pytest.mark.django_db
DR_LEE = "Practitioner/dr-lee"


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def lee():
    return factories.create_staff("Dr. Lee", "clinician", practitioner=DR_LEE)


def hours(count):
    return (timezone.now() + timedelta(hours=count)).isoformat()


def visit(patient, *, status="finished", who=DR_LEE, **period):
    factories.load_records(
        {
            "resourceType": "Encounter",
            "id": f"{factories.fhir_id(patient)}-near",
            "status": status,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
            "participant": [{"individual": {"reference": who}}],
            **({"period": period} if period else {}),
        }
    )


@pytest.mark.parametrize(
    ("status", "start", "end", "treats"),
    [
        ("planned", 71, None, True),
        ("planned", 73, None, False),
        ("finished", -335, -334, True),
        ("finished", -340, -337, False),
        ("in-progress", -2000, None, True),
        ("finished", -2000, None, False),
        ("cancelled", 1, None, False),
        ("entered-in-error", -1, 0, False),
    ],
)
def test_an_encounter_counts_in_its_window(alice, lee, status, start, end, treats):
    visit(alice, status=status, start=hours(start), **({"end": hours(end)} if end is not None else {}))

    assert treating.treats(lee, alice) is treats
    assert treating.patients_of(lee).filter(pk=alice.pk).exists() is treats


def test_A14_another_clinicians_encounter_and_one_without_a_time_do_not_count(alice, lee):
    visit(alice, who="Practitioner/dr-other", start=hours(-1))
    assert not treating.treats(lee, alice)

    visit(alice)
    treating._kept.clear()
    assert not treating.treats(lee, alice)


def test_A14_an_EHR_that_does_not_answer_lets_nobody_in_and_is_asked_again(alice, lee, settings):
    visit(alice, start=hours(-1))
    entry_point = settings.FHIRSTORE_ENTRY_POINT
    with ehr.failing(settings, "Encounter"):
        assert not treating.treats(lee, alice)
    settings.FHIRSTORE_ENTRY_POINT = entry_point

    assert treating.treats(lee, alice)


def test_what_was_answered_is_kept_for_a_minute_and_not_longer(alice, lee, settings, monkeypatch):
    visit(alice, start=hours(-1))
    assert treating.treats(lee, alice)

    with ehr.failing(settings, "Encounter"):
        assert treating.treats(lee, alice)
        monkeypatch.setattr(treating.time, "monotonic", lambda: 10.0**9)
        assert not treating.treats(lee, alice)


def chart(user, patient):
    page = Client()
    page.force_login(user)
    return page.get(f"/review/chart/{patient.pk}/")


def test_A14_a_colleagues_record_asks_for_a_reason(alice):
    osei = factories.dr_osei(treats=[alice])
    alice.user.staff_roles.create(role="support")

    page = chart(osei, alice)

    assert page.status_code == 403
    assert "/review/emergency/" in page.text
    row = AuditEvent.objects.get(type="record:read", outcome="deny")
    assert row.reasons == ["record.close"]
    assert not treating.patients_of(osei).exists()


@pytest.mark.parametrize("who_helps", ["the clinician", "the patient"])
def test_A14_the_record_of_family_asks_for_a_reason(alice, who_helps):
    osei = factories.dr_osei(treats=[alice])
    own = factories.create_patient("Ngozi Osei", signs_in=False)
    own.user = osei
    own.save()
    pair = (osei, alice) if who_helps == "the clinician" else (alice.user, own)
    factories.helps(*pair, "FRND")

    assert closeness.close(osei, alice) == "family"
    assert chart(osei, alice).status_code == 403
    assert not treating.treats(osei, alice)


def test_a_clinic_that_says_so_treats_colleagues_as_anybody(alice, settings):
    settings.CLOSE_RECORDS = frozenset({"family"})
    osei = factories.dr_osei(treats=[alice])
    alice.user.staff_roles.create(role="support")

    assert chart(osei, alice).status_code == 200


def test_whom_they_do_not_treat_stays_unknown(alice):
    osei = factories.dr_osei()
    alice.user.staff_roles.create(role="support")

    assert chart(osei, alice).status_code == 404


def test_A14_nobody_is_the_clinician_of_their_own_record(settings):
    settings.CLOSE_RECORDS = frozenset()
    osei = factories.dr_osei()
    own = factories.create_patient("Ngozi Osei", signs_in=False)
    own.user = osei
    own.save()
    visit(own, who="Practitioner/dr-osei", start=hours(-1))

    assert not treating.treats(osei, own)
    assert not treating.patients_of(osei).exists()
    assert chart(osei, own).status_code == 404
