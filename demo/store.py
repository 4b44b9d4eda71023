"""Into the embedded FHIR server, through its one entry point; settings name it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from demo.population import transaction
from demo.population.coding import Resource

FHIR_JSON = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
EntryPoint = Callable[
    [str, str, Sequence[tuple[str, str]], Mapping[str, str], bytes], tuple[int, dict[str, str], bytes]
]


class NotStored(RuntimeError):
    """The store did not take the records; the message is what it said."""


def put(resources: Iterable[Resource]) -> None:
    """Write all of them in one transaction; what is there in the same words stays as it is.

    Raises NotStored, and then nothing was written.
    """
    _send("POST", "", body=json.dumps(transaction(resources)).encode())


def search(resource_type: str, *query: tuple[str, str]) -> list[Resource]:
    """One page of a search."""
    return [entry["resource"] for entry in _send("GET", resource_type, query).get("entry", [])]


def _send(method: str, path: str, query: Sequence[tuple[str, str]] = (), body: bytes = b"") -> dict[str, Any]:
    entry_point: EntryPoint = import_string(settings.FHIRSTORE_ENTRY_POINT)
    status, _, answer = entry_point(method, path, query, FHIR_JSON, body)
    if status >= 300:
        raise NotStored(f"The FHIR store answered {status}: {_diagnostics(answer)}")
    return json.loads(answer)


def _diagnostics(answer: bytes) -> str:
    issues = json.loads(answer).get("issue", [])
    return "; ".join(str(issue.get("diagnostics") or issue.get("code")) for issue in issues) or "nothing"
