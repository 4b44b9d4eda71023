"""The bytes of an attachment: whoever may read the document may read them, and nobody else.

A DocumentReference carries its data inline or points to a Binary (FHIR R4, 2.23). A Binary says
of itself neither whose it is nor what it is about, so the document's decision is its decision, and
it is reached by no other way.
"""

import base64
import binascii
import re
from typing import Any

import msgspec

from consent.authority import Requester
from fhirproxy import gate, upstream
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EHR_DOWN, NOT_FOUND, Refusal
from fhirproxy.upstream import FHIR_JSON, FhirRequest

BINARY = re.compile(r"Binary/[A-Za-z0-9\-.]{1,64}")


def read(requester: Requester, document_id: str, index: int = 0) -> tuple[bytes, str]:
    """(bytes, content type) of one attachment. Raises Refusal: 404 where there is none."""
    source = Source.primary()
    answer = gate.serve(requester, Interaction("read", "DocumentReference", document_id), source)
    document = msgspec.json.decode(answer.body, type=dict[str, Any])
    try:
        attachment = document["content"][index]["attachment"]
        if "data" not in attachment:
            attachment = _binary(source, attachment["url"])
        content = base64.b64decode(attachment["data"], validate=True)
    except (KeyError, IndexError, TypeError, binascii.Error):
        raise Refusal(404, NOT_FOUND) from None
    return content, str(attachment.get("contentType", ""))


def _binary(source: Source, url: str) -> dict[str, Any]:
    """The Binary that a document points to, if it is one in the same EHR."""
    path = url.removeprefix(f"{source.base_url}/") if source.base_url else url
    if not BINARY.fullmatch(path):
        raise Refusal(404, NOT_FOUND)
    try:
        answer = upstream.of(source).send(FhirRequest("GET", path, headers={"Accept": FHIR_JSON}))
    except upstream.UpstreamUnavailable as error:
        raise Refusal(502, EHR_DOWN) from error
    if answer.status != 200:
        raise Refusal(404 if answer.status in (404, 410) else 502, NOT_FOUND)
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Refusal(502, EHR_DOWN) from error
