"""Every page has a contract, and shows each state that it declares."""

import pytest
from django.urls import URLPattern, reverse

from portal import urls
from portal.pages import REGISTRY
from portal.states import Kind
from tests import factories
from tests.portal.ehr import ALL, failing

# Addresses that are no pages: they answer a form or hand out a file.
NO_PAGES = {
    *("activity-csv", "activity-ndjson", "activity-pdf", "activity-verifier", "disclosures-file"),
    *("language", "document-file", "consent-fhir", "session", "devices-end"),
    *("acting-switch", "helper-take-back", "helper-do", "emergency-end"),
    *("support-end", "support-reset", "provider-begin", "provider-change", "step-up-provider"),
    *("sharing-pause", "sharing-resume", "sharing-stop", "sharing-answer"),
    *("health-link-show", "health-link-stop"),
    *("share-again", "share-go-on", "share-throw-away"),
    *("add-cancel", "add-go-on", "add-throw-away"),
    *("developer-secret", "developer-move"),
    *(
        "app-stop",
        "download-file",
        "download-private",
        "download-cancel",
        "review-accept",
        "review-send-back",
        "review-accept-many",
        "review-pass-on",
        "review-settle",
    ),
}
# Of the pages of records: name → (arguments, a type whose loss leaves the rest).
RECORD_PAGES = {
    "home": ((), "Appointment"),
    "records": ((), ""),
    "results": ((), "DiagnosticReport"),
    "vitals": ((), ""),
    "report": (("alice-lipids-report-4",), ""),
    "result": (("alice-ldl-4",), ""),
    "trend": (("13457-7",), ""),
    "medicines": ((), "MedicationStatement"),
    "allergies": ((), ""),
    "conditions": ((), ""),
    "vaccines": ((), ""),
    "visits": ((), "Appointment"),
    "documents": ((), ""),
    "care-team": ((), ""),
    "insurance": ((), "Coverage"),
    "visit": (("alice-visit-1",), "Observation"),
    "appointment": (("alice-appointment-1",), ""),
    "document": (("alice-document-3",), ""),
    "more": ((), ""),
    "help": ((), ""),
    "design": ((), ""),
}
CASES = [
    (name, kind)
    for name in RECORD_PAGES
    if name in REGISTRY  # the design page is not there in production
    for kind in sorted(REGISTRY[name].states)
]


def address(name: str) -> str:
    return reverse(f"portal:{name}", args=RECORD_PAGES[name][0])


@pytest.mark.parametrize("pattern", urls.urlpatterns, ids=lambda pattern: pattern.name)
def test_every_address_has_a_contract_or_is_no_page(pattern: URLPattern):
    assert hasattr(pattern.callback, "contract") != (pattern.name in NO_PAGES)


def test_contract_is_named_as_its_address():
    named = {p.name: p.callback.contract.name for p in urls.urlpatterns if hasattr(p.callback, "contract")}

    assert all(name == contract for name, contract in named.items())


@pytest.mark.parametrize("name", sorted(name for name, kind in CASES if kind == Kind.FRESH))
def test_page_shows_fresh_records(alice, client, name):
    response = client.get(address(name))

    assert response.status_code == 200
    assert "MISSING-VARIABLE" not in response.text


@pytest.mark.parametrize("name", [name for name, kind in CASES if kind == Kind.EMPTY])
def test_page_says_that_there_is_nothing(db, client, name):
    patient = factories.create_patient("Kenji Tanaka")
    factories.load_records(factories.patient_record(patient))
    client.force_login(patient.user)

    response = client.get(address(name))

    assert response.status_code == 200
    assert 'class="empty' in response.text


@pytest.mark.parametrize("name", [name for name, kind in CASES if kind == Kind.PARTIAL])
def test_page_names_the_part_that_is_missing(alice, client, settings, name):
    with failing(settings, RECORD_PAGES[name][1]):
        response = client.get(address(name))

    assert response.status_code == 200
    assert "Some parts of this page did not load" in response.text


@pytest.mark.parametrize("name", [name for name, kind in CASES if kind == Kind.ERROR])
def test_page_says_that_it_failed_and_stays_whole(alice, client, settings, name):
    with failing(settings, *ALL):
        response = client.get(address(name))

    assert response.status_code == (200 if name == "home" else 503)
    assert "We could not show your records" in response.text
    assert 'class="empty' not in response.text


@pytest.mark.parametrize("name", ["result", "report", "trend", "document", "visit", "appointment"])
def test_page_of_one_item_says_that_its_source_is_down(alice, client, settings, name):
    with failing(settings, *ALL):
        response = client.get(address(name))

    assert response.status_code == 503
    assert "We could not get your records" in response.text


@pytest.mark.parametrize("name", [name for name in RECORD_PAGES if name not in {"home", "help", "design"}])
def test_page_asks_a_visitor_to_sign_in(db, client, name):
    response = client.get(address(name))

    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", ["result", "report", "document", "visit", "appointment"])
def test_page_of_another_patients_item_is_not_there(alice, client, name):
    stranger = factories.create_patient("Mallory Quinn")
    factories.load_records(factories.patient_record(stranger))
    client.force_login(stranger.user)

    assert client.get(address(name)).status_code == 404


@pytest.mark.parametrize("name", ["results", "vitals", "medicines", "visits", "documents"])
def test_queries_do_not_grow_with_the_record(alice, client, django_assert_max_num_queries, name):
    """Each search costs the gate a fixed number of statements, however much it finds."""
    searches = max(1, len(REGISTRY[name].reads))
    with django_assert_max_num_queries(8 + 14 * searches):
        client.get(address(name))
