"""Page links: our own, sealed, and bound to who asked and under which consent version.

Sealed and not only signed: the EHR's own paging links carry dates and ids of the rows at a page's
edge, and these may be rows that the caller must not know of.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

from cryptography.fernet import InvalidToken
from django.utils import timezone

from accounts import secrets
from consent.authority import Requester
from fhirproxy.models import Source
from fhirproxy.upstream import Params

LIFETIME = timedelta(hours=1)
LARGER = "200"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search goes on: a page of the EHR's, and the last of its resources that was let out."""

    params: Params
    after: str = ""  # an id; empty: from the page's beginning
    count: int = 50  # resources that the caller wants on a page


def seal(place: Place, requester: Requester, resource_type: str) -> str:
    """The place as an opaque text of URL-safe characters."""
    bound = _bound_to(requester, resource_type)
    content = [bound, timezone.now().timestamp(), place.params, place.after, place.count]
    return secrets.encrypt(json.dumps(content))


def unseal(cursor: str, requester: Requester, resource_type: str) -> Place | None:
    """The place; None for a cursor that is not this caller's, or is too old."""
    try:
        bound, made_at, params, after, count = json.loads(secrets.decrypt(cursor))
    except (InvalidToken, ValueError):
        return None
    too_old = timezone.now().timestamp() - made_at > LIFETIME.total_seconds()
    if too_old or bound != _bound_to(requester, resource_type):
        return None
    return Place(tuple((name, value) for name, value in params), after, count)


def next_params(next_url: str, source: Source) -> Params | None:
    """The EHR's parameters for its next page; None where there is none, or it is not at the EHR itself.

    A search that goes on takes larger pages: a caller who wants one a page makes not one trip for each.
    """
    if not next_url:
        return None
    target, base = urlsplit(next_url), urlsplit(source.base_url)
    if target.netloc and (target.scheme, target.netloc) != (base.scheme, base.netloc):
        return None
    query = parse_qsl(target.query, keep_blank_values=True)
    return tuple((name, LARGER if name == "_count" else value) for name, value in query)


def _bound_to(requester: Requester, resource_type: str) -> list[object]:
    return [
        resource_type,
        requester.actor,
        str(requester.patient_id),
        str(requester.consent_id),
        requester.consent_number,
    ]
