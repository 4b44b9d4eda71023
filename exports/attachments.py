"""The bytes that documents carry or point to: the gate lets them out as it does the document."""

import base64
import binascii
import mimetypes
from collections.abc import Iterator
from typing import Any

import msgspec

from audit.events import EventType
from exports import reading
from exports.models import ExportFile, ExportJob
from exports.requesters import requester
from exports.writing import Lost
from fhirproxy import attachments as fhir_attachments
from fhirproxy import gate
from fhirproxy.compartment import relative
from fhirproxy.interactions import FHIR_ID, Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure, Refusal
from fhirproxy.reading import objects

TYPES = {"text/plain": ".txt", "application/xml": ".xml", "text/xml": ".xml"}


def of(job: ExportJob, file: ExportFile, source: Source) -> Iterator[tuple[str, Iterator[bytes] | None]]:
    """(name, content by pieces) of each attachment of a file of DocumentReference; None for what could not be
    had. Raises Lost where content that was begun ends."""
    for line in reading.lines([file], job):
        document = msgspec.json.decode(line, type=dict[str, Any])
        for index, content in enumerate(objects(document, "content"), 1):
            attachment = content.get("attachment")
            if isinstance(attachment, dict) and ("data" in attachment or "url" in attachment):
                name = f"{document['id']}-{index}{_ending(attachment)}"
                yield name, _content(job, file, source, attachment)


def _ending(attachment: dict[str, Any]) -> str:
    kind = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
    return TYPES.get(kind) or mimetypes.guess_extension(kind) or ".bin"


def _content(
    job: ExportJob, file: ExportFile, source: Source, attachment: dict[str, Any]
) -> Iterator[bytes] | None:
    try:
        if "data" in attachment:
            return iter([base64.b64decode(attachment["data"], validate=True)])
        asking = requester(job, is_private=file.is_private)
        binary_id = _binary_id(source, str(attachment["url"]))
        if source.kind == Source.Kind.EMBEDDED:
            pieces = fhir_attachments.pieces(asking, source, binary_id, EventType.EXPORT_READ)
            return _begun(next(pieces, b""), pieces)
        asked = Interaction("read", "Binary", binary_id)
        answer = gate.serve(asking, asked, source, EventType.EXPORT_READ)
        return iter([decoded(msgspec.json.decode(answer.body, type=Binary).data)])
    except (Refusal, KeyError, TypeError, ValueError, binascii.Error):
        return None


def _begun(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    try:
        yield from rest
    except EhrFailure as failure:
        raise Lost from failure


class Binary(msgspec.Struct):
    data: msgspec.Raw  # with its quotation marks: a large one is not copied once more


def decoded(raw: msgspec.Raw) -> bytes:
    """Raises ValueError for what is no base64."""
    try:
        return base64.b64decode(memoryview(raw)[1:-1], validate=True)
    except binascii.Error:  # an escaped "/"
        return base64.b64decode(msgspec.json.decode(raw, type=str), validate=True)


def _binary_id(source: Source, url: str) -> str:
    """Raises ValueError for what is not in this EHR."""
    kind, _, binary_id = relative(url, source.base_url).partition("/")
    if kind != "Binary" or not FHIR_ID.match(binary_id):
        raise ValueError
    return binary_id
