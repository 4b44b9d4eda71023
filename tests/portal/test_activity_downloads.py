"""The list as a file: every row, no formula, no way out of a string, and proofs that hold."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

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
    for download in (saved(client, "ndjson"), client.get(reverse("portal:activity-verifier"))):
        name = re.search('filename="(.+)"', download.headers["Content-Disposition"])[1]
        (tmp_path / name).write_bytes(body(download))
    _, *events = [json.loads(line) for line in (tmp_path / "activity.ndjson").read_text().splitlines()]
    told = re.search(r"<code[^>]*>python3 (.+?)</code>", client.get(reverse("portal:activity-list")).text)[1]
    command = [sys.executable, *told.split()]  # as the page says
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (tmp_path / "chartkey_verify.py").read_bytes() == evidence.VERIFIER.read_bytes()
    assert any(event["proof"] is not None for event in events)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_page_for_paper_has_the_lines(alice, client):
    factories.create_consent(alice)
    page = client.get(reverse("portal:activity-print")).text

    assert "You shared" in page
    assert AuditEvent.objects.filter(type="audit:download").count() == 1


def text_of(found):
    pages = PdfReader(io.BytesIO(found)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_pdf_has_the_lines(alice, client):
    factories.create_consent(alice)

    assert "You shared" in text_of(body(saved(client, "pdf")))


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_pdf_can_be_read_aloud(language):
    """Its tags, title and language: what PDF/UA demands and a reader can see."""
    found = PdfReader(io.BytesIO(pdf.document("Actividad", ["Él vio sus resultados."], language)))
    root = found.trailer["/Root"]

    assert root["/MarkInfo"]["/Marked"].value
    assert root["/Lang"] == language
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value
    assert found.metadata.title == "Actividad"
    assert {"/H1", "/L", "/LI", "/LBody"} <= set(tags(root["/StructTreeRoot"]))
    assert b"<pdfuaid:part>1</pdfuaid:part>" in found.trailer["/Root"]["/Metadata"].get_data()


def tags(element):
    children = element.get("/K", [])
    for child in children if isinstance(children, list) else [children]:
        child = child.get_object() if hasattr(child, "get_object") else child
        if isinstance(child, dict):
            yield child.get("/S")
            yield from tags(child)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80))
def test_A20_no_text_is_more_than_text_in_a_pdf(text):
    """Whatever the names are, they are no markup and no object: one page with one line, and nothing acts."""
    found = PdfReader(io.BytesIO(pdf.document("Activity", [text], "en")))

    assert len(found.pages) == 1
    assert not {"/OpenAction", "/AA", "/AcroForm", "/Names"} & found.trailer["/Root"].keys()
    assert "/Annots" not in found.pages[0]
    assert list(tags(found.trailer["/Root"]["/StructTreeRoot"])).count("/LI") == 1


def test_A20_markup_in_a_name_is_shown_as_it_is():
    text = '#emph[x] *b* $x$ <l> @ref // c #import "@preview/x:1.0.0" \\( \u202eabc'

    found = text_of(pdf.document("Activity", [text], "en"))

    assert '#emph[x] *b* $x$ <l> @ref // c #import "@preview/x:1.0.0"' in found
    assert "\u202e" not in found


def test_a_letter_that_no_font_of_ours_has_does_not_stop_the_list():
    found = pdf.document("Activity", ["中文 saw your test results.", "Second line."], "en")

    assert "saw your test results." in text_of(found)
    assert "Second line." in text_of(found)


def test_a_pdf_goes_on_over_pages():
    found = PdfReader(
        io.BytesIO(pdf.document("Activity", [f"Line {n}: " + "word " * 40 for n in range(200)], "en"))
    )

    assert len(found.pages) > 10
    assert f"1 / {len(found.pages)}" in found.pages[0].extract_text()
