"""A blood pressure sent from home: what its page says of a number that is dangerous."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from portal.readings import is_very_high
from tests import factories

pytestmark = pytest.mark.django_db
VERY_HIGH = "If you have chest pain, trouble breathing or feel very ill, call"


@pytest.fixture
def alice(client):
    patient = factories.alice()
    factories.load_records(factories.patient_record(patient))
    client.force_login(patient.user)
    return patient


def send(client, systolic: int, diastolic: int):
    form = {"systolic": systolic, "diastolic": diastolic, "key": f"{systolic}/{diastolic}"}
    form["taken_at"] = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    return client.post(reverse("portal:add-blood-pressure"), form, follow=True)


@pytest.mark.parametrize(("systolic", "diastolic"), [(180, 80), (230, 130), (150, 120)])
def test_a_very_high_reading_is_taken_and_its_page_says_when_to_call(
    alice, client, settings, systolic, diastolic
):
    settings.EMERGENCY_NUMBER = "112"
    page = send(client, systolic, diastolic)

    assert page.redirect_chain
    assert f"{VERY_HIGH} 112 now. Else call your clinic today." in page.text
    assert alice.write_commands.count() == 1


def test_a_reading_below_that_says_nothing_of_an_emergency(alice, client):
    page = send(client, 179, 119)

    assert page.redirect_chain
    assert VERY_HIGH not in page.text


def test_call_now_is_not_said_of_what_was_sent_last_week(alice, client):
    address = send(client, 190, 90).redirect_chain[-1][0]
    alice.write_commands.update(created_at=timezone.now() - timedelta(days=7))

    assert VERY_HIGH not in client.get(address).text


@pytest.mark.parametrize(
    ("pressures", "said"),
    [((180, None), True), ((None, 120), True), ((179, 119), False), ((None, None), False)],
)
def test_either_number_is_enough(pressures, said):
    assert is_very_high(*pressures) is said
