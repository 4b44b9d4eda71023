"""The elements of R4's types, read once from `r4/structures.txt` and `r4/codes.txt`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from fhirstore.definitions import read_lines
from fhirstore.primitives import TESTS


@dataclass(frozen=True, slots=True)
class ElementType:
    """One type that an element may have."""

    name: str  # "Quantity", "code", or the section of a backbone element: "Observation.component"
    value_set: str = ""  # a key of CODES, where the standard requires one
    targets: frozenset[str] = frozenset()  # of a Reference; empty for any

    @property
    def is_primitive(self) -> bool:
        return self.name in TESTS


@dataclass(frozen=True, slots=True)
class Element:
    name: str  # "status"; a choice is "value", without [x]
    is_required: bool
    is_list: bool
    in_summary: bool
    is_choice: bool
    types: tuple[ElementType, ...]

    def properties(self) -> dict[str, ElementType]:
        """JSON property -> type: `valueQuantity` and so on for a choice."""
        if not self.is_choice:
            return {self.name: self.types[0]}
        return {self.name + each.name[0].upper() + each.name[1:]: each for each in self.types}


def _element(line: str) -> Element:
    name, cardinality, summary, *types = line.split()
    least, _, most = cardinality.partition("..")
    return Element(
        name=name.removesuffix("[x]"),
        is_required=least != "0",
        is_list=most != "1",
        in_summary=summary == "s",
        is_choice=name.endswith("[x]"),
        types=tuple(_type(each) for each in types),
    )


def _type(text: str) -> ElementType:
    if text.startswith("@"):
        return ElementType(text[1:])
    if text.startswith("Reference("):
        return ElementType("Reference", targets=frozenset(text[10:-1].split("|")))
    name, _, value_set = text.partition("=")
    return ElementType(name, value_set)


def _read_sections() -> dict[str, tuple[str, tuple[str, ...]]]:
    """section -> (its base, its lines)."""
    sections: dict[str, tuple[str, list[str]]] = {}
    for line in read_lines("structures.txt"):
        if line.startswith("["):
            name, _, base = line[1:-1].partition(" ")
            sections[name] = (base, [])
        else:
            sections[name][1].append(line)
    return {name: (base, tuple(lines)) for name, (base, lines) in sections.items()}


_SECTIONS = _read_sections()


@cache
def elements(section: str) -> tuple[Element, ...]:
    """All elements of a type or backbone element, those of its base first."""
    base, lines = _SECTIONS[section]
    inherited = elements(base) if base else ()
    return inherited + tuple(_element(line) for line in lines)


@cache
def summary_elements(kind: str) -> frozenset[str]:
    """Top-level properties that `_summary=true` shows."""
    shown = (each for each in elements(kind) if each.in_summary)
    return frozenset(name for each in shown for name in each.properties())


@cache
def mandatory_elements(kind: str) -> frozenset[str]:
    """Top-level properties of required elements: they stay, whatever a client wants to see."""
    required = (each for each in elements(kind) if each.is_required)
    return frozenset(name for each in required for name in each.properties())


def _read_codes() -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for line in read_lines("codes.txt"):
        name, system, *codes = line.split()
        found.setdefault(name, {})[system] = frozenset(codes)
    return found


# value set -> code system -> codes
CODES: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(_read_codes())


@cache
def element_at(kind: str, path: str) -> Element | None:
    """The element that a plain path leads to (`status`, `component.code`); None where there is none."""
    section = kind
    for position, name in enumerate(steps := path.split("."), start=1):
        found = next((each for each in elements(section) if each.name == name), None)
        if found is None or position == len(steps):
            return found
        section = found.types[0].name
        if section not in _SECTIONS:
            return None
    return None
