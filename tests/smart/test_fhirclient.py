"""A client that we did not write: `fhirclient`, against the running server.

It finds the endpoints in the CapabilityStatement, not in smart-configuration.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client as Browser
from fhirclient import client as fhirclient
from fhirclient.models.observation import Observation

from fhirproxy import metadata
from tests import factories
from tests.smart.app import LABORATORY, REDIRECT_URI, App

SCOPE = f"launch/patient offline_access patient/Patient.rs patient/Observation.rs?category={LABORATORY}"


@pytest.fixture
def base(live_server, settings) -> Iterator[str]:
    settings.BASE_URL = live_server.url
    settings.FHIR_BASE_URL = f"{live_server.url}/fhir/r4"
    metadata._statement.cache_clear()  # another test may have asked under another address
    yield settings.FHIR_BASE_URL
    metadata._statement.cache_clear()


def test_fhirclient_connects_reads_and_refreshes(base, transactional_db):
    alice = factories.alice()
    browser = Browser()
    browser.force_login(alice.user)
    app = App(browser)
    smart = fhirclient.FHIRClient(
        {
            "app_id": app.client.client_id,
            "api_base": base,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
        }
    )

    asked = urlsplit(smart.authorize_url)
    page = browser.get(f"{asked.path}?{asked.query}")["Location"]
    smart.handle_callback(app.answer(page)["Location"])

    assert smart.ready
    assert smart.patient_id == factories.fhir_id(alice)
    assert smart.human_name(smart.patient.name[0]) == "Alice Moreno"
    laboratory = Observation.where({"category": "laboratory", "patient": smart.patient_id})
    found = laboratory.perform_resources_iter(smart.server)
    assert [observation.valueQuantity.value for observation in found] == [118]

    before = smart.server.auth.access_token
    assert smart.reauthorize()
    assert smart.server.auth.access_token != before
