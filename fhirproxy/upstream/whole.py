"""An EHR's own Bulk Data export, as its client (Bulk Data Access 2.0.0): started, asked after, read, deleted.

Every address that the EHR names must be of its own origin: our credentials go nowhere else, and nobody else
says what is in a record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from fhirproxy import addresses
from fhirproxy.messages import FHIR_JSON, FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.upstream import bodies
from fhirproxy.upstream.exchange import within
from fhirproxy.upstream.http import PASSING, Http, wait_of

NDJSON = "application/fhir+ndjson"
UNSAID = 30  # seconds to wait where the EHR does not say how long


@dataclass(frozen=True, slots=True)
class Pending:
    """Not there yet; seconds to wait."""

    seconds: int


@dataclass(frozen=True, slots=True)
class File:
    type: str
    url: str
    count: int | None = None  # of lines, where the EHR says it


class NotWhole(Exception):
    """The EHR has no such export, or one that cannot be used: what is in it must be asked for otherwise."""


@dataclass(frozen=True, slots=True)
class WholeExport:
    """Of one EHR. Each raises UpstreamUnavailable, and NotWhole where asking again is of no use."""

    http: Http

    def start(self, types: list[str], since: datetime | None) -> str:
        """Ask for all patients; the address at which to ask how it gets on."""
        query = [("_type", ",".join(types)), ("_outputFormat", NDJSON)]
        query += [("_since", since.isoformat())] if since else []
        target = f"{self.http.server.path}/Patient/$export?{urlencode(query)}"
        answer = self._ask("GET", target, {"Accept": FHIR_JSON, "Prefer": "respond-async"})
        if answer.status in PASSING:
            raise UpstreamUnavailable("not now", Trouble.BUSY)
        status = answer.headers.get("content-location", "")
        if answer.status != 202 or not status:
            raise NotWhole
        self._target(status)
        return status

    def files(self, status: str) -> Pending | list[File]:
        """The files, once they are all there and nothing is said to be missing."""
        answer = self._ask("GET", self._target(status), {"Accept": "application/json"})
        if answer.status == 202 or answer.status in PASSING:
            return Pending(wait_of(answer) or UNSAID)
        if answer.status != 200:
            raise NotWhole
        try:
            manifest = msgspec.json.decode(answer.body, type=dict[str, Any])
            found = [File(item["type"], item["url"], item.get("count")) for item in manifest["output"]]
        except (ValueError, KeyError, TypeError) as error:
            raise NotWhole from error
        if manifest.get("error"):
            raise NotWhole
        for file in found:
            self._target(file.url)
        return found

    def lines(self, file: File, after: int = 0) -> Iterator[bytes]:
        """Resources of a file, in FHIR's own words, behind so many lines; whole to the last one."""
        read = 0
        for line in self.http.server.lines(self._target(file.url), self._headers({"Accept": NDJSON})):
            if not line.strip():
                continue
            read += 1
            if read > after:
                yield self._resource(line)
        if file.count is not None and read != file.count:
            raise UpstreamUnavailable("a file is shorter than it was said to be", Trouble.CUT_OFF)

    def end(self, status: str) -> None:
        """Tell the EHR that its files are not needed any more; that it does not answer harms nobody."""
        try:
            self._ask("DELETE", self._target(status), {"Accept": FHIR_JSON})
        except (UpstreamUnavailable, NotWhole):
            return

    def _resource(self, line: bytes) -> bytes:
        try:
            bodies.check(line)
        except bodies.BadBody as error:
            raise UpstreamUnavailable(str(error), Trouble.NOT_FHIR) from error
        return self.http.adapter.told(FhirResponse(200, {}, line)).body

    def _ask(self, method: str, target: str, headers: Mapping[str, str]) -> FhirResponse:
        with self.http.guard.turn(), within(self.http.bounds.deadline):
            return self.http.server.exchange(method, target, self._headers(headers))

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        with within(self.http.bounds.deadline):
            authorization = self.http.credentials.header()
        return {**headers, **({"Authorization": authorization} if authorization else {})}

    def _target(self, url: str) -> str:
        """Path and query of an address that the EHR gave. Raises NotWhole where it is not its own."""
        parts = urlsplit(url)
        if "@" in parts.netloc or addresses.origin_of(url) != self.http.server.origin or not url.isascii():
            raise NotWhole
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
