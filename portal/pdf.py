"""A list as a PDF that can be read aloud: tagged, with title and language (PDF/UA-1, ISO 14289-1)."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typst

SOURCE = Path(__file__).with_suffix(".typ").read_bytes()


def document(title: str, lines: Iterable[str], language: str) -> bytes:
    """A heading and a list of lines. `language` is a code of BCP 47.

    Typst brings its fonts. Where they lack a letter, those of this machine are looked through as well, and
    the file claims no PDF/UA: that demands that every letter can be shown.
    """
    given = {"title": _plain(title), "lines": [_plain(line) for line in lines], "language": language}
    inputs = {"given": json.dumps(given)}
    try:
        return _compiled(inputs, ignore_system_fonts=True, pdf_standards="ua-1")
    except typst.TypstError:
        return _compiled(inputs, ignore_system_fonts=False, pdf_standards="1.7")


def _compiled(inputs: dict[str, str], **options: Any) -> bytes:
    made = typst.compile(SOURCE, sys_inputs=inputs, **options)
    assert isinstance(made, bytes)  # without a path to write to
    return made


def _plain(text: str) -> str:
    """Without characters that have no form, and could turn or hide what stands beside them."""
    return "".join(c if c.isprintable() else " " for c in text)
