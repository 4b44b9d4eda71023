"""Files of FHIR resources: Bundles, Bulk Data NDJSON and single resources, plain or gzip."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhirstore import documents
from fhirstore.outcome import Refused

SUFFIXES = (".json", ".ndjson", ".jsonl")
LINES_AT_ONCE = 500

# Bundles that are a set of resources; the others (document, message) are resources themselves.
_SETS = ("transaction", "batch", "collection", "searchset")
# Others refer to what is in these, so they go first.
_FIRST = re.compile(r"infra|hospital|practitioner|organi[sz]ation|location|provider|common", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One resource as a file gives it."""

    file: Path
    place: str  # "line 3", "entry 7", or "" for the whole file
    document: documents.Document
    full_url: str = ""
    wanted_id: str = ""  # from the url of a PUT
    if_none_exist: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """What could not be taken, and why. Carries no value out of a record."""

    file: Path
    place: str
    type: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.file), self.place, self.type, self.reason)))


Unit = list[Item | Reject]  # resources whose references are resolved together


def find(paths: list[Path]) -> tuple[list[Path], list[Reject], int]:
    """Files to load in order, paths that are not there, and how many files in folders are of no use."""
    files, lost, skipped = [], [], 0
    for path in paths:
        if path.is_dir():
            inside = [each for each in path.rglob("*") if each.is_file() and not each.name.startswith(".")]
            usable = [each for each in inside if _plain_name(each).endswith(SUFFIXES)]
            files += usable
            skipped += len(inside) - len(usable)
        elif path.is_file():
            files.append(path)
        else:
            lost.append(Reject(path, "", "", "there is no such file or folder"))
    return sorted(set(files), key=lambda path: (not _FIRST.search(str(path)), str(path))), lost, skipped


def _plain_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


def read(path: Path) -> Iterator[Unit]:
    """The resources of a file: all of a Bundle at once, NDJSON in portions. Never raises for what is
    in the file; what cannot be read becomes a Reject."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
            if _plain_name(path).endswith((".ndjson", ".jsonl")):
                yield from _read_lines(path, file)
            else:
                yield _read_document(path, file.read())
    except (gzip.BadGzipFile, zlib.error, EOFError):
        yield [Reject(path, "", "", "the gzip data are broken or end too early")]
    except OSError as error:
        yield [Reject(path, "", "", f"it cannot be read: {error.strerror or type(error).__name__}")]


def _read_lines(path: Path, file: Iterable[bytes]) -> Iterator[Unit]:
    unit: Unit = []
    for number, line in enumerate(file, start=1):
        if line.strip():
            unit.append(_read_item(path, f"line {number}", line))
        if len(unit) >= LINES_AT_ONCE:
            yield unit
            unit = []
    yield unit


def _read_item(path: Path, place: str, text: bytes) -> Item | Reject:
    try:
        return Item(path, place, documents.parse(text))
    except documents.NotJson as error:
        return Reject(path, place, "", f"The {'line' if place else 'file'} is not JSON: {error.why}")
    except Refused as refused:
        return Reject(path, place, "", str(refused))


def _read_document(path: Path, text: bytes) -> Unit:
    item = _read_item(path, "", text)
    if isinstance(item, Reject):
        return [item]
    document = item.document
    if document.get("resourceType") != "Bundle" or document.get("type") not in _SETS:
        return [item]
    entries = document.get("entry", [])
    if not isinstance(entries, list):
        return [Reject(path, "", "Bundle", "its entry is not a list")]
    found = (_read_entry(path, f"entry {number}", entry) for number, entry in enumerate(entries, start=1))
    return [each for each in found if each is not None]


def _read_entry(path: Path, place: str, entry: Any) -> Item | Reject | None:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict):
        return Reject(path, place, "", "the entry holds no resource")
    request = entry.get("request") if isinstance(entry.get("request"), dict) else {}
    method, kind = request.get("method", "POST"), str(resource.get("resourceType", ""))
    if method not in ("POST", "PUT"):
        return Reject(path, place, kind, "only entries that POST or PUT are loaded")
    if kind == "OperationOutcome" and "search" in entry:
        return None  # a remark about a search, not a record
    url = str(request.get("url", ""))
    full_url = entry.get("fullUrl")
    return Item(
        path,
        place,
        resource,
        full_url=full_url if isinstance(full_url, str) else "",
        wanted_id=url.partition("/")[2] if method == "PUT" and "?" not in url else "",
        if_none_exist=str(request.get("ifNoneExist", "")).removeprefix(f"{kind}?"),
    )
