"""The bytes of an attachment: whoever may read the document may read them, and nobody else.

A DocumentReference carries its data inline or points to a Binary (FHIR R4, 2.23), which the gate
lets out as it lets out the document.
"""

import base64
import binascii
from typing import Any

import msgspec

from consent.requester import Requester
from fhirproxy import gate
from fhirproxy.compartment import relative
from fhirproxy.interactions import FHIR_ID, Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import NOT_FOUND, Refusal


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
