"""Alice's real record of the demo population, in the embedded FHIR server, read through the gate."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.models import User
from demo import people, store
from demo.population import clinic
from demo.population.stories import alice as story


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """A page in Spanish leaves its language behind in the thread."""
    with translation.override("en"):
        yield


@pytest.fixture
def alice(db, client: Client) -> User:
    """Alice, signed in, with the record of the demo's story."""
    people.make_source()
    store.put(clinic.resources())
    record = story.chart(timezone.localdate()).resources
    store.put(record)
    user = people.make_user(people.PATIENTS["alice"])
    people.make_patient(record[0], user.name, user)
    client.force_login(user)
    return user
