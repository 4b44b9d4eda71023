"""A proposed change as lines to read through: nothing that would be written is left out. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from fhirproxy import reading
from fhirproxy.served import SERVED
from portal import element_words

NOT_SHOWN = frozenset({"resourceType", "meta", "id"})


def name_of(resource: Mapping[str, Any]) -> str:
    """What it is, in the words of the record; its type where it has none."""
    elements = ("code", "medicationCodeableConcept", "type", "vaccineCode")
    found = (reading.words(resource.get(element)) for element in elements)
    return next(filter(None, found), str(resource.get("resourceType", "")))


def owner_of(resource: Mapping[str, Any]) -> str:
    """The patient's number in the clinic's record system."""
    path = SERVED[str(resource["resourceType"])].owner_paths[0].split(".")
    if path == ["id"]:
        return str(resource.get("id", ""))
    return reading.text(resource, *path, "reference").removeprefix("Patient/")


def lines(resource: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> list[tuple[str, str, str]]:
    """(where, what is proposed, what is there now) of every value that is not the same in both."""
    there = dict(_values(before or {}, ""))
    proposed = dict(_values(resource, ""))
    places = list(dict.fromkeys([*proposed, *there]))
    return [
        (place, proposed.get(place, ""), there.get(place, ""))
        for place in places
        if proposed.get(place) != there.get(place)
    ]


def _values(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            if path or name not in NOT_SHOWN:
                word = element_words.words_of(name)
                yield from _values(value, f"{path}, {word[:1].lower()}{word[1:]}" if path else word)
    elif isinstance(node, list):
        for position, value in enumerate(node, 1):
            yield from _values(value, f"{path} {position}" if len(node) > 1 else path)
    else:
        yield path, str(node)
