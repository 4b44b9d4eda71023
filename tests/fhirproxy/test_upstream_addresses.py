"""A18: where an EHR may be, and where its links may lead."""

import pytest
from django.core.exceptions import ValidationError

from fhirproxy import addresses, cursors
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure

BASE = "https://ehr.example/api/fhir"


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (f"{BASE}?_getpages=1", ("", "_getpages=1")),
        (f"{BASE}/Observation?page=2", ("Observation", "page=2")),
        (f"{BASE}/_page/abc%3D", ("_page/abc%3D", "")),
        ("HTTPS://EHR.example:443/api/fhir/Observation", ("Observation", "")),
        ("Observation?page=2", ("Observation", "page=2")),
        ("?page=2", ("", "page=2")),
        ("/api/fhir/Observation?page=2", ("Observation", "page=2")),
    ],
)
def test_A18_a_link_within_the_base_is_taken(link, found):
    assert addresses.within(BASE, link) == found


@pytest.mark.parametrize(
    "link",
    [
        "https://ehr.example.attacker/api/fhir/Observation",
        "https://ehr.example@attacker.example/api/fhir/Observation",
        "https://user:pass@ehr.example/api/fhir/Observation",
        "http://ehr.example/api/fhir/Observation",
        "https://ehr.example:8443/api/fhir/Observation",
        "//attacker.example/api/fhir/Observation",
        "https://ehr.example/api/fhirother/Observation",
        "https://ehr.example/api/admin",
        "/admin",
        "../admin",
        f"{BASE}/../admin",
        f"{BASE}/%2e%2e/admin",
        f"{BASE}/..%2fadmin",
        f"{BASE}/a//b",
        f"{BASE}/a\\..\\..\\admin",
        f"{BASE}/a b",
        f"{BASE}/a\r\nX: y",
        "https://[::1",
        "https://ehr.example:port/api/fhir/Observation",
        "javascript:alert(1)",
        "file:///etc/passwd",
    ],
)
def test_A18_a_link_that_leads_anywhere_else_is_not(link):
    source = Source(slug="far", name="Far Clinic", kind="http", base_url=BASE)

    assert addresses.within(BASE, link) is None
    with pytest.raises(EhrFailure):
        cursors.next_page(link, source)


@pytest.mark.parametrize(
    ("url", "ok"),
    [
        ("https://ehr.example/fhir", True),
        ("http://127.0.0.1:8080/fhir", True),
        ("http://localhost/fhir", True),
        ("http://ehr:8080/fhir", True),
        ("http://ehr.example/fhir", False),
        ("https://name:word@ehr.example/fhir", False),
        ("https://name@ehr.example/fhir", False),
        ("https://ehr.example/fhir?x=1", False),
        ("https://ehr.example/fhir#x", False),
        ("https://ehr.example/../fhir", False),
        ("ftp://ehr.example/fhir", False),
        ("ehr.example", False),
    ],
)
def test_a_base_is_https_and_has_no_credentials_in_it(url, ok, settings):
    settings.DEMO, settings.EHR_PLAIN_HOSTS = False, ["ehr"]
    source = Source(slug="far", name="Far Clinic", kind="http", base_url=url)

    assert (source.problem() == "") is ok
    if not ok:
        with pytest.raises(ValidationError):
            source.save()


def test_a_source_needs_what_its_auth_needs():
    source = Source(slug="far", kind="http", base_url=BASE, auth="smart", auth_id="id")

    assert "private key" in source.problem()
    source.keep_secret("{}")
    source.token_url = "http://elsewhere.example/token"
    assert source.problem() == ""  # in tests http will do,
    assert addresses.problem(source.token_url) == "The address must begin with https://."


def test_no_source_is_called_r4():
    assert Source(slug="r4", kind="embedded").problem()
