"""What a resource can be found by, taken out of it when it is written."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from django.conf import settings

from fhirstore import composites, terms
from fhirstore.dates import BEGINNING, END, Span, span
from fhirstore.definitions import PARAMETERS, Parameter
from fhirstore.documents import ID, Document
from fhirstore.outcome import Refused
from fhirstore.paths import Path, compile_path


@dataclass(slots=True)
class Index:
    """The searchable side of one resource; rows begin with the name of their parameter."""

    terms: set[int] = field(default_factory=set)
    patient: str | None = None  # where its `patient` parameter names exactly one
    main_date: Span | None = None
    dates: set[tuple[str, datetime, datetime]] = field(default_factory=set)  # low, high
    strings: set[tuple[str, str]] = field(default_factory=set)
    quantities: set[tuple[str, float, float, str, str, str]] = field(  # low, high, system, code, unit
        default_factory=set
    )


# A quantity parameter that is the union of others has no rows of its own.
UNIONS = {
    "Observation.combo-value-quantity": ("Observation.value-quantity", "Observation.component-value-quantity")
}


class _Odd(ValueError):
    """An element that has not the shape its parameter needs."""


@cache
def _compiled(kind: str) -> list[tuple[Parameter, Path, Callable[[Index, Parameter, Any], None]]]:
    return [(p, compile_path(p.expression), _ADD[p.kind]) for p in PARAMETERS[kind].values()]


def index(document: Document) -> Index:
    """Raises Refused (422) where an element that is searched has the wrong shape."""
    kind, fhir_id = document["resourceType"], document["id"]
    found = Index()
    for parameter, path, add in _compiled(kind):
        try:
            nodes = path(document)
            if not nodes:
                continue
            for node in nodes:
                add(found, parameter, node)
        except (ValueError, TypeError, AttributeError, KeyError):
            raise Refused(
                422, "value", f"An element that `{parameter.code}` searches cannot be read.",
                f"{kind}.{parameter.expression}",
            ) from None  # fmt: skip
        found.terms.add(terms.present(parameter.name))
        if parameter.in_patient_compartment:
            found.terms.update(terms.compartment(patient) for patient in _patients(nodes))
        if parameter.code == "patient" and len(patients := set(_patients(nodes))) == 1:
            found.patient = patients.pop()
    if kind == "Observation" and "component" in document:
        _add_components(found, document)
    if kind == "Patient":
        found.patient = fhir_id
        found.terms.add(terms.compartment(fhir_id))
    return found


def _add_components(found: Index, document: Document) -> None:
    """The values of components under the codes of the same component, for composite parameters."""
    for names, pairs, component in composites.pairs(document, _code_terms):
        found.terms |= pairs
        if isinstance(quantity := component.get("valueQuantity"), dict) and "value" in quantity:
            value = _float(quantity["value"])
            found.quantities.update((name, value, value, *_unit(quantity)) for name in names)


def _code_terms(param: str, concept: Document) -> set[int]:
    """`code` and `system|code` of each coding."""
    found: set[int] = set()
    for coding in concept.get("coding", ()):
        if code := coding.get("code"):
            found |= {terms.code(param, code), terms.coding(param, coding.get("system", ""), code)}
    return found


def relative(reference: str) -> str:
    """A reference without a version, and without our own base: `Patient/1`."""
    reference = reference.removeprefix(f"{settings.FHIR_BASE_URL}/")
    return reference.partition("/_history/")[0]


def _patients(nodes: Iterable[Any]) -> Iterable[str]:
    for node in nodes:
        reference = node.get("reference") if isinstance(node, dict) else None
        if isinstance(reference, str):
            kind, _, fhir_id = relative(reference).partition("/")
            if kind == "Patient" and ID.fullmatch(fhir_id):
                yield fhir_id


def normal(text: str) -> str:
    """Text as strings are compared: without accents, case and repeated blanks (R4, 3.1.1.4.8)."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.casefold().split())[:200]


def _add_token(found: Index, parameter: Parameter, node: Any) -> None:
    name = parameter.name
    if isinstance(node, bool):
        found.terms.add(terms.code(name, "true" if node else "false"))
    elif isinstance(node, str):
        found.terms.update((terms.code(name, node), terms.coding(name, "", node)))
    elif "coding" in node:
        for each in node["coding"]:
            _add_token(found, parameter, each)
    else:
        _add_coding(found, name, node.get("system"), node.get("code", node.get("value")))
        if "value" in node and isinstance(kind := node.get("type"), dict):
            found.terms.update(_of_type(name, kind, node["value"]))


def _of_type(name: str, kind: Document, value: str) -> Iterable[int]:
    """An Identifier by each coding of its type."""
    for coding in kind.get("coding", ()):
        if code := coding.get("code"):
            yield terms.of_type(name, coding.get("system", ""), code, value)


def _add_coding(found: Index, name: str, system: str | None, code: str | None) -> None:
    if system is not None and not isinstance(system, str):
        raise _Odd
    if isinstance(code, str):
        found.terms.update((terms.code(name, code), terms.coding(name, system or "", code)))
    elif code is not None:
        raise _Odd
    if system:
        found.terms.add(terms.system(name, system))


def _add_reference(found: Index, parameter: Parameter, node: Any) -> None:
    target = node if isinstance(node, str) else node.get("reference")
    if not isinstance(node, str) and isinstance(identifier := node.get("identifier"), dict):
        _add_coding(found, f"{parameter.name}:identifier", identifier.get("system"), identifier.get("value"))
    if target is None:
        return  # an identifier or a display only
    if not isinstance(target, str):
        raise _Odd
    target = relative(target)
    found.terms.add(terms.reference(parameter.name, target))
    if isinstance(node, str):  # a canonical is found with its version and without (R4, 3.1.1.4.12)
        found.terms.add(terms.reference(parameter.name, target.partition("|")[0]))
    kind, _, fhir_id = target.partition("/")
    if kind in PARAMETERS:
        found.terms.add(terms.reference(parameter.name, fhir_id))


def _add_uri(found: Index, parameter: Parameter, node: Any) -> None:
    if not isinstance(node, str):
        raise _Odd
    found.terms.add(terms.text(parameter.name, node))


def _add_string(found: Index, parameter: Parameter, node: Any) -> None:
    for text in _texts(node):
        found.terms.add(terms.text(parameter.name, text))
        found.strings.add((parameter.name, normal(text)))


def _texts(node: Any) -> Iterable[str]:
    """A string, or the parts of a HumanName or Address."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for each in node:
            yield from _texts(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key not in {"use", "type", "period", "extension", "id"} and not key.startswith("_"):
                yield from _texts(value)


def _add_date(found: Index, parameter: Parameter, node: Any) -> None:
    covered = _covered(node)
    if covered is None:
        return
    if parameter.is_main_date:
        found.main_date = covered
    else:
        found.dates.add((parameter.name, *covered))


def _covered(node: Any) -> Span | None:
    if isinstance(node, str):
        return span(node)
    if "start" in node or "end" in node:
        low = span(node["start"])[0] if "start" in node else BEGINNING
        return low, span(node["end"])[1] if "end" in node else END
    events = [span(event) for event in node.get("event", [])]
    bounds = node.get("repeat", {}).get("boundsPeriod")
    events += [found] if bounds and (found := _covered(bounds)) else []
    return (min(low for low, _ in events), max(high for _, high in events)) if events else None


def _add_quantity(found: Index, parameter: Parameter, node: Any) -> None:
    """A Quantity, Money, Range, or a bare number. SampledData is left out."""
    if parameter.name in UNIONS:
        return  # the rows of its parts are searched
    if not isinstance(node, dict):
        found.quantities.add((parameter.name, _float(node), _float(node), "", "", ""))
    elif "value" in node:
        value = _float(node["value"])
        found.quantities.add((parameter.name, value, value, *_unit(node)))
    elif low_or_high := node.get("low") or node.get("high"):
        low = _float(node["low"]["value"]) if "low" in node else float("-inf")
        high = _float(node["high"]["value"]) if "high" in node else float("inf")
        found.quantities.add((parameter.name, low, high, *_unit(low_or_high)))


def _unit(node: dict[str, Any]) -> tuple[str, str, str]:
    found = (node.get("system", ""), node.get("code", node.get("currency", "")), node.get("unit", ""))
    if not all(isinstance(part, str) for part in found):
        raise _Odd
    return found


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | msgspec.Raw):
        raise _Odd
    return float(bytes(value)) if isinstance(value, msgspec.Raw) else float(value)


_ADD = {
    "token": _add_token,
    "string": _add_string,
    "date": _add_date,
    "reference": _add_reference,
    "uri": _add_uri,
    "quantity": _add_quantity,
    "number": _add_quantity,
}
_NO_DATE: tuple[datetime, None] = (BEGINNING, None)


def main_date_columns(found: Index) -> tuple[datetime, datetime | None]:
    """(date_low, date_high) of the resource row."""
    return found.main_date or _NO_DATE
