"""What can be different about an EHR, as data; `Adapter` says it in both directions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fhirproxy.adapters.systems import in_fhirs_words
from fhirproxy.messages import FhirRequest, FhirResponse


@dataclass(frozen=True, slots=True)
class Demand:
    """A search of a type is refused unless it says `_id` or one of `any_of`; `fill` is said then.

    `fill` has every value that the EHR files the type under, so that nothing is left out.
    """

    any_of: frozenset[str]
    fill: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Adapter:
    demands: Mapping[str, Demand] = field(default_factory=dict)  # by resource type
    largest_page: int = 200  # that `_count` takes
    most_ids: int = 100  # that one `_id` takes
    larger_pages: bool = False  # whether its page links take another _count; others are followed as they are

    def asked(self, request: FhirRequest) -> FhirRequest:
        """The canonical request, as this EHR takes it."""
        if request.method != "GET" or request.onward:
            return request
        query = tuple((n, self._count(v) if n == "_count" else v) for n, v in request.query)
        demand = self.demands.get(request.path)
        if demand and not (demand.any_of | {"_id"}) & {name for name, _ in query}:
            query += (demand.fill,)
        return request if query == request.query else replace(request, query=query)

    def told(self, answer: FhirResponse) -> FhirResponse:
        """The EHR's answer, in FHIR's own words."""
        body = in_fhirs_words(answer.body)
        return answer if body is answer.body else replace(answer, body=body)

    def _count(self, said: str) -> str:
        return str(min(int(said), self.largest_page)) if said.isdecimal() else said


def demand(fill: str, *values: str, or_else: str = "") -> Demand:
    """`fill` is the parameter; `or_else` names others, with spaces, that do as well."""
    return Demand(frozenset({fill, *or_else.split()}), (fill, ",".join(values)))
