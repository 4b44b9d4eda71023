"""Names that look like other names: what a reviewer should see before people are taken in by it.

A name becomes a skeleton in which characters that are confused with each other are one (Unicode
Technical Standard 39, 4). Two names with one skeleton look the same; one letter more or less looks
almost the same.
"""

import unicodedata
from collections.abc import Iterator

from confusable_homoglyphs.confusables import confusables_data
from django.conf import settings

from smart.models import Client

SHORT = 5  # of skeletons that are shorter, one letter is too much
# Of Latin letters among themselves; longer ones first.
ALIKE = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"))


def skeleton(name: str) -> str:
    """Lower-case Latin letters and digits, as far as a name can be read so."""
    plain = "".join(_latin(char) for char in unicodedata.normalize("NFKD", name))
    letters = "".join(char for char in plain.casefold() if char.isalnum())
    for pair, one in ALIKE:
        letters = letters.replace(pair, one)
    return letters


def _latin(char: str) -> str:
    if char.isascii():
        return char
    alike = (entry["c"] for entry in confusables_data.get(char, ()))
    return next((text for text in alike if text.isascii() and text.isalnum()), char)


def resembling(client: Client) -> Iterator[str]:
    """Names of other people's clients, and of the clinic, that this one's name may be taken for."""
    own = [skeleton(text) for text in (client.name, client.vendor) if text]
    others = Client.objects.exclude(pk=client.pk).exclude(status=Client.Status.REMOVED)
    if client.user_id:
        others = others.exclude(user_id=client.user_id)
    names = {name for row in others.values_list("name", "vendor") for name in row if name}
    for name in sorted({*names, settings.CLINIC_NAME, "Chartkey"}):
        if any(_near(text, skeleton(name)) for text in own):
            yield name


def _near(one: str, other: str) -> bool:
    if one == other or (len(other) > SHORT and other in one):
        return bool(one)
    return min(len(one), len(other)) > SHORT and _differ_by_one(one, other)


def _differ_by_one(one: str, other: str) -> bool:
    """One letter changed, added or left out."""
    if abs(len(one) - len(other)) > 1:
        return False
    at = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return one[at + 1 :] == other[at + 1 :] or one[at:] == other[at + 1 :] or one[at + 1 :] == other[at:]
