"""An EHR at the edge that can fail: the embedded store, but for the types that are down or empty."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fhirproxy.upstream import embedded
from fhirstore import server

ENTRY_POINT = "tests.portal.ehr.handle"
ALL = frozenset({"*"})
down: set[str] = set()


def handle(
    method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    if down & {"*", path.partition("/")[0]}:
        return 503, {"Content-Type": "application/fhir+json"}, b'{"resourceType":"OperationOutcome"}'
    return server.handle(method, path, query, headers, body)


@contextmanager
def failing(settings: object, *types: str) -> Iterator[None]:
    """Inside, reads of these types are answered with 503; "*" stands for all."""
    settings.FHIRSTORE_ENTRY_POINT = ENTRY_POINT
    embedded._entry_point.cache_clear()
    down.update(types)
    try:
        yield
    finally:
        down.clear()
        del settings.FHIRSTORE_ENTRY_POINT
        embedded._entry_point.cache_clear()
