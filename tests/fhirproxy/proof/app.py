"""An app at the gate: it sends cases, alone or in batches, and keeps what came back."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from fhirproxy import upstream

FORM = "application/x-www-form-urlencoded"
FHIR_JSON = "application/fhir+json"
# What differs from one answer to the next, whatever was asked.
VOLATILE = frozenset({"date", "x-request-id", "x-correlation-id"})


@dataclass(frozen=True, slots=True)
class Case:
    """One request below the FHIR base, and the status it must have."""

    path: str
    status: int
    method: str = "GET"
    body: str = ""
    content_type: str = FORM
    headers: Mapping[str, str] = field(default_factory=dict)
    empty: bool = False  # a search that must find nothing

    def __str__(self) -> str:
        told = " ".join(f"{name}={value}" for name, value in self.headers.items())
        return " ".join(filter(None, (self.method, self.path, self.body[:200], told)))

    def about(self, one: str, other: str) -> "Case":
        """The same request about somebody else, whose ids begin with another key as long."""
        return replace(self, path=self.path.replace(one, other), body=self.body.replace(one, other))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    asked: int = field(default=0, compare=False)  # times that the EHR was asked for it
    statements: int = field(default=0, compare=False)  # of SQL, the embedded EHR's own left out

    def about(self, one: str, other: str) -> "Answer":
        headers = {k: v.replace(one, other) for k, v in self.headers.items()}
        return replace(self, headers=headers, body=self.body.replace(one.encode(), other.encode()))

    @property
    def entries(self) -> list[dict[str, Any]]:
        return json.loads(self.body).get("entry", [])

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [entry["resource"] for entry in self.entries]

    @property
    def ids(self) -> set[str]:
        return {f"{r['resourceType']}/{r['id']}" for r in self.resources}

    def __str__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


@contextmanager
def counted() -> Iterator[list[str]]:
    """The paths that the EHR was asked for meanwhile."""
    paths: list[str] = []
    send = upstream.Embedded.send

    def count(self: upstream.Embedded, request: upstream.FhirRequest) -> upstream.FhirResponse:
        paths.append(request.path)
        return send(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream.Embedded, "send", count)
        yield paths


class App:
    """Whoever holds a token."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.browser = Browser(raise_request_exception=False)

    def send(self, case: Case) -> Answer:
        body = {"data": case.body, "content_type": case.content_type} if case.method != "GET" else {}
        with counted() as paths:
            response = self.browser.generic(
                case.method,
                f"/fhir/r4/{case.path}",
                headers={"authorization": f"Bearer {self.token}", **case.headers},
                **body,
            )
        headers = {k.lower(): v for k, v in response.headers.items() if k.lower() not in VOLATILE}
        return Answer(response.status_code, headers, response.content, len(paths))

    def measured(self, case: Case) -> Answer:
        """The same with the SQL statements counted that are not the embedded EHR's own."""
        with CaptureQueriesContext(connection) as queries:
            answer = self.send(case)
        # Where the EHR is is read once a minute, whatever is asked.
        ours = [q for q in queries if "fhirstore_" not in q["sql"] and "fhirproxy_source" not in q["sql"]]
        return replace(answer, statements=len(ours))

    def get(self, path: str, **headers: str) -> Answer:
        return self.send(Case(path, 0, headers=headers))

    def batch(self, cases: Iterable[Case], kind: str = "batch") -> Answer:
        entries = [{"request": {"method": case.method, "url": case.path}} for case in cases]
        bundle = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})
        return self.send(Case("", 200, "POST", bundle, FHIR_JSON))
