"""A resource between its JSON bytes and a dict, without loss: numbers keep the digits they came with."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from fhirstore.dates import instant
from fhirstore.definitions import TYPES
from fhirstore.outcome import Refused

MAX_DEPTH = 100
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
encode = msgspec.json.Encoder().encode

Document = dict[str, Any]


class NotJson(Refused):
    def __init__(self, why: str) -> None:
        super().__init__(400, "structure", f"The body cannot be read: {why}")
        self.why = why


def number(raw: str) -> int | msgspec.Raw:
    """A number as it was written: 1.50 stays 1.50. Whole numbers that fit 64 bits become int."""
    return int(raw) if raw.lstrip("-").isdigit() and len(raw) < 19 else msgspec.Raw(raw)


def _object(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("an object names the same property twice.")
    return found


def _constant(name: str) -> None:
    raise NotJson(f"{name} is not JSON.")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=msgspec.Raw, parse_int=number, parse_constant=_constant
).decode


def parse(body: bytes) -> Document:
    """The JSON object in `body`. Raises Refused (400) for anything else, for properties named twice,
    NaN, NUL, lone surrogates, and nesting deeper than 100."""
    try:
        text = body.decode("utf-8-sig")
        document = _decode(text)
    except UnicodeDecodeError:
        raise NotJson("it is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH}.") from None
    if not isinstance(document, dict):
        raise NotJson("it is not a JSON object.")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_too_deep(document, MAX_DEPTH):
        raise NotJson(f"it is nested deeper than {MAX_DEPTH}.")
    if "\\u" in text and not _is_storable(document):
        raise NotJson("a string holds a NUL character or half of a surrogate pair.")
    return document


def _is_too_deep(node: Any, left: int) -> bool:
    if isinstance(node, dict):
        return left == 0 or any(_is_too_deep(child, left - 1) for child in node.values())
    if isinstance(node, list):
        return left == 0 or any(_is_too_deep(child, left - 1) for child in node)
    return False


def _is_storable(document: Document) -> bool:
    try:
        return b"\\u0000" not in encode(document).replace(b"\\\\", b"")
    except UnicodeEncodeError:
        return False


def check(document: Document, place: str = "") -> str:
    """The resource type, once it is clear that the document can be a resource of it.
    Raises Refused (422) otherwise."""
    kind = document.get("resourceType")
    if not isinstance(kind, str) or kind not in TYPES:
        said = "is missing." if kind is None else "is not a resource type of FHIR R4."
        raise Refused(422, "structure", f"resourceType {said}", place or "resourceType")
    place = place or kind
    identity = document.get("id")
    if identity is not None and not (isinstance(identity, str) and ID.fullmatch(identity)):
        raise Refused(422, "value", "An id has 1 to 64 letters, digits, hyphens and dots.", f"{place}.id")
    if not isinstance(document.get("meta", {}), dict):
        raise Refused(422, "structure", "meta is an object.", f"{place}.meta")
    return kind


@dataclass(frozen=True, slots=True)
class Content:
    """A resource ready to be kept: everything that is the client's, without version and time."""

    type: str
    fhir_id: str
    document: Document
    bare: bytes
    digest: bytes

    def body(self, version: int, last_updated: datetime) -> str:
        """The bytes that a read answers: `bare` with versionId and lastUpdated put into meta."""
        head = len(encode({"resourceType": self.type, "id": self.fhir_id})) - 1
        start, rest = self.bare[:head].decode(), self.bare[head:].decode()
        stamp = f'"versionId":"{version}","lastUpdated":"{instant(last_updated)}"'
        if not rest.startswith(',"meta":{'):
            return f'{start},"meta":{{{stamp}}}{rest}'
        rest = rest.removeprefix(',"meta":{')
        return f'{start},"meta":{{{stamp}{"" if rest.startswith("}") else ","}{rest}'


def content(document: Document, fhir_id: str) -> Content:
    """Fix what a document says under an id. resourceType, id and meta come first; all other
    properties keep their order."""
    kind = document["resourceType"]
    meta = {k: v for k, v in document.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    ordered: Document = {"resourceType": kind, "id": fhir_id}
    if meta:
        ordered["meta"] = meta
    ordered |= {k: v for k, v in document.items() if k not in {"resourceType", "id", "meta"}}
    bare = encode(ordered)
    return Content(kind, fhir_id, ordered, bare, hashlib.sha256(bare).digest())
