"""Reading records for a page: each EHR and part alone, so that what fails is named and the rest shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps

from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext

from portal import records
from portal.acting import Withheld, voice
from portal.authorship import marked
from portal.combining import Item, Shown, combine
from portal.guards import PatientRequest
from portal.records import Answer, Params, Search, Told
from portal.states import Kind, SourceState, State
from portal.views.problems import UNAVAILABLE, problem, reference


@dataclass(frozen=True, slots=True)
class Wanted:
    """One search: a FHIR type, what people call it, and its parameters."""

    resource_type: str
    label: str | Promise
    params: Params = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    found: tuple[list[Shown], ...]  # one list for each search, in order
    state: State
    told: tuple[Told, ...] = ()  # by EHR

    @property
    def status(self) -> int:
        return 503 if self.state.kind == Kind.ERROR else 200


def load(request: PatientRequest, *wanted: Wanted) -> Loaded:
    """Run the searches in every EHR of the patient, and put together what is the same.

    The state is fresh, stale (some EHR's answer is an older one), partial (something is missing) or
    error (nothing came). Raises Withheld where a helper may see none of it.
    """
    told = records.everywhere(request, *(Search(each.resource_type, each.params) for each in wanted))
    answers = [answer for each in told for answer in each.answers if answer]
    if answers and all(answer.is_withheld for answer in answers):
        raise Withheld
    found = tuple(combine(marked(request, _items(told, index))) for index in range(len(wanted)))
    return Loaded(found, _state(request, told, [str(each.label) for each in wanted]), tuple(told))


def state_of_item(request: PatientRequest, item: Item, at: datetime | None) -> State | None:
    """What to say over one item that is an older copy; None for one that was read just now."""
    if at is None:
        return None
    name = item.origin.name or records.name_of(request, item.origin)
    return State(kind=Kind.STALE, sources=(SourceState(name=name, kind=Kind.STALE, at=at),))


def _items(told: Sequence[Told], index: int) -> list[Item]:
    answers = (each.answers[index] for each in told)
    return [item for answer in answers if answer for item in answer.items]


def _state(request: PatientRequest, told: Sequence[Told], labels: Sequence[str]) -> State:
    sources = tuple(_source_state(each, labels) for each in told)
    retry = request.get_full_path()
    kinds = {source.kind for source in sources}
    if kinds == {Kind.ERROR}:
        return _error(sources, retry)
    if kinds & {Kind.ERROR, Kind.PARTIAL}:
        if len(sources) == 1:
            return State(kind=Kind.PARTIAL, missing=sources[0].missing, retry=retry)
        return State(kind=Kind.PARTIAL, sources=sources, retry=retry)
    kind = Kind.STALE if Kind.STALE in kinds else Kind.FRESH
    return State(kind=kind, at=timezone.now(), sources=sources, retry=retry)


def _source_state(told: Told, labels: Sequence[str]) -> SourceState:
    name, answers = told.source.name, told.answers
    missing = tuple(
        label for label, answer in zip(labels, answers, strict=True) if answer is None or not answer.is_whole
    )
    at = _oldest(answers)
    if not any(answers):
        return SourceState(name=name, kind=Kind.ERROR)
    if missing:
        return SourceState(name=name, kind=Kind.PARTIAL, at=at, missing=missing)
    return SourceState(name=name, kind=Kind.STALE if at else Kind.FRESH, at=at)


def _oldest(answers: Sequence[Answer | None]) -> datetime | None:
    return min((answer.at for answer in answers if answer and answer.at), default=None)


def _error(sources: Sequence[SourceState], retry: str) -> State:
    text = pgettext(
        "load.error.what",
        "The system that keeps your records did not answer. Nothing in your record changed.",
    )
    text = str(
        voice(text, pgettext("acting.load.error.what", "The system that keeps these records did not answer."))
    )
    if len(sources) > 1:
        text = pgettext(
            "load.error.all",
            "None of these answered: {list}. Nothing in your record changed. "
            "Try again in a few minutes. If you need help now, call your clinic.",
        ).format(list=", ".join(source.name for source in sources))
    return State(
        kind=Kind.ERROR,
        heading=str(
            voice(
                pgettext("load.error", "We could not show your records"),
                pgettext("acting.load.error", "We could not show these records"),
            )
        ),
        text=text,
        retry=retry,
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
