"""PDF by Typst: tagged, so that a screen reader can read it (PDF/UA-1), and out of data, never out of markup.

A template is a file of ours beside the code that fills it. All that others wrote goes in as JSON, and Typst
makes text of a string, whatever stands in it. The fonts are the ones in Typst's wheel, so that the same data
give the same bytes on each machine.
"""

import json
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

LETTERS = Path(__file__).with_name("letters.txt")  # code points that the fonts of every weight have
NO_LETTER = "□"  # stands where the fonts have no letter: an emoji, a Chinese name
LONGEST = 1000  # characters of one text; the other formats have the rest


class NotSet(Exception):
    """Typst refused. Its words are left out: they may quote a record."""


def pdf(template: Path, data: Mapping[str, Any], *, made_at: datetime) -> bytes:
    """One PDF/UA-1 file. The template finds `data` as JSON in `sys.inputs.data`, every text `printable`.

    Raises NotSet.
    """
    import typst  # 7 MB, which a worker that makes no PDF does not need

    inputs = {"data": json.dumps(_printable(data), ensure_ascii=False)}
    try:
        made = typst.compile(
            template.read_bytes(),
            sys_inputs=inputs,
            pdf_standards=["ua-1"],
            ignore_system_fonts=True,
            timestamp=made_at.replace(microsecond=0),
        )
    except typst.TypstError:
        raise NotSet from None
    assert isinstance(made, bytes)
    return made


def printable(text: str) -> str:
    """Without what cannot be drawn, and without marks that turn the direction of the text around them."""
    known = letters()
    shown = []
    for letter in unicodedata.normalize("NFC", text[:LONGEST]):
        kind = unicodedata.category(letter)
        if letter in "\n\t\r":
            shown.append(" ")
        elif kind not in ("Cc", "Cf", "Cs"):
            shown.append(letter if ord(letter) in known else NO_LETTER)
    return "".join(shown) + ("…" if len(text) > LONGEST else "")


def _printable(node: Any) -> Any:
    if isinstance(node, str):
        return printable(node)
    if isinstance(node, Mapping):
        return {key: _printable(value) for key, value in node.items()}
    return [_printable(value) for value in node] if isinstance(node, list | tuple) else node


@cache
def letters() -> frozenset[int]:
    """Every code point that can be drawn, in each weight that templates use."""
    spans = (span.partition("-") for span in LETTERS.read_text().split())
    return frozenset(code for low, _, high in spans for code in range(int(low, 16), int(high or low, 16) + 1))
