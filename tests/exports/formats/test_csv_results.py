"""Results as CSV: every value is a row, exact, on the reader's clock, and no cell is a formula."""

import csv
import io
from decimal import Decimal

import pytest

from exports.formats import csv_results
from exports.spreadsheet import STARTS_A_FORMULA
from tests.exports.formats import cast


def made(chart, **changed):
    return b"".join(csv_results.file(chart, cast.about(chart, **changed)))


def rows(body):
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def result(**elements):
    base = {
        "resourceType": "Observation",
        "id": "r1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": "Glucose"},
        "effectiveDateTime": "2026-06-12T13:30:00Z",
    }
    return [cast.alice()[0], {**base, **elements}]


def test_a_row_has_value_unit_range_mark_and_the_time_with_its_zone():
    chart = result(
        valueQuantity={"value": Decimal("118.50"), "unit": "mg/dL"},
        referenceRange=[{"low": {"value": 70}, "high": {"value": 99}}],
        interpretation=[{"coding": [{"code": "H"}]}],
    )
    (row,) = rows(made(chart))

    assert row["Date and time"] == "2026-06-12T09:30:00-04:00"
    assert (row["Value"], row["Unit"], row["Usual range"], row["Mark of the lab"]) == (
        "118.50",
        "mg/dL",
        "70 - 99",
        "H",
    )
    assert (row["Status"], row["Source"], row["Code (LOINC)"]) == ("final", "Riverside Clinic", "2345-7")


def test_each_part_of_a_result_is_a_row_that_names_the_whole():
    part = {"code": {"text": "Systolic"}, "valueQuantity": {"value": 128, "unit": "mmHg"}}
    (row,) = rows(made(result(component=[part])))

    assert (row["Test or measure"], row["Part of"], row["Value"]) == ("Systolic", "Glucose", "128")


def test_a_number_below_zero_stays_a_number_and_a_text_like_it_does_not():
    below = {"value": Decimal("-2.10"), "comparator": "<"}
    (row,) = rows(made(result(valueQuantity=below)))
    (spoken,) = rows(made(result(valueString="-1+1")))

    assert (row["Value"], row["Less or more than"]) == ("-2.10", "<")
    assert spoken["Value"] == "'-1+1"


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_what_was_withdrawn_is_no_row(status):
    assert rows(made(result(status=status))) == []


def test_a_date_without_a_time_is_not_given_one():
    (row,) = rows(made(result(effectiveDateTime="2026-06")))

    assert row["Date and time"] == "2026-06"


def test_every_value_of_the_record_is_there_and_the_newest_is_first():
    chart = cast.alice()
    found = rows(made(chart))
    ids = {r["id"] for r in chart if r["resourceType"] == "Observation"}
    dated = [row["Date and time"][:10] for row in found if row["Date and time"]]

    assert {row["Id"] for row in found} == ids
    assert dated == sorted(dated, reverse=True)


def test_our_own_words_are_in_the_readers_language():
    (row,) = csv.reader(
        io.StringIO(made(result(valueBoolean=True), language="es").decode().split("\n", 1)[1])
    )

    assert "Sí" in row


@pytest.mark.parametrize("chart", [*cast.CHARTS.values(), *cast.synthetic(), cast.hostile()])
def test_the_same_records_give_the_same_file_in_any_order_and_no_cell_is_a_formula(chart):
    body = made(chart)
    cells = [(name, cell) for row in rows(body) for name, cell in row.items() if name != "Value"]

    assert made(list(reversed(chart))) == body
    assert body.startswith(b"\xef\xbb\xbf")
    assert all(cell[:1] not in STARTS_A_FORMULA for _, cell in cells)
