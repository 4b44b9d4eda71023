"""What a patient reads when the clinic has not kept up."""

import secrets

import pytest
from django.urls import reverse
from django.utils import timezone

from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands
from tests import factories

pytestmark = pytest.mark.django_db


def test_A26_more_readings_than_a_clinic_can_look_at_wait_with_words(client):
    alice = factories.alice()
    client.force_login(alice.user)
    taken = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
    for n in range(commands.MOST_WAITING + 1):
        reading = {"systolic": 120 + n, "diastolic": 80, "taken_at": taken, "key": secrets.token_hex(8)}
        answer = client.post(reverse("portal:add-blood-pressure"), reading, follow=True)

    assert "has not checked your last readings" in answer.content.decode()
    assert WriteCommand.objects.count() == commands.MOST_WAITING
