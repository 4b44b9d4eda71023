"""SMART App Launch 2.2, "User-access Brands and Endpoints": what apps are told of each FHIR base."""

import pytest

from accounts.models import PatientIdentity
from fhirproxy import brands
from fhirproxy.models import Source
from tests import factories

pytestmark = pytest.mark.django_db
BUNDLE = "/.well-known/user-access-brands.json"
HTTP = {"kind": "http", "base_url": "https://secret-host.example/fhir"}


@pytest.fixture
def far() -> Source:
    factories.create_source()
    return Source.objects.create(slug="far", name="Far Clinic", **HTTP)


def test_the_bundle_is_public_for_pages_elsewhere_and_kept_by_its_etag(client, far):
    first = client.get(BUNDLE, headers={"origin": "https://app.example"})
    again = client.get(BUNDLE, headers={"if-none-match": first["ETag"]})
    far.name = "Further Clinic"
    far.save()
    changed = client.get(BUNDLE, headers={"if-none-match": first["ETag"]})

    assert (first.status_code, first["Access-Control-Allow-Origin"]) == (200, "*")
    assert first["Content-Type"] == "application/fhir+json"
    assert first["ETag"].startswith('W/"')
    assert first["Cache-Control"] == "public, max-age=300"
    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


def test_its_time_is_that_of_the_last_change(client, far):
    first = client.get(BUNDLE).json()

    assert (first["type"], bool(first["timestamp"])) == ("collection", True)
    assert client.get(BUNDLE).json()["timestamp"] == first["timestamp"]


def test_brands_and_endpoints_are_as_the_profiles_ask(client, far):
    body = client.get(BUNDLE)
    resources = {
        (e["resource"]["resourceType"], e["resource"]["id"]): e["resource"] for e in body.json()["entry"]
    }
    organizations = [r for (kind, _), r in resources.items() if kind == "Organization"]
    primary = (
        resources["Organization", "clinic"] if ("Organization", "clinic") in resources else organizations[0]
    )

    assert len(organizations) == 2
    # "SHALL publish at least a primary brand that references each FHIR endpoint in the Brand Bundle"
    assert {e["reference"] for e in primary["endpoint"]} == {
        f"Endpoint/{name}" for kind, name in resources if kind == "Endpoint"
    }
    for organization in organizations:
        assert organization["name"]
        [website] = organization["telecom"]
        assert website["system"] == "url"
        assert ("value" in website) != ("_value" in website)
        [portal] = organization["extension"]
        inside = {
            p["valueReference"]["reference"] for p in portal["extension"] if p["url"] == "portalEndpoint"
        }
        assert inside <= {e["reference"] for e in organization["endpoint"]}  # uab-1
    for (kind, name), endpoint in resources.items():
        if kind == "Endpoint":
            assert endpoint["status"] == "active"
            assert endpoint["address"] == Source.objects.get(slug=name).fhir_url
            assert endpoint["extension"][0]["valueCode"] == "4.0.1"
            assert endpoint["connectionType"]["code"] == "hl7-fhir-rest"
            assert endpoint["payloadType"]
            assert endpoint["contact"][0]["system"] == "url"
    assert b"secret-host" not in body.content


@pytest.mark.parametrize("website", ["", "https://clinic.example"])
def test_the_primary_brand_is_known_by_the_clinics_website(client, far, settings, website):
    settings.CLINIC_WEBSITE = website

    body = client.get("/.well-known/user-access-brands.json").json()

    [primary] = [
        e["resource"] for e in body["entry"] if e["resource"].get("telecom") and "partOf" not in e["resource"]
    ]
    known_by = website or "http://testserver"
    assert primary["telecom"] == [{"system": "url", "value": known_by}]
    assert primary["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": known_by}]
    said = client.get("/fhir/r4/.well-known/smart-configuration").json()
    assert said["user_access_brand_identifier"] == primary["identifier"][0]


@pytest.mark.parametrize("base", ["/fhir/r4", "/fhir/far/r4"])
def test_each_base_says_which_brand_it_is(client, far, base):
    said = client.get(f"{base}/.well-known/smart-configuration").json()
    entries = client.get(said["user_access_brand_bundle"].removeprefix("http://testserver")).json()["entry"]

    same = [
        e["resource"]
        for e in entries
        if said["user_access_brand_identifier"] in e["resource"].get("identifier", [])
    ]
    assert len(same) == 1  # "SHALL ensure this identifier matches exactly one Organization.identifier"
    assert f"Endpoint/{same[0]['id']}" in [e["reference"] for e in same[0]["endpoint"]]


def test_each_base_has_metadata_of_its_own(client, far):
    """RFC 9728, 3.3: `resource` is the address that the metadata was made from."""
    path = "/.well-known/oauth-protected-resource/fhir/"

    assert client.get(f"{path}far/r4").json()["resource"] == "http://testserver/fhir/far/r4"
    assert client.get(f"{path}nowhere/r4").status_code == 404


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("http://testserver/fhir/r4", True),
        ("http://testserver/fhir/far/r4", True),
        ("http://testserver/fhir/nowhere/r4", False),
        ("http://testserver.attacker.example/fhir/far/r4", False),
        ("https://secret-host.example/fhir", False),
        ("far", False),
        ("", False),
    ],
)
def test_an_audience_is_one_of_our_bases(far, url, ours):
    assert brands.is_base(url) is ours


def test_a_patient_has_an_id_of_their_own_at_each_base(far):
    alice = factories.create_patient("Alice Moreno")
    PatientIdentity.objects.create(patient=alice, source="far", fhir_id="a-1")
    mallory = factories.create_patient("Mallory Moe")

    assert brands.patient_at(alice, "http://testserver/fhir/far/r4") == "a-1"
    assert brands.patient_at(mallory, "http://testserver/fhir/far/r4") == ""
