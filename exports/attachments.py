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
from fhirproxy import gate
from fhirproxy.compartment import relative
from fhirproxy.interactions import FHIR_ID, Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import Refusal
from fhirproxy.reading import objects

TYPES = {"text/plain": ".txt", "application/xml": ".xml", "text/xml": ".xml"}


def of(job: ExportJob, file: ExportFile, source: Source) -> Iterator[tuple[str, bytes | None]]:
    """(name, content) of each attachment of a file of DocumentReference; None for what could not be had."""
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


def _content(job: ExportJob, file: ExportFile, source: Source, attachment: dict[str, Any]) -> bytes | None:
    try:
        if "data" in attachment:
            return base64.b64decode(attachment["data"], validate=True)
        raw = _binary(job, file, source, str(attachment["url"])).data
        try:
            return base64.b64decode(memoryview(raw)[1:-1], validate=True)
        except binascii.Error:  # an escaped "/"
            return base64.b64decode(msgspec.json.decode(raw, type=str), validate=True)
    except (Refusal, KeyError, TypeError, ValueError, binascii.Error):
        return None


class Binary(msgspec.Struct):
    data: msgspec.Raw  # with its quotation marks: a large one is not copied once more


def _binary(job: ExportJob, file: ExportFile, source: Source, url: str) -> Binary:
    """Raises Refusal, and ValueError for what is not in this EHR."""
    kind, _, binary_id = relative(url, source.base_url).partition("/")
    if kind != "Binary" or not FHIR_ID.match(binary_id):
        raise ValueError
    asking = requester(job, is_private=file.is_private)
    answer = gate.serve(asking, Interaction("read", "Binary", binary_id), source, EventType.EXPORT_READ)
    return msgspec.json.decode(answer.body, type=Binary)
