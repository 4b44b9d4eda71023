"""Reading records for a page: each part alone, so that one that fails is named and the rest is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext

from portal import records
from portal.guards import PatientRequest
from portal.states import Kind, State
from portal.views.problems import UNAVAILABLE, problem, reference


@dataclass(frozen=True, slots=True)
class Wanted:
    """One search: a FHIR type, what people call it, and its parameters."""

    resource_type: str
    label: str | Promise
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    found: tuple[list[dict[str, Any]], ...]  # one list for each search, in order
    state: State

    @property
    def status(self) -> int:
        return 503 if self.state.kind == Kind.ERROR else 200


def load(request: PatientRequest, *wanted: Wanted) -> Loaded:
    """Run the searches. The state is fresh, partial (some failed) or error (all failed)."""
    found, missing = [], []
    for one in wanted:
        try:
            found.append(records.search(request, one.resource_type, *one.params))
        except records.Unavailable:
            found.append([])
            missing.append(str(one.label))
    return Loaded(tuple(found), _state(request, missing, len(wanted)))


def _state(request: PatientRequest, missing: list[str], asked: int) -> State:
    if not missing:
        return State(kind=Kind.FRESH, at=timezone.now())
    if len(missing) < asked:
        return State(kind=Kind.PARTIAL, missing=tuple(missing), retry=request.get_full_path())
    return State(
        kind=Kind.ERROR,
        heading=pgettext("load.error", "We could not show your records"),
        text=pgettext(
            "load.error.what",
            "The system that keeps your records did not answer. Nothing in your record changed.",
        ),
        retry=request.get_full_path(),
        reference=reference(),
    )


def needs_records(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For pages of one item: without the record there is nothing to show, and the page says so (503)."""

    @wraps(view)
    def guarded(request: PatientRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except records.Unavailable:
            return problem(request, UNAVAILABLE, 503)

    return guarded
