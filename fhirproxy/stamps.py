"""What decides over a resource, as a number that the embedded store keeps beside it (ADR 17).

Resources with the same stamp are decided on alike: same type, categories, labels, and nothing about them
that needs a look inside. The number is a hash of all that and of the edition of everything that it was
worked out by, so an old one is only not recognised. What a stamp stands for is read off one resource that
has it.
"""

import hashlib
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist

from consent import labels, valuesets, vocabulary
from consent.labels import Codes, labels_of
from consent.vocabulary import categories_of, codings
from fhirproxy import checks, compartment, inheritance, inlined, served
from fhirproxy.checks import PARTIES, RESOURCE
from fhirproxy.compartment import owners_of
from fhirproxy.served import SERVED
from smart import resource_types

ALONE = 0  # to be looked into, whatever the edition
MOST_CODINGS = 8
ODD = (AttributeError, KeyError, TypeError, ValueError)  # what a resource of no known shape gives rise to
_encode = msgspec.json.Encoder(order="deterministic").encode


class Facts(msgspec.Struct, frozen=True):
    """All that `decide` asks of a resource that stands by itself."""

    type: str
    categories: frozenset[str]
    labels: frozenset[str]
    codings: frozenset[str]


def stamp_of(resource: Mapping[str, Any], body: bytes, patient: str | None) -> int | None:
    """Called by the store with what it is about to keep (FHIRSTORE_STAMP)."""
    current = release(int(time.monotonic() // 60))
    try:
        codes = valuesets.codes(current)
    except (ObjectDoesNotExist, valuesets.IncompleteRelease):
        return None  # a write goes on; whoever reads cannot, until the release is whole
    return stamp(facts_of(resource, body, patient, codes), current)


def stamp(facts: Facts | None, number: int) -> int:
    """64 bits with sign. `number`: of the release of value sets that labels were found by."""
    return _stamp(facts, edition(number)) if facts else ALONE


def edition(number: int) -> str:
    return _edition(number, settings.JURISDICTION, settings.FHIR_BASE_URL)


@lru_cache(maxsize=16)
def _edition(*basis: object) -> str:
    return hashlib.sha256(repr((rules(), *basis)).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _stamp(facts: Facts, of: str) -> int:
    return int.from_bytes(hashlib.sha256(of.encode() + _encode(facts)).digest()[:8], signed=True)


def facts_of(resource: Mapping[str, Any], body: bytes, patient: str | None, codes: Codes) -> Facts | None:
    """None for a resource that must be looked into each time: not this one patient's and nobody's else,
    with others inside, with labels of what is around it, or with attachments to put in."""
    try:
        kind = str(resource["resourceType"])
        if "contained" in resource or len(RESOURCE.findall(body)) != 1 or not _is_owned(resource, patient):
            return None
        if inlined.PLACES.get(kind, ("",))[0] in resource or inheritance.neighbours(
            resource, settings.FHIR_BASE_URL
        ):
            return None
        said = frozenset(f"{s}|{c}" for s, c in codings(resource.get("category")))
        if len(said) > MOST_CODINGS:
            return None
        return Facts(kind, categories_of(resource), labels_of(resource, codes), said)
    except ODD:
        return None


def _is_owned(resource: Mapping[str, Any], patient: str | None) -> bool:
    """As `checks.is_mine` has it, of the patient under whom the store finds it."""
    kind, base = str(resource["resourceType"]), settings.FHIR_BASE_URL
    rule = SERVED.get(kind)
    if rule is None or not rule.owner_paths or not patient:
        return False
    parties = owners_of(resource, PARTIES[kind], base) if kind in PARTIES else ()
    owners = set(owners_of(resource, rule, base))
    return owners == {f"Patient/{patient}"} and owners.issuperset(parties)


@cache
def rules() -> str:
    """A hash of the code and the tables that facts are worked out by: with another version, other stamps."""
    tables = sorted(Path(labels.__file__).parent.rglob("*.toml"))
    sources = (labels, vocabulary, resource_types, checks, compartment, inheritance, inlined, served)
    files = [*tables, *(Path(str(module.__file__)) for module in sources), Path(__file__)]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


@lru_cache(maxsize=1)
def release(_minute: int) -> int:
    """Asked for once a process and minute: by an older one, a stamp is only not recognised."""
    return valuesets.current_release()
