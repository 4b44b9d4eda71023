"""The copy catalogue gathers every text with its id, and holds its Spanish."""

import gettext
import io

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from config import catalogue

TEMPLATE = """{% load i18n %}
  <h1>{% translate "Stop sharing" context "apps.stop" %}</h1>
     {% blocktranslate trimmed context "stop.does" with app=client.name %}
        When you stop, {{ app }} cannot get
        anything new. It's "100%" done. (
     {% endblocktranslate %}
  {% blocktranslate count n=x context "times" %}{{ n }} time{% plural %}{{ n }} times{% endblocktranslate %}
"""
CODE = """
SUBJECT = pgettext_lazy(
    "notice.subject", "Your file "
    "is ready, %(name)s."
)
many = npgettext("activity.times", "{n} time", "{n} times", n)
bare = _("No id")
"""


def pairs(method, source):
    found = catalogue.extract(method, io.BytesIO(source.encode()), catalogue.KEYWORDS)
    return [(context, text) for _, text, _, context in found]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A catalogue of its own: one room with a template, no Spanish yet."""
    (tmp_path / "portal" / "templates").mkdir(parents=True)
    (tmp_path / "locale" / "parts").mkdir(parents=True)
    po = tmp_path / "locale" / "es" / "LC_MESSAGES" / "django.po"
    for name, value in {"ROOT": tmp_path, "PO": po, "MO": po.with_suffix(".mo")}.items():
        monkeypatch.setattr(catalogue, name, value)
    monkeypatch.setattr(catalogue, "PARTS", tmp_path / "locale" / "parts")
    return tmp_path


def write_template(files, text):
    (files / "portal" / "templates" / "page.html").write_text("{% load i18n %}" + text)


def write_part(files, name, spanish, msgid="Stop %(app)s", context="apps.stop"):
    entry = f'msgctxt "{context}"\nmsgid "{msgid}"\nmsgstr "{spanish}"\n'
    (files / "locale" / "parts" / name).write_text(entry)


STOP = '{% blocktranslate context "apps.stop" with app=name %}Stop {{ app }}{% endblocktranslate %}'


def test_a_template_gives_its_texts_with_their_ids():
    assert pairs(catalogue.extract_template, TEMPLATE) == [
        ("apps.stop", "Stop sharing"),
        ("stop.does", 'When you stop, %(app)s cannot get anything new. It\'s "100%%" done. ('),
        ("times", ("%(n)s time", "%(n)s times")),
    ]


def test_code_gives_its_texts_with_their_ids():
    assert pairs(catalogue.extract_python, CODE) == [
        ("notice.subject", "Your file is ready, %(name)s."),
        ("activity.times", ("{n} time", "{n} times")),
        (None, "No id"),
    ]


def test_update_takes_the_spanish_from_a_part(files):
    write_template(files, STOP)
    write_part(files, "apps.po", "Parar %(app)s")

    catalogue.update()
    (files / "locale" / "parts" / "apps.po").unlink()
    first = catalogue.PO.read_bytes()
    catalogue.update()

    assert b'msgstr "Parar %(app)s"' in first
    assert catalogue.PO.read_bytes() == first
    assert catalogue.problems() == []


@pytest.mark.parametrize(
    ("template", "spanish", "problem"),
    [
        (STOP, "", "apps.stop: no Spanish"),
        (STOP, "Parar", "apps.stop: the Spanish names other placeholders"),
        (STOP, "Parar %(ap)s", "apps.stop: the Spanish names other placeholders"),
        (STOP + '{% translate "Bare" %}', "Parar %(app)s", "'Bare' has no context"),
        (
            STOP + '{% translate "Stop" context "apps.stop" %}',
            "Parar %(app)s",
            "apps.stop: one id for 2 texts",
        ),
    ],
)
def test_check_names_what_is_wrong(files, template, spanish, problem):
    write_template(files, template)
    write_part(files, "apps.po", spanish)
    catalogue.update()

    assert any(found.startswith(problem) for found in catalogue.problems())


def test_check_names_what_is_fuzzy_or_no_longer_used(files):
    write_template(files, STOP)
    write_part(files, "apps.po", "Parar %(app)s")
    catalogue.update()
    catalogue.PO.write_text(
        catalogue.PO.read_text().replace("#, python-format\nmsgctxt", "#, fuzzy\nmsgctxt")
    )
    write_template(files, "")

    assert catalogue.problems() == ["apps.stop: fuzzy", "apps.stop: no longer used: 'Stop %(app)s'"]


def test_a_singular_may_leave_its_count_out(files):
    count = '{% blocktranslate count n=x context "c" %}'
    write_template(files, count + "{{ n }} hour{% plural %}{{ n }} hours{% endblocktranslate %}")
    (files / "locale" / "parts" / "c.po").write_text(
        'msgctxt "c"\nmsgid "%(n)s hour"\nmsgid_plural "%(n)s hours"\n'
        'msgstr[0] "una hora"\nmsgstr[1] "%(n)s horas"\n'
    )
    catalogue.update()

    assert catalogue.problems() == []


def test_check_names_two_parts_that_differ(files):
    write_template(files, STOP)
    write_part(files, "apps.po", "Parar %(app)s")
    write_part(files, "other.po", "Detener %(app)s")
    catalogue.update()

    with pytest.raises(CommandError, match=r"apps.stop: apps.po and other.po differ"):
        call_command("catalogue", "check")


def test_compile_writes_what_gettext_reads(files):
    write_template(files, STOP)
    write_part(files, "apps.po", "Parar %(app)s")
    catalogue.update()

    catalogue.compile_if_stale()

    with catalogue.MO.open("rb") as file:
        assert gettext.GNUTranslations(file).pgettext("apps.stop", "Stop %(app)s") == "Parar %(app)s"


def test_every_text_has_an_id_and_spanish():
    assert catalogue.problems() == []


def test_django_speaks_the_spanish_of_the_catalogue():
    message = next(
        m for m in catalogue.texts(catalogue.read(catalogue.PO)) if m.string and isinstance(m.id, str)
    )

    with translation.override("es"):
        assert translation.pgettext(message.context, message.id) == message.string
