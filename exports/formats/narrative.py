"""Tables as XHTML for Narrative.div (FHIR R4, 2.4.0): built as a tree, so that every text is escaped."""

import unicodedata
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from exports.formats.parts import Table

XHTML = "http://www.w3.org/1999/xhtml"


def xhtml(tables: Iterable[Table], language: str) -> str:
    div = Element("div", {"xmlns": XHTML, "lang": language, "xml:lang": language})
    for table in tables:
        SubElement(div, "h2").text = clean(table.heading)
        if table.notice or not table.rows:
            SubElement(div, "p").text = clean(table.notice)
        if table.rows:
            _rows(div, table)
    return tostring(div, encoding="unicode")


def _rows(div: Element, table: Table) -> None:
    whole = SubElement(div, "table")
    head = SubElement(SubElement(whole, "thead"), "tr")
    for column in table.columns:
        SubElement(head, "th").text = clean(column)
    body = SubElement(whole, "tbody")
    for row in table.rows:
        line = SubElement(body, "tr")
        for cell in row.cells:
            SubElement(line, "td").text = clean(cell)


def clean(text: str) -> str:
    """Without what XML 1.0 cannot hold (2.2), and without marks that turn text around."""
    kept = (c for c in text if c in "\t\n\r" or unicodedata.category(c) not in ("Cc", "Cs"))
    return "".join(
        c for c in kept if not ("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" or c in "\ufffe\uffff")
    )
