"""Page links: our own, sealed, and bound to who asked and under which consent version.

Sealed and not only signed: the EHR's own paging links carry dates and ids of the rows at a page's
edge, and these may be rows that the caller must not know of.
"""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.utils import timezone

from accounts import secrets
from consent.requester import Requester
from fhirproxy import adapters, addresses
from fhirproxy.interactions import Interaction
from fhirproxy.messages import Params
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure

LIFETIME = timedelta(hours=1)
LARGER = "200"


@dataclass(frozen=True, slots=True)
class EhrPage:
    """Where a page is at the EHR: below its base, and along a link of its own where `onward`."""

    path: str
    params: Params
    onward: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search goes on: a page of the EHR's, and the last of its resources that was let out."""

    types: tuple[str, ...]  # the one that is being read first, then those that follow
    page: EhrPage | None  # None: the first
    after: str = ""  # an id; empty: from the page's beginning
    count: int = 50  # resources that the caller wants on a page
    turned: int = 0  # pages of this type before that one
    source: str = ""  # Source.slug: a page of one EHR is none of another's


def seal(place: Place, requester: Requester, asked: Interaction) -> str:
    """The place, and how the answer is to look, as an opaque text of URL-safe characters."""
    shape = [asked.params, sorted(asked.includes), asked.provenance, sorted(asked.elements)]
    page = place.page and [place.page.path, place.page.params, place.page.onward]
    where = [place.types, page, place.after, place.count, place.turned, place.source]
    content = [_bound_to(requester, asked), timezone.now().timestamp(), where, shape]
    return secrets.encrypt(json.dumps(content))


def unseal(cursor: str, requester: Requester, asked: Interaction) -> tuple[Interaction, Place] | None:
    """What was asked and the place; None for a cursor that is not this caller's, or is too old."""
    try:
        bound, made_at, where, shape = json.loads(secrets.decrypt(cursor))
        types, page, after, count, turned, source = where
    except (InvalidToken, ValueError):
        return None
    too_old = timezone.now().timestamp() - made_at > LIFETIME.total_seconds()
    if too_old or bound != _bound_to(requester, asked):
        return None
    first, includes, provenance, elements = shape
    asked = replace(
        asked,
        params=_pairs(first),
        includes=frozenset(includes),
        provenance=provenance,
        elements=frozenset(elements),
    )
    there = EhrPage(page[0], _pairs(page[1]), page[2]) if page else None
    return asked, Place(tuple(types), there, after, count, turned, source)


def _pairs(params: list[list[str]]) -> Params:
    return tuple((name, value) for name, value in params)


def next_page(link: str, source: Source) -> EhrPage | None:
    """Where the EHR says that a search goes on; None where it says nothing.

    Raises EhrFailure for a link that leads away from the EHR: what is there is no part of the record,
    and without it the record is not whole. A search that goes on takes larger pages, where the EHR's
    links allow it: a caller who wants one a page makes not one trip for each.
    """
    if not link:
        return None
    found = addresses.within(source.base_url or settings.FHIR_BASE_URL, link)
    if found is None:
        raise EhrFailure(502, f"The answer of {source.name} goes on somewhere else, and was not followed.")
    path, query = found
    pairs = parse_qsl(query, keep_blank_values=True)
    if source.kind == Source.Kind.EMBEDDED or adapters.of(source.adapter).larger_pages:
        pairs = [(name, LARGER if name == "_count" else value) for name, value in pairs]
    return EhrPage(path, tuple(pairs), onward=True)


def _bound_to(requester: Requester, asked: Interaction) -> list[object]:
    return [
        asked.code,
        asked.resource_type,
        asked.id,
        requester.actor,
        str(requester.patient_id),
        str(requester.consent_id),
        requester.consent_number,
        sorted(map(list, requester.identities.items())),  # pages of a record that was parted from theirs end
    ]
