"""What an app says of itself, made safe to show: its names are a stranger's text."""

import unicodedata

# No control or direction characters, and nothing that has no shape of its own.
DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})  # with look-alikes


def plain(text: str, cap: int) -> str:
    """One line of at most `cap` characters, with at most two marks upon a letter."""
    shown: list[str] = []
    marks = 0
    for char in " ".join(unicodedata.normalize("NFC", text).split()):
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category not in DROPPED and marks <= 2:
            shown.append(char)
    whole = "".join(shown).strip()
    return whole if len(whole) <= cap else f"{whole[: cap - 1]}…"


def mixes_alphabets(text: str) -> bool:
    """Whether a name has letters of two alphabets that look alike, as one that pretends to be another."""
    return len({_alphabet(char) for char in text if char.isalpha()} & ALPHABETS) > 1


def _alphabet(char: str) -> str:
    # Letters of mathematics and full width are named after their alphabet once they are made plain.
    return unicodedata.name(unicodedata.normalize("NFKC", char)[0], "").split(" ")[0]
