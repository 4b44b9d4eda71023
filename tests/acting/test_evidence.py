"""Papers of a request to help: only what they are, sealed, seen by staff alone, and destroyed in time."""

import io

import pytest
from cryptography.fernet import InvalidToken
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from PIL import Image

from accounts import evidence_files, secrets
from accounts.evidence_models import TRANSITIONS, Evidence
from accounts.relations import Refused
from audit.models import AuditEvent
from consent import evidence, helper_requests, helping
from tests import factories

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\nstartxref\n9\n%%EOF\n"
NEEDED = ["birth-record", "photo-id"]


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 60).save(out, kind)
    return out.getvalue()


@pytest.fixture
def asked():
    return helper_requests.ask(
        factories.tom(),
        relationship="PRN",
        basis="parent",
        level="most",
        evidence=NEEDED,
        by=factories.create_user("Alice Moreno"),
    )


@pytest.fixture
def cora():
    return factories.create_staff("Cora Lind", "compliance")


def send(client, relation, content, kind="photo-id", name="my face.jpg"):
    client.force_login(relation.user)
    file = SimpleUploadedFile(name, content, "image/jpeg")
    return client.post(reverse("portal:acting-papers", args=[relation.pk]), {"kind": kind, "file": file})


def events(type):
    return list(AuditEvent.objects.filter(type=type).order_by("xid", "id"))


def look(client, paper):
    return client.get(reverse("admin:accounts_relatedperson_paper", args=[paper.relation_id, paper.pk]))


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        *((picture(), True), (picture("PNG"), True), (PDF, True), (picture("GIF"), False), (b"", False)),
        *((b"<html><script>1</script>", False), (b"\xff\xd8\xff\xe0 a photo, I say", False)),
        *((picture()[:300], False), (picture("PNG")[:-20], False), (PDF[:20], False)),
        *((picture("PNG").replace(b"IHDR", b"IHDX"), False), (b"GIF89a" + PDF, False)),
    ],
)
def test_a_file_is_what_its_bytes_are(content, is_one):
    if is_one:
        assert evidence_files.media_type(content) in evidence_files.KINDS
    else:
        with pytest.raises(evidence_files.NotAPaper):
            evidence_files.media_type(content)


def test_a_paper_is_sent_and_staff_sees_it_in_the_review(client, asked, cora):
    content = picture()
    assert send(client, asked, content, name="../../<b>.pdf").status_code == 302
    page = client.get(reverse("portal:acting-papers", args=[asked.pk])).text
    assert "Your photo ID" in page
    assert "A birth record that names you" in page.split("What you sent")[0]  # is still missing

    paper = asked.papers.get()
    client.force_login(cora)
    review = client.get(reverse("admin:accounts_relatedperson_review", args=[asked.pk])).text
    assert str(paper.pk) in review
    answer = look(client, paper)

    assert answer.content == content
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"].startswith('attachment; filename="photo-id-')
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert [e.actor for e in events("evidence:view")] == [f"User/{cora.pk}"]
    client.force_login(asked.user)
    assert "Your clinic looked at it" in client.get(reverse("portal:acting-papers", args=[asked.pk])).text


def test_it_is_sealed_for_its_row_alone(client, asked):
    content = picture()
    send(client, asked, content)
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM accounts_evidence")
        kept = bytes(cursor.fetchone()[0])

    assert content[:40] not in kept
    assert secrets.unseal(kept, about=asked.papers.get().pk.bytes) == content
    with pytest.raises(InvalidToken):
        secrets.unseal(kept, about=b"another row")


@pytest.mark.parametrize(
    ("content", "says", "reason"),
    [
        (b"no photo at all", "not a photo (JPEG or PNG) or a PDF", "evidence.type"),
        (b"", "not a photo (JPEG or PNG) or a PDF", "evidence.type"),
        (picture() + bytes(evidence.LARGEST), "This file is too big", "evidence.size"),
    ],
    ids=["no photo", "empty", "too big"],
)
def test_what_is_no_paper_is_said_on_the_page_and_logged(client, asked, content, says, reason):
    answer = send(client, asked, content)

    assert answer.status_code == 422
    assert says in answer.text
    assert not Evidence.objects.exists()
    assert events("evidence:add")[0].reasons == [reason]


def test_too_many_are_refused_until_one_is_taken_back(client, asked):
    for _ in range(evidence.MOST):
        evidence.add(asked, kind="photo-id", content=PDF, by=asked.user)
    assert "You sent as many files as we can take" in send(client, asked, PDF).text

    one = asked.papers.first()
    client.post(reverse("portal:acting-papers", args=[asked.pk]), {"remove": str(one.pk)})
    one.refresh_from_db()
    assert (one.status, one.content) == ("gone", None)
    assert send(client, asked, PDF).status_code == 302
    assert len(events("evidence:destroy")) == 1


def test_staff_asks_for_more_and_the_person_sends_it(client, asked, cora):
    send(client, asked, picture())
    helper_requests.decide(asked, "more-evidence", by=cora, note="Blurred", evidence=(), seen=asked.version)

    page = client.get(reverse("portal:acting-papers", args=[asked.pk])).text

    assert "Your clinic asks for more." in page
    assert send(client, asked, PDF, kind="birth-record").status_code == 302


def test_nobody_else_finds_or_opens_it(client, asked, cora):
    paper = evidence.add(asked, kind="photo-id", content=PDF, by=asked.user)
    page = reverse("portal:acting-papers", args=[asked.pk])
    client.force_login(factories.create_user("Mallory Quinn"))
    assert client.get(page).status_code == 404
    assert client.post(page, {"remove": str(paper.pk)}).status_code == 404

    client.force_login(factories.create_staff("Sam Park", "support"))
    assert look(client, paper).status_code in (302, 403)
    factories.StaffRole.objects.create(user=asked.user, role="compliance")
    with pytest.raises(Refused):  # who asks may have a role, and does not judge their own papers
        evidence.look(paper, by=asked.user)
    assert events("evidence:view")[-1].outcome == "deny"
    paper.refresh_from_db()
    assert paper.status == "waiting"


def test_once_answered_nothing_is_added_and_after_30_days_it_is_destroyed(asked, cora, settings):
    paper = evidence.add(asked, kind="photo-id", content=PDF, by=asked.user)
    assert evidence.destroy_due() == 0
    helper_requests.decide(asked, "evidence-refused", by=cora, note="No", evidence=(), seen=asked.version)
    with pytest.raises(Refused):
        evidence.add(asked, kind="photo-id", content=PDF, by=asked.user)
    assert evidence.destroy_due() == 0

    settings.EVIDENCE_KEPT_DAYS = 0
    assert evidence.destroy_due() == 1

    paper.refresh_from_db()
    assert (paper.status, paper.content) == ("gone", None)
    assert events("evidence:destroy")[0].actor == "System/consent"
    with pytest.raises(Refused, match="gone"):
        evidence.look(paper, by=cora)


def test_a_withdrawn_request_has_no_page_of_papers(client, asked):
    helping.end(asked, "withdrawn", by=asked.user, role="helper")
    client.force_login(asked.user)

    assert client.get(reverse("portal:acting-papers", args=[asked.pk])).status_code == 404


def test_the_table_of_a_paper_is_total():
    assert set(TRANSITIONS) == set(Evidence.Status)
    assert not TRANSITIONS[Evidence.Status.GONE]
