"""Page links: our own, signed, and bound to who asked and under which consent version."""

from urllib.parse import parse_qsl, urlsplit

from django.core import signing

from consent.authority import Requester
from fhirproxy.models import Source
from fhirproxy.upstream import Params

SALT = "fhirproxy.cursor"
LIFETIME = 3600  # seconds


def _bound_to(requester: Requester, resource_type: str) -> list[object]:
    return [
        resource_type,
        requester.actor,
        str(requester.patient_id),
        str(requester.consent_id),
        requester.consent_number,
    ]


def make(next_url: str, requester: Requester, resource_type: str, source: Source) -> str:
    """Our cursor for the EHR's next page; "" where there is none, or it is not at the EHR itself."""
    if not next_url:
        return ""
    target = urlsplit(next_url)
    base = urlsplit(source.base_url)
    if target.netloc and (target.scheme, target.netloc) != (base.scheme, base.netloc):
        return ""
    query = parse_qsl(target.query, keep_blank_values=True)
    return signing.dumps([_bound_to(requester, resource_type), query], salt=SALT, compress=True)


def follow(cursor: str, requester: Requester, resource_type: str) -> Params | None:
    """The EHR's own parameters for the next page; None for a cursor that is not this caller's."""
    try:
        bound, query = signing.loads(cursor, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    if bound != _bound_to(requester, resource_type):
        return None
    return tuple((name, value) for name, value in query)
