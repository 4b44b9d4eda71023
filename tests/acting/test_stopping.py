"""A helper stops helping, from their own page."""

import pytest
from django.test import Client

from audit.models import AuditEvent
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


@pytest.fixture
def his(amir) -> Client:
    page = Client()
    page.force_login(amir)
    return page


def test_a_helper_stops_and_the_patient_is_told(alice, amir, his):
    relation = factories.let_help(amir, alice)
    his.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    address = f"/acting/{relation.pk}/stop/"

    assert address in his.get("/acting/").text
    assert "Stop helping <bdi>Alice Moreno</bdi>?" in his.get(address).text
    assert his.post(address).headers["Location"] == "/acting/"

    relation.refresh_from_db()
    assert (relation.status, relation.reason) == ("ended", "helper-stopped")
    assert not relation.consents.get().is_active
    assert his.get(f"/for/{relation.pk}/results/").status_code in (403, 409)
    assert Notice.objects.filter(recipient=f"User/{alice.user.pk}", kind="helper_stopped").exists()
    assert AuditEvent.objects.get(type="helper:end").role == "helper"


def test_a_second_time_changes_nothing_and_says_so(alice, amir, his):
    relation = factories.let_help(amir, alice)
    his.post(f"/acting/{relation.pk}/stop/")

    assert his.post(f"/acting/{relation.pk}/stop/").status_code == 403
    assert AuditEvent.objects.filter(type="helper:end").count() == 1


def test_a_request_is_withdrawn(alice, amir, his):
    relation = factories.helps(amir, alice, "SPS", status="asked")

    assert f"/acting/{relation.pk}/stop/" in his.get("/acting/").text
    his.post(f"/acting/{relation.pk}/stop/")

    relation.refresh_from_db()
    assert relation.reason == "withdrawn"


def test_nobody_stops_anothers_help(alice, amir):
    relation = factories.let_help(amir, alice)
    other = Client()
    other.force_login(factories.mallory().user)

    assert other.post(f"/acting/{relation.pk}/stop/").status_code == 404
    relation.refresh_from_db()
    assert relation.status == "confirmed"


@pytest.mark.parametrize("has_record", [True, False])
def test_A22_a_wrong_code_is_an_event_for_whoever_enters_it(has_record):
    user = factories.mallory().user if has_record else factories.create_user("Eve Adams")
    page = Client()
    page.force_login(user)

    page.post("/helpers/join/", {"code": "BCDFG-HJKLM"})

    row = AuditEvent.objects.get(type="helper:try")
    assert (row.outcome, row.actor, row.reasons) == ("deny", f"User/{user.pk}", ["helper.code"])
    assert bool(row.patient) is has_record
