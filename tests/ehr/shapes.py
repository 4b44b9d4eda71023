"""The ways of each make of EHR that the fake one can take on: its links, its ids, what it demands."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

Link = Callable[[str, str, str, int, int], str]  # (base, type, token, offset, size)


@dataclass(frozen=True)
class Shape:
    link: Link
    largest_page: int = 200
    total: bool = True
    meta: bool = True
    says_more: bool = False  # an OperationOutcome among the matches
    demands: dict[str, set[str]] = field(default_factory=dict)  # type → one of these parameters
    most_ids: int = 100
    by_location: bool = True  # else it does not find a document by the address of its attachment
    ident: Callable[[str, str], str] = lambda kind, name: name


def _long(kind: str, name: str) -> str:
    digest = hashlib.sha512(f"{kind}/{name}".encode()).digest()
    return "e" + urlsafe_b64encode(digest).decode().replace("_", ".").rstrip("=")[:80] + "3"


def _number(kind: str, name: str) -> str:
    return str(int(hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:7], 16))


def _practice(kind: str, name: str) -> str:
    return f"a-80001.{kind.lower()[:10]}-{_number(kind, name)}"


SHAPES = {
    "plain": Shape(link=lambda base, kind, token, at, size: f"{base}/_page/{token}-{at}-{size}"),
    "hapi": Shape(
        link=lambda base, kind, token, at, size: (
            f"{base}?_getpages={token}&_getpagesoffset={at}&_count={size}&_bundletype=searchset"
        )
    ),
    "epic_like": Shape(
        link=lambda base, kind, token, at, size: f"{base}/{kind}?sessionID={token}-{at}-{size}",
        largest_page=100,
        meta=False,
        says_more=True,
        demands={"Observation": {"category", "code"}, "CarePlan": {"category"}},
        most_ids=50,
        by_location=False,
        ident=_long,
    ),
    "oracle_like": Shape(
        link=lambda base, kind, token, at, size: (
            f"{base}/{kind}?-pageContext={token}-{at}-{size}&-pageDirection=NEXT"
        ),
        total=False,
        demands={"Condition": {"category", "code", "clinical-status"}},
        most_ids=50,
        by_location=False,
        ident=_number,
    ),
    "athena_like": Shape(
        link=lambda base, kind, token, at, size: f"{base}/{kind}?_count={size}&cursor={token}-{at}-{size}",
        largest_page=100,
        total=False,
        demands={
            "CarePlan": {"category"},
            "DiagnosticReport": {"category", "code"},
            "MedicationRequest": {"intent"},
            "Observation": {"category", "code"},
        },
        most_ids=25,
        by_location=False,
        ident=_practice,
    ),
}
