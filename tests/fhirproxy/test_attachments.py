"""An attachment goes where its document may go, and nowhere else."""

import base64

import pytest

from consent.vocabulary import ACT_CODE
from tests import factories

pytestmark = pytest.mark.django_db
LETTER = b"%PDF-1.4 a letter"


def document(patient, id: str, attachment: dict, **elements: object) -> dict:
    return {
        "resourceType": "DocumentReference",
        "id": id,
        "status": "current",
        "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "content": [{"attachment": {"contentType": "application/pdf", **attachment}}],
        **elements,
    }


def binary(id: str) -> dict:
    data = base64.b64encode(LETTER).decode()
    return {"resourceType": "Binary", "id": id, "contentType": "application/pdf", "data": data}


@pytest.fixture
def alice(client):
    patient = factories.alice()
    client.force_login(patient.user)
    return patient


def open_file(client, id: str):
    return client.get(f"/documents/{id}/file/")


def test_a_letter_inline_and_a_letter_in_a_binary_open_alike(alice, client):
    inline = {"data": base64.b64encode(LETTER).decode()}
    factories.load_records(
        binary("letter-bytes"),
        document(alice, "inline", inline),
        document(alice, "pointed", {"url": "Binary/letter-bytes"}),
    )

    for id in ("inline", "pointed"):
        answer = open_file(client, id)
        assert answer.status_code == 200
        assert b"".join(answer) == LETTER


def test_A18_an_address_elsewhere_is_not_followed(alice, client):
    for n, url in enumerate(
        ["http://127.0.0.1:1/x", "Binary/../Patient/x", "Patient/x", "file:///etc/passwd", "", None]
    ):
        factories.load_records(document(alice, f"odd-{n}", {"url": url} if url is not None else {}))

        assert open_file(client, f"odd-{n}").status_code == 404


def test_A12_a_binary_cannot_be_had_through_somebody_elses_document(alice, client):
    mallory = factories.mallory()
    factories.load_records(binary("their-bytes"), document(mallory, "theirs", {"url": "Binary/their-bytes"}))

    assert open_file(client, "theirs").status_code == 404
    assert client.get("/fhir/r4/Binary/their-bytes").status_code == 401


def test_A12_a_private_letter_is_private_for_an_app(alice, get):
    from tests.fhirproxy.conftest import issue

    label = {"security": [{"system": ACT_CODE, "code": "PSY"}]}
    factories.load_records(document(alice, "private", {"data": "eA=="}, meta=label))
    everything = factories.create_consent(alice, categories=["notes"])

    assert get(issue(everything), "DocumentReference/private").status_code == 404
