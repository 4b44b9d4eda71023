"""Nothing falls between the formats: each served type is in each of them, or left out for a reason."""

import io
import json
from xml.etree import ElementTree

import pypdf
import pytest
from django.conf import settings

from exports.formats import ccd, csv_results, ips, parts, summary_pdf
from exports.formats.held import HOLDS, Format, Held
from exports.formats.records import Records
from fhirproxy.served import SERVED
from tests.exports.formats import cast

WORDS = {
    Held.WHOLE: "yes, as data",
    Held.WORDS: "yes, in words",
    Held.ALONG: "where a record refers to it",
    Held.NAMES: "its name",
    Held.NOT_A_RESULT: "no: not a result",
    Held.NO_PART: "no: no section for it",
    Held.NOT_CLINICAL: "no: not clinical",
    Held.ATTACHED: "no: a file of its own",
    Held.SAID_ONCE: "no: the file names its sources",
}


@pytest.mark.parametrize("format", Format)
def test_each_served_type_is_held_or_left_out_for_a_reason(format):
    assert set(HOLDS[format]) == set(SERVED)


def test_the_document_says_what_the_table_says():
    said = (settings.ROOT / "docs" / "downloads.md").read_text()
    columns = (Format.PDF, Format.IPS, Format.CCD, Format.CSV)
    for kind in sorted(SERVED):
        assert f"| {kind} | {' | '.join(WORDS[HOLDS[f][kind]] for f in columns)} |" in said


@pytest.fixture(scope="module")
def everyone():
    """All that the people of the demo have, as if it were one person's: every type is there."""
    return [r for chart in cast.CHARTS.values() for r in chart if r["resourceType"] != "Patient"]


def test_each_type_that_the_IPS_holds_whole_is_in_it_and_what_it_leaves_out_is_not(everyone):
    about = cast.about(cast.alice())
    bundle = json.loads(ips.file([cast.alice()[0], *everyone], about))
    found = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    held = HOLDS[Format.IPS]

    assert {kind for kind in held if held[kind] == Held.WHOLE} & {
        r["resourceType"] for r in everyone
    } <= found
    assert not {kind for kind in found & set(held) if not held[kind].is_in} - {"Provenance"}  # its own
    assert not {kind for kind in found & set(held) if held[kind] == Held.WORDS}


def test_each_record_with_a_place_in_a_summary_has_a_row(everyone):
    records = Records(everyone, cast.about(cast.alice()))
    rows = {id(one) for table in parts.tables(records) for one in table.resources}
    held = [r for r in records.all if HOLDS[Format.PDF][r["resourceType"]] == Held.WORDS]

    assert held
    assert all(id(one) in rows for one in held)


def test_what_a_CCD_leaves_out_has_no_row_in_it(everyone):
    document = ElementTree.fromstring(ccd.file(everyone, cast.about(cast.alice())))
    anchors = {
        row.get("ID").rpartition("-")[0] for row in document.iter("{urn:hl7-org:v3}tr") if row.get("ID")
    }
    kinds = {kind for kind, part in parts.PART_OF_TYPE.items() if part in anchors}

    assert not {kind for kind in kinds if not HOLDS[Format.CCD][kind].is_in}


def test_a_csv_has_observations_only(everyone):
    body = b"".join(csv_results.file(everyone, cast.about(cast.alice()))).decode()
    ids = {r["id"] for r in everyone if r["resourceType"] == "Condition"}

    assert ids
    assert not any(f'"{one}"' in body for one in ids)


def test_a_summary_of_nothing_is_whole():
    about = cast.about(cast.alice())
    page = pypdf.PdfReader(io.BytesIO(summary_pdf.file([], about))).pages[0].extract_text()

    assert "Health summary of Alice" in page
    assert json.loads(ips.file([], about))["entry"]
    assert b"".join(csv_results.file([], about)).count(b"\r\n") == 1
