"""The list as a file: every row, no formula, no way out of a string, and proofs that hold."""

import csv
import io
import json
import subprocess
import sys

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from audit import evidence
from audit.models import AuditEvent
from exports.spreadsheet import STARTS_A_FORMULA, safe
from portal import pdf
from tests import factories
from tests.audit.cast import tick

FORMULA = '=HYPERLINK("http://evil.example","x")'


@pytest.fixture
def alice(db, client):
    patient = factories.alice()
    client.force_login(patient.user)
    return patient


def body(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


def saved(client, kind, **query):
    return client.get(reverse(f"portal:activity-{kind}"), query)


def rows(response):
    return list(csv.reader(io.StringIO(body(response).decode("utf-8-sig"))))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u200b=1", "\uff1d1"]
)
def test_A20_no_cell_is_a_formula(cell):
    assert safe(cell) == f"'{cell}"


@given(st.text())
def test_A20_whatever_a_name_is_no_cell_begins_a_formula(text):
    assert safe(text)[:1] not in STARTS_A_FORMULA
    assert safe(text).endswith(text)


def test_A20_an_app_called_like_a_formula_is_text_in_the_file(alice, client):
    consent = factories.create_consent(alice)
    type(consent.client).objects.filter(pk=consent.client_id).update(name=FORMULA)
    found = rows(saved(client, "csv"))

    assert [row[3] for row in found if FORMULA in row[3]] == [f"'{FORMULA}"]
    assert all(cell[:1] not in STARTS_A_FORMULA for row in found for cell in row)


def test_I6_the_file_has_every_row_of_the_log_and_saving_it_is_one(alice, client):
    factories.create_consent(alice)
    client.get("/medicines/")
    found = rows(saved(client, "csv"))
    events = AuditEvent.objects.filter(patient=f"Patient/{alice.pk}").order_by("-recorded_at", "-id")

    assert [row[-1] for row in found[1:]] == [str(e.id) for e in events]
    assert events[0].type == "audit:download"
    assert events[0].detail == {"format": "csv"}
    assert len(found[0]) == 8


def test_days_choose_what_is_in_it(alice, client):
    factories.create_consent(alice)
    day = timezone.localdate().isoformat()

    assert len(rows(saved(client, "csv", until="2001-01-01"))) == 1
    assert len(rows(saved(client, "csv", since=day, until=day))) > 1


@pytest.mark.parametrize("kind", ["csv", "pdf", "ndjson"])
def test_bad_days_get_a_message_and_no_file(alice, client, kind):
    answer = saved(client, kind, since="2026-02-02", until="2026-02-01")

    assert answer.status_code == 422
    assert "The first day must come before the last day." in answer.text
    assert not AuditEvent.objects.filter(type="audit:download").exists()


@pytest.mark.django_db(transaction=True)
def test_the_list_with_proofs_is_right_by_a_program_that_is_not_ours_to_run(client, tmp_path):
    alice = factories.alice()
    client.force_login(alice.user)
    factories.create_consent(alice)
    tick()
    (tmp_path / "list.ndjson").write_bytes(body(saved(client, "ndjson")))
    program = client.get(reverse("portal:activity-verifier")).content
    (tmp_path / "verify.py").write_bytes(program)
    first, *events = [json.loads(line) for line in (tmp_path / "list.ndjson").read_text().splitlines()]
    command = [sys.executable, "verify.py", "list", "list.ndjson", "--key", first["key"]]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert program == evidence.VERIFIER.read_bytes()
    assert any(event["proof"] is not None for event in events)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_page_for_paper_has_the_lines(alice, client):
    factories.create_consent(alice)
    page = client.get(reverse("portal:activity-print")).text

    assert "You shared" in page
    assert AuditEvent.objects.filter(type="audit:download").count() == 1


def test_the_pdf_has_the_lines(alice, client):
    factories.create_consent(alice)
    found = body(saved(client, "pdf"))

    assert found.startswith(b"%PDF-1.4")
    assert b"You shared" in found


@given(st.text(max_size=300))
def test_A20_no_text_leaves_its_string_in_a_pdf(text):
    """What a reader of PDF takes for objects is the same, whatever the names are."""
    found = pdf.document("Activity", [text])
    strings = 0
    depth, escaped = 0, False
    for byte in found:
        if escaped:
            escaped = False
        elif byte == ord("\\"):
            escaped = True
        elif byte == ord("("):
            depth += 1
            strings += 1
        elif byte == ord(")"):
            depth -= 1
        assert 0 <= depth <= 1
    assert depth == 0
    assert found.count(b"endobj") == 6


def test_a_pdf_goes_on_over_pages_and_its_table_says_where_things_are():
    found = pdf.document("Activity", [f"Line {n}: " + "word " * 40 for n in range(200)])
    start = int(found.rpartition(b"startxref\n")[2].split()[0])
    entries = found[start:].split(b"\n")[3:]
    places = [int(entry[:10]) for entry in entries if entry.endswith(b" n ")]

    assert found.count(b"/Type /Page /Parent") > 10
    assert all(found[place:].startswith(b"%d 0 obj" % number) for number, place in enumerate(places, 1))
