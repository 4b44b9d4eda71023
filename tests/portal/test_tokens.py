"""Contrast of the colours in static/app.css, in light and in dark (WCAG 2.2: 1.4.3, 1.4.11)."""

import gzip
import re
from pathlib import Path

import pytest

SHEET = Path(__file__).resolve().parents[2] / "static" / "app.css"
TOKEN = re.compile(r"--(\w+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TOKENS = {name: (light, dark) for name, light, dark in TOKEN.findall(SHEET.read_text())}

TEXT, GRAPHIC = 4.5, 3.0
PAIRS = [
    ("ink", "bg", TEXT),
    ("ink", "surface", TEXT),
    ("ink2", "bg", TEXT),
    ("ink2", "surface", TEXT),
    ("link", "surface", TEXT),
    ("link", "bg", TEXT),
    ("visited", "surface", TEXT),
    ("visited", "bg", TEXT),
    ("onbrand", "brand", TEXT),
    ("onbrand", "brandhi", TEXT),
    ("onbar", "bar", TEXT),
    ("brand", "surface", TEXT),
    ("brand", "neutbg", TEXT),
    ("bad", "surface", TEXT),
    ("bad", "bg", TEXT),
    ("info", "infobg", TEXT),
    ("good", "goodbg", TEXT),
    ("warn", "warnbg", TEXT),
    ("bad", "badbg", TEXT),
    ("neut", "neutbg", TEXT),
    ("acting", "actingbg", TEXT),
    ("edge", "surface", GRAPHIC),
    ("edge", "bg", GRAPHIC),
    ("bandedge", "surface", GRAPHIC),
    ("plot", "band", GRAPHIC),
    ("plot", "surface", GRAPHIC),
    ("out", "band", GRAPHIC),
    ("out", "surface", GRAPHIC),
]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "needed"), PAIRS)
def test_contrast_is_enough(front, back, needed, theme):
    assert contrast(TOKENS[front][theme], TOKENS[back][theme]) >= needed


def test_focus_shows_on_every_ground():
    """Two rings, one light and one dark: on any ground at least one of them stands out."""
    for theme in (0, 1):
        for ground in ("bg", "surface"):
            rings = (TOKENS["ink"][theme], TOKENS["focus"][theme])
            assert max(contrast(ring, TOKENS[ground][theme]) for ring in rings) >= GRAPHIC


def test_every_colour_used_is_a_token():
    body = SHEET.read_text().split("@layer reset {")[1]
    used = set(re.findall(r"var\(--(\w+)\)", body))
    other = {"font", "radius", "measure", "page", "tap"}

    assert {name for name in used if not re.match(r"[ts]\d?", name)} - other <= set(TOKENS)


def test_sheet_keeps_its_budget():
    assert len(gzip.compress(SHEET.read_bytes())) <= 12_000
