"""Page links: our own, sealed, and bound to who asked and under which consent version.

Sealed and not only signed: the EHR's own paging links carry dates and ids of the rows at a page's
edge, and these may be rows that the caller must not know of.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

from cryptography.fernet import InvalidToken
from django.utils import timezone

from accounts import secrets
from consent.authority import Requester
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.upstream import Params

LIFETIME = timedelta(hours=1)
LARGER = "200"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search goes on: a page of the EHR's, and the last of its resources that was let out."""

    types: tuple[str, ...]  # the one that is being read first, then those that follow
    params: Params | None  # of the EHR's page; None: the first
    after: str = ""  # an id; empty: from the page's beginning
    count: int = 50  # resources that the caller wants on a page


def seal(place: Place, requester: Requester, asked: Interaction) -> str:
    """The place, and how the answer is to look, as an opaque text of URL-safe characters."""
    shape = [asked.params, sorted(asked.includes), asked.provenance, sorted(asked.elements)]
    where = [place.types, place.params, place.after, place.count]
    content = [_bound_to(requester, asked), timezone.now().timestamp(), where, shape]
    return secrets.encrypt(json.dumps(content))


def unseal(cursor: str, requester: Requester, asked: Interaction) -> tuple[Interaction, Place] | None:
    """What was asked and the place; None for a cursor that is not this caller's, or is too old."""
    try:
        bound, made_at, (types, params, after, count), shape = json.loads(secrets.decrypt(cursor))
    except (InvalidToken, ValueError):
        return None
    too_old = timezone.now().timestamp() - made_at > LIFETIME.total_seconds()
    if too_old or bound != _bound_to(requester, asked):
        return None
    first, includes, provenance, elements = shape
    asked = replace(
        asked,
        params=_pairs(first) or (),
        includes=frozenset(includes),
        provenance=provenance,
        elements=frozenset(elements),
    )
    return asked, Place(tuple(types), _pairs(params), after, count)


def _pairs(params: list[list[str]] | None) -> Params | None:
    return None if params is None else tuple((name, value) for name, value in params)


def next_params(next_url: str, source: Source) -> Params | None:
    """The EHR's parameters for its next page; None where there is none, or it is not at the EHR itself.

    A search that goes on takes larger pages: a caller who wants one a page makes not one trip for each.
    """
    if not next_url:
        return None
    try:
        target, base = urlsplit(next_url), urlsplit(source.base_url)
    except ValueError:
        return None
    if target.netloc and (target.scheme, target.netloc) != (base.scheme, base.netloc):
        return None
    query = parse_qsl(target.query, keep_blank_values=True)
    return tuple((name, LARGER if name == "_count" else value) for name, value in query)


def _bound_to(requester: Requester, asked: Interaction) -> list[object]:
    return [
        asked.code,
        asked.resource_type,
        asked.id,
        requester.actor,
        str(requester.patient_id),
        str(requester.consent_id),
        requester.consent_number,
    ]
