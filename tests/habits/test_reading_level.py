"""Patients can read what we write: scores per text, in both languages."""

import re

import pytest
from textstat.textstat import textstatistics

from config import catalogue
from tests.habits.words import english_texts, spanish_texts

ENGLISH, SPANISH = textstatistics(), textstatistics()
SPANISH.set_lang("es")
LONG_ENOUGH_TO_SCORE = 20  # words; a score of less says nothing
LONGEST_SENTENCE = 20  # words
HARDEST = 7  # Flesch-Kincaid grade
EASY_SPANISH = 70  # Fernández-Huerta, over all


def spoken(text: str) -> str:
    """The text with a short name for each placeholder, and without mark-up."""
    return re.sub(r"<[^>]+>", "", catalogue.PLACEHOLDER.sub("Ann", text)).replace("%%", "%")


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?:;])\s+", spoken(text)) if part]


def test_a_sentence_is_short():
    long = {
        text_id: [part for part in sentences(text) if len(part.split()) > LONGEST_SENTENCE]
        for text_id, text in english_texts()
    }

    assert {text_id: parts for text_id, parts in long.items() if parts} == {}


def test_a_text_is_easy_to_read():
    grades = {
        text_id: ENGLISH.flesch_kincaid_grade(spoken(text))
        for text_id, text in english_texts()
        if len(text.split()) >= LONG_ENOUGH_TO_SCORE
    }

    assert {text_id: grade for text_id, grade in grades.items() if grade > HARDEST} == {}


def test_the_spanish_is_easy_to_read():
    ended = (text if text.rstrip()[-1] in ".!?" else f"{text}." for _, text in spanish_texts())

    assert SPANISH.fernandez_huerta(spoken(" ".join(ended))) >= EASY_SPANISH


@pytest.mark.parametrize(
    ("text", "grade_is_fine"),
    [
        ("You can stop this app on any day. It cannot get new records then. It keeps its own copy.", True),
        (
            "Authorization revocation necessitates administrative verification of outstanding credentials.",
            False,
        ),
    ],
)
def test_the_score_tells_plain_words_from_hard_ones(text, grade_is_fine):
    assert (ENGLISH.flesch_kincaid_grade(text) <= HARDEST) is grade_is_fine
