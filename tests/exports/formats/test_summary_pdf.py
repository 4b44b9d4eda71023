"""The summary on paper: all of it is text, tagged, in order, and nothing in a record can break it."""

import io

import pdfua
import pikepdf
import pypdf
import pytest

from exports import typesetting
from exports.formats import parts, summary_pdf
from exports.formats.about import LeftOut, Why
from exports.formats.records import Records
from tests.exports.formats import cast


def made(chart, **changed):
    return summary_pdf.file(chart, cast.about(chart, **changed))


def said(body, pages=None):
    """The words of the first so many pages, or of all: to read a long file takes longer than to make it."""
    pages = pypdf.PdfReader(io.BytesIO(body)).pages[:pages]
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


def tags(body):
    """The kinds of structure element in the file (ISO 32000-1, 14.8.4)."""
    with pikepdf.open(io.BytesIO(body)) as document:
        kinds, waiting = set(), [document.Root.StructTreeRoot]
        while waiting:
            node = waiting.pop()
            if isinstance(node, pikepdf.Dictionary):
                kinds.add(str(node.get("/S", "")))
                below = node.get("/K")
                waiting += list(below) if isinstance(below, pikepdf.Array) else [below]
        return kinds


@pytest.fixture(scope="module")
def alices():
    return made(cast.alice())


def test_it_is_tagged_with_headings_tables_and_figures_that_have_words(alices):
    with pikepdf.open(io.BytesIO(alices)) as document:
        assert bool(document.Root.MarkInfo.Marked)
        assert str(document.Root.Lang) == "en-US"
        assert "Alice" in str(document.docinfo["/Title"])
        assert "pdfuaid" in document.Root.Metadata.read_bytes().decode()
    assert tags(alices) >= {"/H1", "/H2", "/Table", "/TR", "/TH", "/TD", "/Figure", "/Caption"}


def test_rules_of_PDF_UA_that_are_not_typsets_own_hold(tmp_path, alices):
    path = tmp_path / "summary.pdf"
    path.write_bytes(alices)

    assert list(pdfua.validate(path).findings) == []


def test_it_has_medicines_sources_dates_and_page_numbers(alices):
    text = said(alices)

    assert "Metformin 500 mg" in text
    assert "Riverside Clinic November 23, 2026, 9:30 AM EST" in text
    assert "Page 1 of " in text


def test_it_says_what_is_left_out_and_why_and_tells_it_from_what_is_not_recorded():
    chart = [r for r in cast.alice() if r["resourceType"] not in ("Device", "Immunization")]
    text = said(made(chart, left_out=(LeftOut("devices", Why.CHOSEN),)))

    assert "Devices Left out. It was not chosen for this file." in text
    assert "Vaccines Not recorded in these sources." in text


def test_with_two_sources_each_row_says_its_own():
    chart = [{**r, "meta": {"source": cast.THERE.uri}} for r in cast.alice()]
    text = said(made(chart, sources=(cast.HERE, cast.THERE)))

    assert "Lakeside Hospital" in text.partition("Allergies")[2]


def test_in_spanish_dates_and_headings_are_spanish():
    body = made(cast.alice(), language="es")
    with pikepdf.open(io.BytesIO(body)) as document:
        assert str(document.Root.Lang) == "es-US"
    assert "17 de abril de 1980" in said(body)
    assert "Alergias" in said(body)


def test_a_trend_is_drawn_of_three_numbers_in_one_unit_and_said_in_words():
    chart = cast.alice()
    records = Records(chart, cast.about(chart))
    (vitals,) = parts.tables(records, (parts.Part.VITAL_SIGNS,))
    found = summary_pdf.trends(vitals.resources)

    assert len(found) == summary_pdf.MOST_TRENDS
    assert all(len(one["points"]) >= summary_pdf.ENOUGH for one in found)
    assert all(0 <= x <= 1 and 0 <= y <= 1 for one in found for x, y in one["points"])


def test_a_number_that_never_changed_is_not_drawn():
    base = {"resourceType": "Observation", "code": {"coding": [{"code": "8302-2"}], "text": "Height"}}
    same = [
        {
            **base,
            "id": f"{n}",
            "effectiveDateTime": f"202{n}-01-01",
            "valueQuantity": {"value": 64, "unit": "in"},
        }
        for n in range(5)
    ]

    assert summary_pdf.trends(same) == []


def test_a_column_that_says_nothing_is_left_out():
    vitals = [r for r in cast.alice() if r["resourceType"] in ("Patient", "Immunization")]
    text = said(made([{**r, "note": None, "performer": None} for r in vitals]))

    assert "What Date Status" in text
    assert "What Date Status More" not in text


def test_nothing_that_people_wrote_is_markup_or_breaks_the_file():
    body = made(cast.hostile(), sources=(cast.HERE, cast.THERE))

    assert '#strong[x] $x$ <a> "\\ ]]' in said(body, pages=2)
    with pikepdf.open(io.BytesIO(body)) as document:
        assert "/AA" not in document.Root
        assert "/OpenAction" not in document.Root


def test_every_letter_that_we_call_printable_is_in_the_fonts(tmp_path):
    template = tmp_path / "letters.typ"
    template.write_text(
        '#set document(title: "x")\n#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"), lang: "en")\n'
        "#let data = json(bytes(sys.inputs.data))\n= x\n#for c in data.letters [#text(c) #strong(c) ]"
    )
    letters = [chr(code) for code in sorted(typesetting.letters())]

    assert typesetting.pdf(template, {"letters": letters}, made_at=cast.MADE_AT).startswith(b"%PDF")


def test_marks_that_turn_text_around_are_gone_and_unknown_letters_are_seen_to_be():
    assert typesetting.printable("a\u202eb\u0000c\u6f22\nd") == "abc□ d"
    assert len(typesetting.printable("x" * 9999)) == typesetting.LONGEST + 1


@pytest.mark.parametrize("chart", [*list(cast.CHARTS.values())[:3], *cast.synthetic(1)])
def test_the_same_records_give_the_same_bytes_in_any_order(chart):
    assert made(list(reversed(chart))) == made(chart)
