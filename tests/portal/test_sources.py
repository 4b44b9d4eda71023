"""Pages of a patient with records in two EHRs: all of it, from whom, and what is missing, by name."""

from threading import Barrier, Event

import pytest

from accounts.models import PatientIdentity
from audit.models import AuditEvent
from demo.lakeside.records import PATIENT
from fhirproxy.models import Source
from portal import sources
from tests import factories
from tests.ehr.conftest import _fake_process, fake  # noqa: F401  (fixtures)
from tests.portal.ehr import ALL, failing
from tests.portal.lakeside import NAME, Lakeside, link

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = [
    *("results", "vitals", "medicines", "allergies", "conditions"),
    *("vaccines", "visits", "documents", "care-team"),
]


@pytest.fixture(autouse=True)
def _patience(settings) -> None:
    """A page waits for as long as a busy machine needs."""
    settings.PAGE_DEADLINE = 30


@pytest.fixture
def lakeside(alice, fake) -> Lakeside:  # noqa: F811
    return link(alice, fake)


def text_of(client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    assert "MISSING-VARIABLE" not in response.text
    return " ".join(response.text.replace("<bdi>", "").replace("</bdi>", "").split())


@pytest.mark.parametrize("page", ["", *(f"{page}/" for page in PAGES)])
def test_page_has_what_both_ehrs_keep(lakeside, client, page):
    text = text_of(client, f"/{page}")

    assert "did not answer" not in text


def test_medicine_of_the_other_ehr_is_shown_with_its_keeper(lakeside, client):
    text = text_of(client, "/medicines/")

    assert "amLODIPine 5 mg tablet" in text
    assert f"Kept by {NAME}." in text


def test_same_medicine_is_shown_once_and_names_the_other_ehr(lakeside, client):
    text = text_of(client, "/medicines/")

    assert "metFORMIN" not in text
    assert f"Also in {NAME}" in text


def test_result_that_differs_is_shown_twice(lakeside, client):
    text = text_of(client, "/results/trend/2085-9/")

    assert "51 mg/dL" in text
    assert "57 mg/dL" in text


def test_result_of_the_other_ehr_has_a_page(lakeside, client):
    text = text_of(client, "/results/lakeside~lk-obs-k-1/")

    assert "3.3 mmol/L" in text
    assert f"Kept by {NAME}." in text


def test_result_in_two_ehrs_leads_to_the_other_one(lakeside, client):
    assert 'href="/results/lakeside~lk-obs-ldl-1/"' in text_of(client, "/results/alice-ldl-7/")
    assert 'href="/results/alice-ldl-7/"' in text_of(client, "/results/lakeside~lk-obs-ldl-1/")


def test_result_that_is_not_final_is_marked(lakeside, client):
    assert "Not final" in text_of(client, "/results/lakeside~lk-obs-crp-1/")


def test_trend_joins_what_is_exactly_convertible(lakeside, client):
    text = text_of(client, "/results/trend/13457-7/")

    assert "another unit" not in text
    assert "8 results from" in text


def test_letter_of_the_other_ehr_is_read_here(lakeside, client):
    assert "We think that the pain came from a muscle." in text_of(client, "/documents/lakeside~lk-doc-1/")


@pytest.mark.parametrize("address", ["elsewhere~lk-obs-k-1", "lakeside~", "~lk-obs-k-1", "lakeside~a~b"])
def test_address_of_no_linked_ehr_is_not_there(lakeside, client, address):
    assert client.get(f"/results/{address}/").status_code == 404


def test_another_patient_cannot_open_an_item_by_its_address(lakeside, client):
    stranger = factories.create_patient("Mallory Quinn")
    client.force_login(stranger.user)

    assert client.get("/results/lakeside~lk-obs-k-1/").status_code == 404


def test_link_that_is_gone_takes_its_items_along(lakeside, client):
    client.get("/results/")
    PatientIdentity.objects.filter(source="lakeside").delete()
    lakeside.is_down()

    assert client.get("/results/lakeside~lk-obs-k-1/").status_code == 404
    assert "Potassium" not in text_of(client, "/medicines/")
    assert NAME not in text_of(client, "/medicines/")


@pytest.mark.parametrize("page", ["", *(f"{page}/" for page in PAGES)])
def test_ehr_that_is_down_is_named_and_the_rest_is_shown(lakeside, client, page):
    lakeside.is_down()

    text = text_of(client, f"/{page}")

    assert f"{NAME} did not answer. What it keeps about you is missing here." in text
    assert 'class="empty' not in text


def test_part_that_one_ehr_did_not_give_is_named(lakeside, client):
    lakeside.is_down("/Encounter")

    text = text_of(client, "/visits/")

    assert f"{NAME} did not give us everything. These parts are missing: Visits." in text
    assert "Diabetes and blood pressure check" in text


@pytest.mark.parametrize("page", ["", *(f"{page}/" for page in PAGES)])
def test_what_it_told_us_last_is_shown_with_its_time(lakeside, client, page):
    before = text_of(client, f"/{page}")
    lakeside.is_down()

    text = text_of(client, f"/{page}")

    assert f"{NAME} did not answer. This is what it told us on" in text
    assert f"Kept by {NAME}" not in before or f"Kept by {NAME}" in text


@pytest.mark.parametrize("do", [{"refuse": True}, {"send": "garbage"}, {"send": "failed-inside"}])
def test_whatever_is_no_answer_leaves_the_last_good_one(lakeside, client, do):
    client.get("/medicines/")
    lakeside.misbehaves(**do)

    assert "amLODIPine" in text_of(client, "/medicines/")


def test_records_of_another_patient_are_never_shown(lakeside, client):
    lakeside.misbehaves("/Observation", send="others")

    assert "of another patient" not in text_of(client, "/results/")


def test_item_of_an_ehr_that_is_down_opens_out_of_the_list(lakeside, client):
    client.get("/results/")
    lakeside.is_down()

    text = text_of(client, "/results/lakeside~lk-obs-k-1/")

    assert "3.3 mmol/L" in text
    assert "This is what it told us on" in text


def test_copy_goes_through_the_gate_and_the_log_has_its_age(lakeside, client):
    client.get("/medicines/")
    lakeside.is_down()

    client.get("/medicines/")

    ages = [e.detail["copy_seconds"] for e in AuditEvent.objects.all() if "copy_seconds" in e.detail]
    assert len(ages) == 2  # requests and statements
    assert AuditEvent.objects.filter(outcome="failed").count() == 2


def test_nothing_is_left_when_all_are_down(lakeside, client, settings):
    lakeside.is_down()
    with failing(settings, *ALL):
        response = client.get("/medicines/")

    assert response.status_code == 503
    assert "None of these answered" in response.text
    assert NAME in response.text


def test_ehr_that_hangs_costs_one_page_its_deadline_and_the_next_nothing(lakeside, client, settings):
    settings.PAGE_DEADLINE = 1
    client.get("/medicines/")
    lakeside.misbehaves("/Medication", hang=30)

    assert "This is what it told us on" in text_of(client, "/medicines/")
    asked = lakeside.asked("/Medication")
    assert "This is what it told us on" in text_of(client, "/medicines/")

    assert lakeside.asked("/Medication") == asked


def test_allergies_of_both_ehrs_are_one_list(lakeside, client):
    text = text_of(client, "/allergies/")

    assert "Sulfa drugs" in text
    assert "House dust" in text
    assert "What each place says" not in text


def test_ehr_without_allergies_is_told_from_one_with(alice, fake, client):  # noqa: F811
    link(alice, fake)
    fake.control("reset")
    fake.load("plain", [none_known(PATIENT, code={"text": "Not on File"})])

    text = text_of(client, "/allergies/")

    assert "It has allergies on record." in text
    assert "Nobody there has recorded whether you have allergies." in text


def none_known(patient: str, **coded: object) -> dict[str, object]:
    active = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
    return {
        "resourceType": "AllergyIntolerance",
        "id": "none",
        "clinicalStatus": {"coding": [active]},
        "patient": {"reference": f"Patient/{patient}"},
        "recordedDate": "2026-01-05",
        **coded,
    }


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ({"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}, "No known allergies."),
        ({"text": "Not on File"}, "Nobody there has recorded whether you have allergies."),
    ],
)
def test_none_known_is_not_nothing_recorded(db, client, fake, code, words):  # noqa: F811
    patient = factories.create_patient("Kenji Tanaka")
    factories.load_records(factories.patient_record(patient))
    fake.load("plain", [none_known("kt-1", code=code)])
    fake.source("plain", slug="lakeside", name=NAME).save()
    PatientIdentity.objects.create(patient=patient, source="lakeside", fhir_id="kt-1")
    client.force_login(patient.user)

    text = text_of(client, "/allergies/")

    assert words in text
    assert text.count("Nobody there has recorded") == (1 if "known" in words else 2)
    assert "Not on File" not in text


def test_patient_with_one_ehr_is_told_no_names_of_keepers(alice, client):
    assert "Kept by" not in text_of(client, "/medicines/")


def test_ehrs_are_asked_side_by_side():
    """Each waits for the other, and both are done."""
    both = Barrier(2, timeout=30)
    known = [Source(slug=name, kind=Source.Kind.HTTP) for name in ("one", "two")]

    def work(source: Source) -> str:
        both.wait()
        return source.slug

    assert sources.side_by_side(known, work, sources.deadline()) == ["one", "two"]


def test_ehr_that_is_too_late_is_not_waited_for(settings):
    settings.PAGE_DEADLINE = 0
    goes_on = Event()
    known = [Source(slug="here", kind=Source.Kind.EMBEDDED), Source(slug="away", kind=Source.Kind.HTTP)]

    found = sources.side_by_side(
        known, lambda source: source.slug == "here" or goes_on.wait(30), sources.deadline()
    )
    goes_on.set()

    assert found == [True, None]
