"""Resources named by search criteria instead of an id (R4, 3.1.0.8.1): If-None-Exist, conditional
updates, conditional references."""

import hashlib
from collections.abc import Iterable
from urllib.parse import parse_qsl

from django.db import connection

from fhirstore.definitions import TYPES
from fhirstore.outcome import Refused
from fhirstore.search import query, run


def lock(criteria: Iterable[tuple[str, str]]) -> None:
    """Let nobody else act on the same (type, criteria) until the end of this transaction. Without it,
    two who look for a resource at the same time both find none, and both create it."""
    keys = {_lock_key(kind, text) for kind, text in criteria}
    with connection.cursor() as cursor:
        for key in sorted(keys):  # one order for all, so that nobody waits in a circle
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _lock_key(kind: str, criteria: str) -> int:
    text = f"fhirstore {kind} {sorted(parse_qsl(criteria, keep_blank_values=True))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)


def match(kind: str, criteria: str) -> str | None:
    """The id of the one resource that fits; None where there is none.
    Raises Refused: 412 for several, 400 for criteria that cannot be read or say nothing."""
    if kind not in TYPES:
        raise Refused(400, "value", "Search criteria name a type that is not of FHIR R4.")
    asked = query.read(kind, parse_qsl(criteria, keep_blank_values=True), strict=True)
    condition, _ = asked.where.sql()
    if condition == "TRUE":
        raise Refused(400, "value", "Search criteria name no search parameter.")
    asked.count = 1
    found = run.page(asked)
    if found.has_more:
        raise Refused(412, "multiple-matches", f"Several {kind} resources fit the search criteria.")
    return found.matches[0].fhir_id if found.matches else None
