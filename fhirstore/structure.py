"""Whether a document is what R4 says a resource of its type is: elements, how many there are of each,
their types, codes that the standard requires, and types that a reference may lead to.

Profiles, invariants and terminology beyond that are not checked: the gate's EHR takes what is FHIR.
A document costs 10 to 40 microseconds: every type is compiled once into a dict of checks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from fhirstore.definitions import TYPES
from fhirstore.outcome import Issue, Refused
from fhirstore.primitives import NEEDS, TESTS
from fhirstore.shapes import CODES, ElementType, elements

MAX_ISSUES = 20
CODES_TOLD = 12
WRONG_TARGET = "invariant"  # the code of a reference to a type that is not allowed there


class Problem(NamedTuple):
    """What is wrong at a path, relative to the node that was checked: ".status"."""

    path: str
    code: str  # from the IssueType value set
    text: str


Problems = list[Problem]
Check = Callable[[Any], Problems]  # empty where all is well
_NONE: Problems = []


@dataclass(slots=True)
class _Property:
    check: Check
    is_list: bool
    bit: int  # of its element, where that is required or a choice; else 0
    is_choice: bool
    is_primitive: bool


@dataclass(slots=True)
class _Table:
    """A type as the walk uses it."""

    properties: dict[str, _Property] = field(default_factory=dict)
    required: int = 0  # the bits that must have been seen
    names: dict[int, str] = field(default_factory=dict)  # bit -> element


def check(document: dict[str, Any]) -> None:
    """Raises Refused (422) with an issue for each thing that is wrong, at most 20."""
    refuse(document, problems(document))


def problems(document: dict[str, Any]) -> Problems:
    """All that is wrong, in the order of the document."""
    return _check_object(document["resourceType"])(document)


def refuse(document: dict[str, Any], found: Problems) -> None:
    """Raises Refused (422) unless `found` is empty."""
    if found:
        kind = document["resourceType"]
        issues = [Issue(each.code, each.text, kind + each.path) for each in found[:MAX_ISSUES]]
        raise Refused(422, *issues[0], more=issues[1:])


@cache
def _table(section: str) -> _Table:
    table = _Table()
    for element in elements(section):
        bit = 0
        if element.is_required or element.is_choice:
            bit = 1 << len(table.names)
            table.names[bit] = element.name
            table.required |= bit if element.is_required else 0
        for name, type_ in element.properties().items():
            table.properties[name] = _Property(
                _check_type(type_), element.is_list, bit, element.is_choice, type_.is_primitive
            )
    if section in TYPES:
        table.properties["resourceType"] = _Property(lambda _: _NONE, False, 0, False, False)
    return table


@cache
def _check_type(type_: ElementType) -> Check:
    if type_.is_primitive:
        return _check_code(type_.value_set) if type_.value_set else _check_primitive(type_.name)
    if type_.name == "Resource":
        return _check_resource
    shape = _check_object(type_.name)
    if type_.targets:
        return lambda node: shape(node) or _check_target(node, type_.targets)
    if type_.value_set:
        return lambda node: shape(node) or _check_concept(node, type_.value_set)
    return shape


@cache
def _check_object(section: str) -> Check:
    known: dict[str, _Property] = {}
    table = _Table()

    def walk(node: Any) -> Problems:
        nonlocal known, table
        if type(node) is not dict or not node:
            return [
                Problem(
                    "",
                    "structure",
                    "This is an object, with at least one property: leave it out if there is nothing to say.",
                )
            ]
        if not known:  # read at first use: types refer to each other in circles
            table = _table(section)
            known = table.properties
        found: Problems = _NONE
        seen = shadowed = 0
        for name, value in node.items():
            prop = known.get(name)
            if prop is None:
                wrong, bit = _check_shadow(known, name, value)
                shadowed |= bit
            else:
                wrong = _check_list(prop, node, name) if prop.is_list else prop.check(value)
                if prop.is_choice and seen & prop.bit:
                    wrong = [
                        *wrong,
                        Problem("", "structure", "This element stands here in two forms: keep one."),
                    ]
                seen |= prop.bit
            if wrong:
                found = found + [Problem(f".{name}{each.path}", each.code, each.text) for each in wrong]
        if lost := table.required & ~(seen | shadowed):
            found = found + _missing(table, lost)
        return found

    return walk


def _missing(table: _Table, lost: int) -> Problems:
    names = [name for bit, name in table.names.items() if bit & lost]
    return [Problem(f".{name}", "required", "This element is required: add it.") for name in names]


def _check_list(prop: _Property, node: dict[str, Any], name: str) -> Problems:
    values = node[name]
    if type(values) is not list or not values:
        return [
            Problem(
                "",
                "structure",
                "This is a list, with at least one entry: write [ ] around it, or leave it out.",
            )
        ]
    found: Problems = _NONE
    for position, value in enumerate(values):
        if value is None and prop.is_primitive and f"_{name}" in node:
            continue  # its extension says why
        if wrong := prop.check(value):
            found = found + [Problem(f"[{position}]{each.path}", each.code, each.text) for each in wrong]
    return found


def _check_shadow(known: dict[str, _Property], name: str, value: Any) -> tuple[Problems, int]:
    """`_birthDate` beside `birthDate`: its id and extensions (R4, 2.6.2.4)."""
    prop = known.get(name[1:]) if name.startswith("_") else None
    if prop is None or not prop.is_primitive:
        return [
            Problem(
                "",
                "structure",
                "There is no such element here in FHIR R4: take it out, or make it an extension.",
            )
        ], 0
    parts = value if prop.is_list else [value]
    if type(parts) is not list:
        return [Problem("", "structure", "This is a list, as the element beside it is.")], 0
    element = _check_object("Element")
    wrong = [problem for part in parts if part is not None for problem in element(part)]
    return wrong, prop.bit


@cache
def _check_primitive(name: str) -> Check:
    test = TESTS[name]
    needs = NEEDS.get(name, f"text that is a {name}")
    problems = [Problem("", "value", f"This takes {needs}, of type {name}.")]
    return lambda value: _NONE if test(value) else problems


@cache
def _check_code(value_set: str) -> Check:
    allowed = frozenset().union(*CODES[value_set].values())
    told = sorted(allowed)[:CODES_TOLD] + (["and others"] if len(allowed) > CODES_TOLD else [])
    problems = [Problem("", "code-invalid", f"The codes of {value_set} are: {', '.join(told)}.")]
    return lambda value: _NONE if type(value) is str and value in allowed else problems


def _check_concept(node: dict[str, Any], value_set: str) -> Problems:
    """One coding is of the value set. A concept without codings, in words only, is let be."""
    codings = node.get("coding", [node] if "code" in node and "value" not in node else [])
    by_system = CODES[value_set]
    if not codings or any(each.get("code") in by_system.get(each.get("system", ""), ()) for each in codings):
        return _NONE
    return [Problem("", "code-invalid", f"One coding has a code of {value_set} ({', '.join(by_system)}).")]


def _check_target(node: dict[str, Any], targets: frozenset[str]) -> Problems:
    reference = node.get("reference", "")
    kind = _target_type(reference) if type(reference) is str else ""
    if kind in targets or kind not in TYPES:
        return _NONE
    told = ", ".join(sorted(targets))
    return [Problem(".reference", WRONG_TARGET, f"This refers to {told}, and not to {kind}.")]


def _target_type(reference: str) -> str:
    """Patient of `Patient/1`, `http://x/Patient/1/_history/2` and `Patient?identifier=1`; "" of others."""
    if reference.startswith(("#", "urn:")):
        return ""
    path, query, _ = reference.partition("?")
    parts = path.partition("/_history/")[0].split("/")
    return parts[-1] if query else parts[-2] if len(parts) > 1 else ""


def _check_resource(node: Any) -> Problems:
    kind = node.get("resourceType") if type(node) is dict else None
    if type(kind) is not str or kind not in TYPES:
        return [Problem(".resourceType", "structure", "This is the name of a resource type of FHIR R4.")]
    return _check_object(kind)(node)
