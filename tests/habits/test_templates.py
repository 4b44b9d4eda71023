"""A template that does not compile is found here, not by a patient; so are words outside the catalogue."""

import re

import pytest
from django.template.loader import get_template

from tests.habits.rooms import our_templates

TEMPLATES = list(our_templates())
# Pages for developers, and for staff at the console, which speaks English as Django admin does there.
NOT_TRANSLATED = ("portal/design.html", "admin/", "compliance/identity_match.html")
PAGES = [(name, path) for name, path in TEMPLATES if not name.startswith(NOT_TRANSLATED)]

# What is not text: comments, texts of the catalogue, CSS classes in a block, code, mark-up, entities.
NOT_TEXT = re.compile(
    r"{% comment.*?endcomment %}|{#.*?#}|<!--.*?-->|<(style|script|code)\b.*?</\1>"
    r"|{% blocktrans(?:late)?\b.*?{% endblocktrans(?:late)? %}"
    r"|{% block \w*class %}.*?{% endblock %}|{%.*?%}|{{.*?}}|<[^>]*>|&#?\w+;",
    re.DOTALL,
)
SAME_IN_EVERY_LANGUAGE = {"Chartkey", "Design", "mmHg", "ZIP"}


def words_outside(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", NOT_TEXT.sub(" ", text)))


@pytest.mark.parametrize("name", [name for name, _ in TEMPLATES])
def test_template_compiles(name):
    get_template(name)


@pytest.mark.parametrize(("name", "path"), PAGES, ids=[name for name, _ in PAGES])
def test_every_word_of_a_page_is_in_the_catalogue(name, path):
    assert words_outside(path.read_text()) - SAME_IN_EVERY_LANGUAGE == set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<p title="x">{% translate "Stop" context "a" %}</p>', set()),
        ("{% blocktranslate %}Stop {{ app }}{% endblocktranslate %}", set()),
        ("<p>Stop {{ app }} &nbsp;</p>", {"Stop"}),
    ],
)
def test_words_outside(text, words):
    assert words_outside(text) == words
