"""Who wants to be asked is asked before a result that no clinician has looked at."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories

VALUE = "133 mg/dL"  # the old one is 118


@pytest.fixture
def patient(db, client):
    patient = factories.alice()
    factories.load_records(lab_result(patient, "new-ldl"))
    patient.user.asks_first = True
    patient.user.save()
    client.force_login(patient.user)
    return patient


def days_ago(days):
    return (timezone.now() - timedelta(days=days)).isoformat()


def lab_result(patient, id, **elements):
    quantity = {"value": 133, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    new = {"effectiveDateTime": days_ago(2), "valueQuantity": quantity}
    return factories.lab_result(patient, id, **new | elements)


def test_nobody_is_asked_who_did_not_choose_it(patient, client):
    patient.user.asks_first = False
    patient.user.save()

    assert VALUE in client.get("/results/new-ldl/").text


@pytest.mark.parametrize("path", ["/", "/results/", "/results/new-ldl/", "/search/"])
def test_no_page_shows_the_value_before_the_answer(patient, client, path):
    page = client.post(path, {"words": "cholesterol"}) if path == "/search/" else client.get(path)

    assert page.status_code == 200
    assert VALUE not in page.text


def test_an_answer_shows_it_until_the_person_signs_out(patient, client):
    asked = client.get("/results/new-ldl/").text
    assert "no one at your clinic has looked at this result yet" in asked

    shown = client.post("/results/new-ldl/show/", follow=True)
    assert VALUE in shown.text

    client.logout()
    client.force_login(patient.user)
    assert VALUE not in client.get("/results/new-ldl/").text


def test_the_line_over_time_leaves_it_out(patient, client):
    page = client.get("/results/trend/13457-7/").text

    assert page.count("<tr") == 2  # the head, and the old one


@pytest.mark.parametrize(
    "signed",
    [
        {"performer": [{"reference": "Practitioner/p1"}]},
        {"note": [{"text": "All is well."}]},
        {"effectiveDateTime": days_ago(15)},
    ],
)
def test_what_a_clinician_looked_at_or_is_old_is_shown(patient, client, signed):
    factories.load_records(lab_result(patient, "seen-ldl", **signed))

    assert VALUE in client.get("/results/seen-ldl/").text


def test_what_a_report_concludes_is_shown(patient, client):
    report = {
        "resourceType": "DiagnosticReport",
        "id": "lipids",
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}
        ],
        "code": {"text": "Lipids"},
        "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "effectiveDateTime": days_ago(2),
        "result": [{"reference": "Observation/new-ldl"}],
    }
    factories.load_records(report)
    assert VALUE not in client.get("/results/report/lipids/").text

    factories.load_records(report | {"conclusion": "Better than last year."})
    for path in ("/results/report/lipids/", "/results/", "/results/new-ldl/"):
        assert VALUE in client.get(path).text, path


def test_what_is_to_be_looked_at_soon_is_said_all_the_same(patient, client):
    factories.load_records(lab_result(patient, "soon", interpretation=[{"coding": [{"code": "HH"}]}]))
    page = client.get("/results/soon/").text

    assert "Call your clinic today" in page
    assert VALUE not in page


def test_somebody_elses_result_is_not_there(patient, client):
    mallory = factories.create_patient("Mallory Quinn")
    client.force_login(mallory.user)

    assert client.post("/results/new-ldl/show/").status_code == 404


def test_it_is_chosen_in_the_settings(patient, client):
    daily = dict.fromkeys(("sharing", "helpers", "answers", "files"), "daily")
    client.post("/settings/notices/", daily)
    patient.user.refresh_from_db()
    assert not patient.user.asks_first

    client.post("/settings/notices/", {**daily, "asks_first": "on"})
    patient.user.refresh_from_db()
    assert patient.user.asks_first
