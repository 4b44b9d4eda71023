"""FHIR JSON of proposals: numbers keep the digits that they came with (1.50 stays 1.50)."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode
_in_order = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
Resource = dict[str, Any]


class NotJson(ValueError):
    """Not one JSON object that means the same to everybody."""


def read(text: str | bytes) -> Resource:
    """Raises NotJson."""
    try:
        said = text.decode("utf-8") if isinstance(text, bytes) else text
        found = json.loads(said, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant)
        dump(found)  # half of a surrogate pair is no text
    except (ValueError, RecursionError, UnicodeError) as error:
        raise NotJson("The body is no JSON, or says one thing twice.") from error
    if not isinstance(found, dict) or "\\u0000" in said:
        raise NotJson("The body is no JSON object, or has a character that none has.")
    return found


def dump(resource: Mapping[str, Any]) -> bytes:
    return _encode(resource)


def canonical(resource: Mapping[str, Any]) -> bytes:
    """The same bytes in whatever order its elements stand."""
    return _in_order(resource)


def digest(resource: Mapping[str, Any]) -> str:
    """SHA-256 of what it says."""
    return hashlib.sha256(canonical(resource)).hexdigest()


def walk(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(FHIRPath, object) of every object in it, itself first."""
    if isinstance(node, dict):
        yield path, node
        for name, value in node.items():
            yield from walk(value, f"{path}.{name}")
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from walk(value, f"{path}[{position}]")


def _object(pairs: list[tuple[str, Any]]) -> Resource:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an element is there twice")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
