"""What a broken, hostile or overloaded EHR sends instead of an answer, by name (faults F8 to F10)."""

import json
import uuid
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

MB = 1024 * 1024
OTHERS = {
    "resourceType": "Observation",
    "id": "of-another",
    "status": "final",
    "code": {"text": "of another patient"},
    "subject": {"reference": "Patient/somebody-else"},
}


def bundle(*resources: dict[str, Any], next_link: str = "", **more: object) -> bytes:
    entry = [{"resource": resource, "search": {"mode": "match"}} for resource in resources]
    link = [{"relation": "next", "url": next_link}] if next_link else []
    found = {"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry} | more
    return json.dumps(found).encode()


def _huge() -> Iterator[bytes]:
    """200 MB of a Bundle, as fast as it is read."""
    yield b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","id":"'
    for _ in range(200):
        yield b"x" * MB
    yield b'"}}]}'


def _deep() -> bytes:
    return b'{"resourceType":"Bundle","entry":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"


# name → the body, given (base, the address that was asked for)
BODIES: dict[str, Callable[[str, str], bytes | Iterator[bytes]]] = {
    "garbage": lambda base, asked: b"<html>Please sign in</html>",
    "empty": lambda base, asked: b"",
    "list": lambda base, asked: b"[]",
    "wrong-type": lambda base, asked: json.dumps({"resourceType": "Basic", "id": "1"}).encode(),
    "other-patient": lambda base, asked: json.dumps(OTHERS).encode(),
    "others": lambda base, asked: bundle(OTHERS),
    "lying-total": lambda base, asked: bundle(OTHERS, total=4711),
    "self-next": lambda base, asked: bundle(next_link=asked),
    "cross-next": lambda base, asked: bundle(next_link="https://elsewhere.example/fhir/Observation?page=2"),
    "prefix-next": lambda base, asked: bundle(next_link=base.replace("/fhir", ".attacker.example/fhir")),
    "above-next": lambda base, asked: bundle(next_link=f"{base}/../admin"),
    "huge": lambda base, asked: _huge(),
    "forever": lambda base, asked: repeat(b" " * MB),
    "deep": lambda base, asked: _deep(),
    "twice": lambda base, asked: (
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","id":"1",'
        b'"subject":{"reference":"Patient/a"},"subject":{"reference":"Patient/b"}}}]}'
    ),
    "nan": lambda base, asked: b'{"resourceType":"Bundle","total":NaN}',
    "utf8": lambda base, asked: b'{"resourceType":"Bundle","id":"\xff\xfe"}',
    "endless": lambda base, asked: bundle(next_link=f"{base}/Observation?again={uuid.uuid4().hex}"),
    "failed-inside": lambda base, asked: bundle(
        {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "timeout"}]}
    ),
}
