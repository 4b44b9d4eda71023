"""One request as the interactions see it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from fhirstore.documents import parse
from fhirstore.outcome import Refused

FHIR_JSON = frozenset(
    ["application/fhir+json", "application/json", "text/json", "json", "application/json+fhir"]
)
_ANY = {"*/*", "application/*", "text/*", "text/html", "application/xhtml+xml"}  # a browser gets JSON too


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: tuple[str, ...]  # segments relative to the base
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    @classmethod
    def to(cls, method: str, url: str, headers: Mapping[str, str]) -> "Request":
        """A request by its URL relative to the base, as `Observation?code=1`, without a body."""
        path, _, query = url.partition("?")
        segments = tuple(unquote(segment) for segment in path.split("/") if segment)
        return cls(method, segments, tuple(parse_qsl(query, keep_blank_values=True)), headers)

    def prefers(self, name: str, default: str = "") -> str:
        """The value of one preference of the Prefer header (RFC 7240)."""
        for part in self.headers.get("prefer", "").replace(";", ",").split(","):
            key, _, value = part.strip().partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return default

    @property
    def is_strict(self) -> bool:
        """Unknown parameters are refused unless the client asks to have them ignored."""
        return self.prefers("handling") != "lenient"

    def if_match(self) -> int | None:
        """The version in If-Match. Raises Refused (400) if it is not a version of ours."""
        text = self.headers.get("if-match", "")
        if text in {"", "*"}:
            return None
        if (version := etag_version(text)) is None:
            raise Refused(400, "value", 'If-Match holds one version, as W/"3".')
        return version

    def form(self) -> list[tuple[str, str]]:
        """The parameters in the body of a POST _search. Raises Refused (400)."""
        try:
            return parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            raise Refused(
                400, "structure", "The body is not a form in UTF-8, of at most 1000 fields."
            ) from None

    def parameters(self) -> dict[str, str]:
        """Those of an operation: of the URL, and of Parameters in the body. Raises Refused (400, 415)."""
        found = dict(self.query)
        if self.method == "POST" and self.body:
            self.check_content_type()
            listed = parse(self.body).get("parameter", [])
            found |= dict(map(_plain_parameter, listed if isinstance(listed, list) else []))
        return found

    def check_size(self, limit: int) -> None:
        """Raises Refused (413) for a body of more than `limit` bytes, before any of it is read."""
        if len(self.body) > limit:
            told = f"A request holds at most {limit} bytes: send several, or load a file with fhirstore_load."
            raise Refused(413, "too-long", told)

    def check_accept(self) -> None:
        """Raises Refused (406) where the client takes something, and JSON is not among it."""
        wanted = [value for name, value in self.query if name == "_format"]
        accepted = wanted[:1] or self.headers.get("accept", "*/*").split(",")
        kinds = {each.partition(";")[0].strip().lower().replace(" ", "+") for each in accepted}
        if not kinds & (FHIR_JSON | _ANY | {""}):
            raise Refused(406, "not-supported", "This server answers application/fhir+json only.")

    def check_content_type(self, allowed: Set[str] = FHIR_JSON) -> None:
        """Raises Refused (415) for a body that is declared to be something else."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and kind not in allowed:
            raise Refused(415, "not-supported", f"Content-Type is one of: {', '.join(sorted(allowed))}.")


def _plain_parameter(part: Any) -> tuple[str, str]:
    values = [part[name] for name in part if name.startswith("value")] if isinstance(part, dict) else []
    if len(values) != 1 or not isinstance(values[0], str | bool | int):
        raise Refused(400, "structure", "A parameter has a name and one plain value.", "Parameters.parameter")
    return str(part.get("name")), str(values[0]).lower() if isinstance(values[0], bool) else str(values[0])


def etag_version(text: str) -> int | None:
    """3 of `W/"3"`."""
    digits = text.strip().removeprefix("W/").strip('"')
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def http_date(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date; None where it cannot be read."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
