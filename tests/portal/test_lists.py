"""The lists say what is on the record, and never more than is known."""

import pytest
from django.utils import timezone

from tests import factories

LAB = "http://terminology.hl7.org/CodeSystem/v2-0074"


@pytest.fixture
def kenji(db, client):
    patient = factories.create_patient("Kenji Tanaka")
    factories.load_records(factories.patient_record(patient))
    client.force_login(patient.user)
    return patient


def statement(patient, code: str, **more: object) -> dict:
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"{factories.fhir_id(patient)}-allergy",
        "patient": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}], "text": "Penicillin"},
        "recordedDate": "2026-03-02",
        **more,
    }


def test_no_known_allergies_says_who_checked_and_when(kenji, client):
    factories.load_records(statement(kenji, "716186003"))

    page = client.get("/allergies/").text

    assert "No known allergies" in page
    assert "Your clinic checked this on March 2, 2026." in page


def test_no_statement_about_allergies_is_not_no_allergies(kenji, client):
    page = client.get("/allergies/").text

    assert "Nobody has recorded whether you have allergies" in page
    assert "No known allergies" not in page


def test_an_allergy_beats_a_statement_that_there_are_none(kenji, client):
    factories.load_records(statement(kenji, "716186003"), statement(kenji, "91936005", id="kenji-penicillin"))

    page = client.get("/allergies/").text

    assert "Penicillin" in page
    assert "No known allergies" not in page


def test_home_leads_with_what_is_urgent(alice, client):
    patient = alice.patient
    factories.load_records(
        factories.lab_result(
            patient,
            "alice-urgent",
            effectiveDateTime=timezone.now().isoformat(),
            interpretation=[{"coding": [{"code": "HH"}]}],
        )
    )

    page = client.get("/").text

    assert page.index("Call your clinic today") < page.index("in the last 2 weeks")
    assert 'href="tel:' in page.partition("</section>")[0]


@pytest.fixture
def urgent(kenji):
    """A critical result in a report."""
    factories.load_records(
        factories.lab_result(kenji, "potassium-1", interpretation=[{"coding": [{"code": "LL"}]}]),
        report_of(kenji, "report-1", "potassium-1"),
    )


def report_of(patient, id: str, *results: str) -> dict:
    return {
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": "final",
        "category": [{"coding": [{"system": LAB, "code": "LAB"}]}],
        "code": {"text": "Blood salts"},
        "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "effectiveDateTime": "2026-03-02",
        "result": [{"reference": f"Observation/{result}"} for result in results],
    }


@pytest.mark.parametrize("path", ["/results/", "/results/report/report-1/", "/results/potassium-1/"])
def test_critical_result_says_what_to_do_and_no_comfort(urgent, client, path):
    page = client.get(path).text

    assert "Look soon" in page
    assert "Call your clinic today" in page
    assert "does not always mean a problem" not in page


def test_long_report_opens_what_is_outside_and_folds_the_rest(kenji, client):
    marks = {"in": "N", "out": "H"}
    results = [f"{side}-{n}" for side, count in (("in", 7), ("out", 1)) for n in range(count)]
    factories.load_records(
        *(
            factories.lab_result(kenji, id, interpretation=[{"coding": [{"code": marks[id[:-2]]}]}])
            for id in results
        ),
        report_of(kenji, "long-1", *results),
    )

    page = client.get("/results/").text
    opened, _, behind = page.partition("<details>")

    assert "7 more results" in behind
    assert "/results/out-0/" in opened
    assert "/results/in-0/" not in opened
    assert "/results/in-6/" in behind


def test_one_result_of_one_is_told_as_one(kenji, client):
    factories.load_records(
        factories.lab_result(kenji, "high-1", interpretation=[{"coding": [{"code": "H"}]}]),
        report_of(kenji, "short-1", "high-1"),
    )

    page = client.get("/results/report/short-1/").text

    assert "This result is outside the usual range at this lab." in page
    assert "1 of 1" not in page


def test_condition_written_down_often_is_one_row(kenji, client):
    def stress(day: int) -> dict:
        return {
            "resourceType": "Condition",
            "id": f"stress-{day}",
            "subject": {"reference": f"Patient/{factories.fhir_id(kenji)}"},
            "code": {"text": "Stress (finding)"},
            "onsetDateTime": f"2026-03-0{day}",
        }

    factories.load_records(*map(stress, (1, 2, 3)))

    page = client.get("/conditions/").text

    assert page.count("<bdi>Stress</bdi>") == 2  # the row, and its own link "Something looks wrong"
    assert "Since March 3, 2026" in page
    assert "Written down 3 times." in page


def test_result_page_keeps_its_order(alice, client):
    page = client.get("/results/alice-ldl-4/").text
    parts = [
        *("<h1>", 'class="chip', 'class="lead"', 'aria-labelledby="r0t', "Over time", 'id="r0tt"'),
        *("<table", "<details>"),
    ]

    assert [part for part in parts if part not in page] == []
    assert sorted(parts, key=page.index) == parts


def test_title_of_a_result_page_names_no_test(alice, client):
    page = client.get("/results/alice-ldl-4/").text

    assert "<title>Test result - Chartkey</title>" in page


def test_unknown_test_is_shown_under_its_labs_name(kenji, client):
    factories.load_records(factories.lab_result(kenji, "house-1", code={"text": "House test <b>"}))

    page = client.get("/results/house-1/").text

    assert "House test &lt;b&gt;" in page
    assert "We do not have a plain name for this test." in page


def test_text_document_is_read_in_the_page(alice, client):
    page = client.get("/documents/alice-document-1/").text

    assert '<pre class="letter">' in page


def test_pdf_is_handed_out_so_that_no_browser_runs_it(alice, client):
    response = client.get("/documents/alice-document-3/file/")

    assert response.content.startswith(b"%PDF-")
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ["text/html", "application/pdf", "image/svg+xml"])
def test_unsafe_file_is_not_opened(kenji, client, kind):
    """A script, whatever the record calls it."""
    factories.load_records(
        {
            "resourceType": "DocumentReference",
            "id": "page-1",
            "status": "current",
            "subject": {"reference": f"Patient/{factories.fhir_id(kenji)}"},
            "content": [{"attachment": {"contentType": kind, "data": "PHNjcmlwdD4="}}],
        }
    )

    assert "We cannot open this file here" in client.get("/documents/page-1/").text
    assert client.get("/documents/page-1/file/").status_code == 404


def test_staff_without_a_record_are_told_so(db, client):
    client.force_login(factories.create_staff("Sam Park", "support"))

    response = client.get("/medicines/")

    assert response.status_code == 403
    assert "You have no record here" in response.text


def test_clinician_starts_at_the_queue(db, client):
    client.force_login(factories.dr_osei())

    assert client.get("/").headers["Location"] == "/review/"
