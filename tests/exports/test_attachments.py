"""Documents come along with what they hold: inline, in a Binary, and what is not there is named."""

import base64
import json

import msgspec
import pytest
from django.utils import timezone

from audit.events import EventType
from consent import authority
from consent.vocabulary import ACT_CODE
from exports import attachments
from fhirproxy import attachments as fhir_attachments
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from tests import factories
from tests.exports.making import kickoff, made, package

pytestmark = pytest.mark.django_db
LETTER = b"%PDF-1.4 a letter"
SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}


@pytest.fixture
def alice(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path
    return factories.alice()


def document(patient, id: str, attachment: dict, **elements: object) -> dict:
    return {
        "resourceType": "DocumentReference",
        "id": id,
        "status": "current",
        "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "content": [{"attachment": {"contentType": "application/pdf", **attachment}}],
        **elements,
    }


def binary(id: str, content: bytes = LETTER) -> dict:
    data = base64.b64encode(content).decode()
    return {"resourceType": "Binary", "id": id, "contentType": "application/pdf", "data": data}


def test_what_a_document_carries_and_what_it_points_to_come_along(alice):
    inline = {"data": base64.b64encode(LETTER).decode()}
    factories.load_records(
        binary("bytes"),
        document(alice, "inline", inline),
        document(alice, "pointed", {"url": "Binary/bytes"}),
    )
    archive = package(made(kickoff(alice)))

    names = [name for name in archive.namelist() if name.startswith("documents/")]
    assert names == ["documents/inline-1.pdf", "documents/pointed-1.pdf"]
    assert {archive.read(name) for name in names} == {LETTER}
    assert "documents" in archive.read("README.txt").decode()


def test_a_letter_on_a_private_topic_is_in_the_private_package_alone(alice):
    factories.load_records(binary("bytes"), document(alice, "private", {"url": "Binary/bytes"}, meta=SUD))
    job = made(kickoff(alice, include_sensitive=True))

    assert "documents/private-1.pdf" not in package(job).namelist()
    assert package(job, is_private=True).read("documents/private-1.pdf") == LETTER


@pytest.mark.parametrize(
    "url", ["Binary/none", "https://elsewhere.example/letter.pdf", "../../etc/passwd", ""]
)
def test_a_document_that_cannot_be_had_is_named_and_harms_nothing(alice, url):
    factories.load_records(document(alice, "lost", {"url": url} if url else {"data": "%%%"}))
    job = made(kickoff(alice))

    assert job.status == "completed_with_gaps"
    archive = package(job)
    assert "documents/lost-1.pdf" not in archive.namelist()
    left = json.loads(archive.read("manifest.json"))["extension"]["left_out"]
    assert {"what": "documents/lost-1.pdf", "why": "missing"} in left
    assert [left["what"] for left in job.left_out] == ["documents/lost-1.pdf"]


def test_nobody_elses_letter_comes_along(alice):
    mallory = factories.mallory()
    factories.load_records(
        binary("hers", b"Quinn's letter"),
        document(mallory, "of-mallory", {"url": "Binary/hers"}),
        document(alice, "of-alice", {"url": "Binary/hers"}),
    )
    archive = package(made(kickoff(alice)))

    assert b"Quinn" not in b"".join(archive.read(name) for name in archive.namelist())


def test_a_slash_that_is_escaped_is_one():
    """As some EHRs write JSON."""
    content = bytes(range(256)) * 3
    assert "/" in base64.b64encode(content).decode()
    escaped = json.dumps(binary("bytes", content)).replace("/", "\\/").encode()

    assert attachments.decoded(msgspec.json.decode(escaped, type=attachments.Binary).data) == content


def test_a_large_letter_is_read_by_pieces_and_is_the_same(alice, monkeypatch):
    monkeypatch.setattr(fhir_attachments, "PIECE", 1000)
    letter = bytes(range(256)) * 40
    factories.load_records(binary("bytes", letter), document(alice, "pointed", {"url": "Binary/bytes"}))

    assert package(made(kickoff(alice))).read("documents/pointed-1.pdf") == letter


def test_a_letter_that_changes_while_it_is_read_is_no_mixture(alice, monkeypatch):
    monkeypatch.setattr(fhir_attachments, "PIECE", 4)
    factories.load_records(binary("bytes"), document(alice, "pointed", {"url": "Binary/bytes"}))
    asking = authority.for_own_record(alice.user, alice, timezone.now())
    pieces = fhir_attachments.pieces(asking, Source.primary(), "bytes", EventType.EXPORT_READ)
    assert next(pieces) == LETTER[:4]
    factories.load_records(binary("bytes", b"another letter"))

    with pytest.raises(EhrFailure):
        list(pieces)
