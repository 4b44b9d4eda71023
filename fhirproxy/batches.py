"""Batch and transaction of reads (FHIR R4, 3.1.0.11): each entry is an interaction of its own.

Each is parsed, decided and recorded as if it came alone. A transaction is all or nothing.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from fhirproxy.outcomes import Refusal
from fhirproxy.upstream import FHIR_JSON, FhirResponse

MOST = 50  # entries
LARGEST = 256 * 1024  # bytes
ADDRESS = "The url of an entry is relative to the base: Observation/1."
Query = list[tuple[str, str]]
Batch = tuple[str, list[dict[str, Any]]]  # its type, its entries
Asked = tuple[str, str, Query, dict[str, str]]  # method, path, query, headers


def process(batch: Batch, serve: Callable[[dict[str, Any]], FhirResponse]) -> FhirResponse:
    """`serve` answers one entry. Raises Refusal for the first entry of a transaction that is refused."""
    kind, entries = batch
    answered = []
    for entry in entries:
        try:
            answered.append(_entry(serve(entry)))
        except Refusal as refusal:
            if kind == "transaction":
                raise
            answered.append(_entry(refusal.response()))
    bundle = {"resourceType": "Bundle", "type": f"{kind}-response", "entry": answered}
    return FhirResponse(200, {"Content-Type": FHIR_JSON}, msgspec.json.encode(bundle))


def read(body: bytes) -> Batch:
    """Raises Refusal for what is no batch."""
    if len(body) > LARGEST:
        raise Refusal(413, f"A batch has at most {LARGEST} bytes.")
    try:
        bundle = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise Refusal(400, "Send a Bundle as JSON.") from None
    kind, entries = bundle.get("type"), bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or kind not in ("batch", "transaction"):
        raise Refusal(400, "Send a Bundle of the type batch or transaction.")
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries) or len(entries) > MOST:
        raise Refusal(400, f"A batch has a list of at most {MOST} entries.")
    return kind, entries


def asked_by(entry: dict[str, Any]) -> Asked:
    """What an entry asks for. Raises Refusal for one that is no request."""
    request = entry.get("request")
    request = request if isinstance(request, dict) else {}
    method, url = str(request.get("method", "")), str(request.get("url", ""))
    if method not in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}:
        raise Refusal(400, "Each entry has a request with a method and a url.")
    try:
        address = urlsplit(url)
    except ValueError:
        raise Refusal(400, ADDRESS) from None
    if address.scheme or address.netloc or address.fragment:
        raise Refusal(400, ADDRESS)
    headers = {"if-none-match": str(request.get("ifNoneMatch", ""))}
    headers["if-modified-since"] = str(request.get("ifModifiedSince", ""))
    return method, address.path, parse_qsl(address.query, keep_blank_values=True), headers


def _entry(answer: FhirResponse) -> dict[str, Any]:
    response: dict[str, Any] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if "ETag" in answer.headers:
        response["etag"] = answer.headers["ETag"]
    if answer.status >= 400:
        return {"response": response | {"outcome": msgspec.Raw(answer.body)}}
    return {"response": response, **({"resource": msgspec.Raw(answer.body)} if answer.body else {})}
