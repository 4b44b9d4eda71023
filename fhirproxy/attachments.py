"""The bytes of an attachment: whoever may read the document may read them, and nobody else.

A DocumentReference carries its data inline or points to a Binary (FHIR R4, 2.23), which the gate
lets out as it lets out the document.
"""

import base64
import binascii
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from audit.events import EventType
from consent.requester import Requester
from fhirproxy import gate, instances
from fhirproxy.compartment import relative
from fhirproxy.interactions import FHIR_ID, Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import NOT_FOUND, EhrFailure, Refusal
from fhirproxy.upstream import FhirResponse

PIECE = 4 * 1024 * 1024  # bytes


def read(
    requester: Requester, document_id: str, index: int = 0, source: Source | None = None
) -> tuple[bytes, str]:
    """(bytes, content type) of one attachment. Raises Refusal: 404 where there is none."""
    source = source or Source.primary()
    document = _read(requester, source, "DocumentReference", document_id)
    try:
        attachment = document["content"][index]["attachment"]
        if "data" not in attachment:
            kind, _, binary_id = relative(attachment["url"], source.base_url).partition("/")
            if kind != "Binary" or not FHIR_ID.match(binary_id):
                raise Refusal(404, NOT_FOUND)
            attachment = _read(requester, source, "Binary", binary_id)
        content = base64.b64decode(attachment["data"], validate=True)
    except (KeyError, IndexError, TypeError, AttributeError, binascii.Error):
        raise Refusal(404, NOT_FOUND) from None
    return content, str(attachment.get("contentType", ""))


def _read(requester: Requester, source: Source, kind: str, resource_id: str) -> dict[str, Any]:
    answer = gate.serve(requester, Interaction("read", kind, resource_id), source)
    return msgspec.json.decode(answer.body, type=dict[str, Any])


def pieces(requester: Requester, source: Source, binary_id: str, event: EventType) -> Iterator[bytes]:
    """The content of a Binary of the embedded store, which is let out like any other, and then read piece by
    piece: of 50 MB nothing stands in memory whole.

    Raises Refusal, before the first piece too where there is no content; EhrFailure where it ends half-way.
    """
    versions: list[int] = []
    asked = Interaction("read", "Binary", binary_id)
    gate.serve(
        requester, asked, source, event, answer=partial(instances.read, ask=partial(_envelope, versions))
    )
    read, at = import_string(settings.FHIRSTORE_PIECE), 0
    while True:
        piece = read(binary_id, versions[0], at, PIECE)
        if piece is None:
            raise EhrFailure(502, "It was changed while it was read.") if at else Refusal(404, NOT_FOUND)
        if not piece:
            return
        yield piece
        at += len(piece)


def _envelope(versions: list[int], _source: Source, path: str) -> FhirResponse:
    """The resource without its data. Notes which version it is: the pieces are of that one."""
    found = import_string(settings.FHIRSTORE_ENVELOPE)(path.partition("/")[2])
    if found is None:
        return FhirResponse(404, {}, b"")
    versions.append(found[0])
    return FhirResponse(200, {}, found[1])
