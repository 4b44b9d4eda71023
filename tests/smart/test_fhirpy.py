"""A client that we did not write: `fhirpy`, with a bearer token, against the running server."""

import pytest
from django.test import Client as Browser
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ForbiddenError

from tests import factories
from tests.smart.app import App
from tests.smart.test_fhirclient import base  # noqa: F401  a fixture


def test_fhirpy_reads_and_searches_what_was_shared(base, transactional_db):  # noqa: F811
    alice = factories.alice()
    browser = Browser()
    browser.force_login(alice.user)
    answer = App(browser).connect(asked={"aud": base})
    fhir = SyncFHIRClient(base, authorization=f"Bearer {answer['access_token']}")

    patient = fhir.reference("Patient", answer["patient"]).to_resource()
    assert patient.serialize()["name"][0]["family"] == "Moreno"
    found = fhir.resources("Observation").search(category="laboratory").fetch_all()
    assert 118 in [one["valueQuantity"]["value"] for one in found]
    with pytest.raises(ForbiddenError):
        fhir.resources("MedicationRequest").fetch()
