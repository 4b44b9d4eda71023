"""Words that patients misread or that judge them do not stand in what they read."""

import re

import pytest

from tests.habits.words import english_texts, spanish_texts

BANNED = re.compile(
    r"\b(\w+n['’]t|please|simply|should|valid|invalid|unauthori[sz]ed|tokens?|scopes?|resources?|prox(?:y|ies)"
    r"|encounters?|normal|abnormal|good|bad|improved|worse)\b",
    re.IGNORECASE,
)
BANNED_SPANISH = re.compile(
    r"\b(tokens?|proxy|válid[oa]s?|inválid[oa]s?|normal(?:es)?|anormal(?:es)?|buen[oa]s?|mal[oa]s?|mejoró|empeoró"
    r"|conectad[oa]|tú|tus?)\b",
    re.IGNORECASE,
)


def found(pattern, texts):
    return [(text_id, word) for text_id, text in texts for word in pattern.findall(text)]


def test_no_banned_word_in_english():
    assert found(BANNED, english_texts()) == []


def test_no_banned_word_in_spanish():
    assert found(BANNED_SPANISH, spanish_texts()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("You don't have to. Please sign in.", ["don't", "Please"]),
        ("Your result is normal.", ["normal"]),
        ("You do not have to. It is in the usual range at this lab.", []),
    ],
)
def test_the_pattern_finds_banned_words(text, words):
    assert BANNED.findall(text) == words
