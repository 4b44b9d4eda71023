"""Who is a teen, and what their helpers do not see: by the table, on the day."""

from datetime import date

import pytest

from consent import jurisdictions
from consent.files import BadFile
from consent.jurisdictions import hidden_from_helpers, is_minor
from consent.vocabulary import LABELS, OWN_LABELS, _own_labels

BORN = date(2010, 6, 15)


@pytest.mark.parametrize(
    ("on", "hides", "minor"),
    [
        (date(2022, 6, 14), False, True),  # the day before she is 12
        (date(2022, 6, 15), True, True),
        (date(2028, 6, 14), True, True),
        (date(2028, 6, 15), False, False),  # 18: her helpers are of her own choice
    ],
)
def test_a_teens_helpers_do_not_see_what_is_private(on, hides, minor):
    hidden = hidden_from_helpers(BORN, "US-CA", on)

    assert bool(hidden) is hides
    assert is_minor(BORN, "US-CA", on) is minor
    assert not hides or {"SEX", "HIV", "SUD", "PSY", "ABORTION", "R", "V"} <= hidden


def test_a_state_may_draw_the_line_elsewhere():
    on = date(2022, 12, 1)

    assert hidden_from_helpers(BORN, "US", on)
    assert not hidden_from_helpers(BORN, "US-WA", on)
    assert hidden_from_helpers(BORN, "US-WA", date(2023, 6, 15))


def test_who_was_born_on_29_february_has_a_birthday_on_1_march():
    born = date(2012, 2, 29)

    assert not hidden_from_helpers(born, "US-WA", date(2025, 2, 28))
    assert hidden_from_helpers(born, "US-WA", date(2025, 3, 1))


def test_genetic_tests_are_not_among_what_a_teen_keeps_to_herself():
    assert "GDIS" not in hidden_from_helpers(BORN, "US", date(2024, 1, 1))


def test_a_jurisdiction_that_is_not_in_the_table_is_an_error():
    with pytest.raises(KeyError):
        hidden_from_helpers(BORN, "US-XX", date(2024, 1, 1))
    with pytest.raises(KeyError):
        is_minor(BORN, "US-XX", date(2024, 1, 1))


def test_the_table_names_labels_that_exist():
    for row in jurisdictions.table().values():
        assert row.private_to_teens <= LABELS
        assert row.adds <= set(OWN_LABELS)
        assert 0 < row.teen_from < row.minor_until
    assert jurisdictions.table()["US-CA"].adds == set(OWN_LABELS)


GOOD = '[[jurisdiction]]\ncode = "US"\nteen_from = 12\nminor_until = 18\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[jurisdiction]]\ncode = US\n", "table.toml, line 2: "),
        (GOOD.replace("12", '"12"'), "table.toml, line 2: the jurisdiction US needs code, teen_from"),
        ("\n[[jurisdiction]]\nteen_from = 1\nminor_until = 2\n", "table.toml, line 2: .* needs code"),
        (GOOD + 'teen_topics = ["dreams"]\n', "line 2: the jurisdiction US names dreams, which is not known"),
        (GOOD + 'adds = ["DREAM"]\n', "line 2: the jurisdiction US names DREAM, which is not known"),
    ],
)
def test_a_table_that_does_not_parse_stops_the_start_with_its_line(tmp_path, text, words):
    path = tmp_path / "table.toml"
    path.write_text(text)

    with pytest.raises(BadFile, match=words):
        jurisdictions.table(path)


def test_a_label_of_its_own_says_what_topic_and_system_it_is_of(tmp_path):
    path = tmp_path / "table.toml"
    path.write_text('[[label]]\ncode = "ABORTION"\ntopic = "reproductive-care"\n')

    with pytest.raises(BadFile, match=r"table.toml, line 1: a label has no system"):
        _own_labels(path)
