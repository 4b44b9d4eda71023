"""Records for pages: the same gate that apps go through, asked in the name of the person signed in."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.http import Http404
from django.utils import timezone

from audit.events import Role
from consent import authority
from consent.requester import Requester
from fhirproxy import attachments, gate, interactions
from fhirproxy import reading as fhir
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure, Refusal
from fhirproxy.served import SERVED
from fhirproxy.upstream import kept, tapes
from fhirproxy.upstream.exchange import within
from portal import sources
from portal.combining import Item, Origin, parts
from portal.guards import PatientRequest

T = TypeVar("T")
Resource = dict[str, Any]
Params = tuple[tuple[str, str], ...]
DECODER = msgspec.json.Decoder(Resource, float_hook=Decimal)  # so that 4.10 keeps its digits
MOST_PAGES = 20  # of 200: a page that needs more is a page that needs a filter
LABORATORY: Params = (("category", "laboratory"),)
VITAL_SIGNS: Params = (("category", "vital-signs"),)
LAB_REPORTS: Params = (("category", "LAB"),)
# In the copies of which searches a single item, or the results of one code, can be found.
LISTS: dict[str, tuple[Params, ...]] = {
    "Observation": (LABORATORY, VITAL_SIGNS),
    "DiagnosticReport": (LAB_REPORTS,),
    "DocumentReference": ((),),
    "Encounter": ((),),
    "Appointment": ((),),
}


class Unavailable(Exception):
    """The health record system, or the log, did not answer. Nothing can be shown just now."""

    def __init__(self, what: str, *, of_ehr: bool = False, is_late: bool = False) -> None:
        super().__init__(what)
        self.of_ehr, self.is_late = of_ehr, is_late


@dataclass(frozen=True, slots=True)
class Search:
    resource_type: str
    params: Params = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What one EHR answered to one search; `at` is when, where it is a copy of an earlier answer."""

    items: tuple[Item, ...] = ()
    at: datetime | None = None
    is_whole: bool = True  # else there is more, which did not come
    is_withheld: bool = False  # nothing of it is for a helper who asks


@dataclass(frozen=True, slots=True)
class Found:
    resources: list[Resource]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One EHR's answers, in the order of the searches; None where there is not even a copy."""

    source: Source
    answers: tuple[Answer | None, ...]


def requester_of(request: PatientRequest) -> Requester:
    """Who is looking; looked up once a request."""
    if request.requester is None:
        if request.helping:
            request.requester = authority.for_helper(request.user, request.patient)
        else:
            request.requester = authority.for_own_record(request.user, request.patient, timezone.now())
    return request.requester


def everywhere(request: PatientRequest, *searches: Search) -> list[Told]:
    """All matches in this patient's record in every EHR, as the gate lets them through.

    What the gate withholds is not there and not counted. Raises nothing for an EHR that does not answer.
    """
    requester, until = requester_of(request), sources.deadline()
    known = sources.linked(requester)
    names = {source.slug: _origin(source, known) for source in known}

    def ask(source: Source) -> tuple[Answer | None, ...]:
        return tuple(_live(requester, names[source.slug], source, each, until) for each in searches)

    asked = sources.side_by_side(known, ask, until)
    return [
        Told(
            source,
            tuple(
                answer or _copied(requester, names[source.slug], source, search)
                for answer, search in zip(answers or [None] * len(searches), searches, strict=True)
            ),
        )
        for source, answers in zip(known, asked, strict=True)
    ]


def search_as(requester: Requester, resource_type: str, *params: tuple[str, str]) -> list[Resource]:
    """All matches in the primary EHR, for a requester who is not the patient, such as a clinician.

    Raises Unavailable, also where these are not all.
    """
    found = _all_pages(requester, None, Search(resource_type, params))
    if not found.is_whole:
        raise Unavailable("a part only", of_ehr=True)
    return found.resources


def read(request: PatientRequest, resource_type: str, resource_id: str) -> Resource:
    """One resource of this patient's record in the primary EHR. Raises Http404 and Unavailable."""
    if resource_type not in SERVED or not interactions.FHIR_ID.match(resource_id):
        raise Http404
    return _serve(requester_of(request), Interaction("read", resource_type, resource_id))


def item(request: PatientRequest, resource_type: str, address: str) -> tuple[Item, datetime | None]:
    """One item of a patient's record in any EHR, by its address on pages (`combining.items`).

    With the time of the copy, where its EHR does not answer. Raises Http404 and Unavailable.
    """
    requester = requester_of(request)
    source, known, resource_id = _addressed(requester, address)
    origin = _origin(source, known)
    asked = Interaction("read", resource_type, resource_id)
    if resource_type not in SERVED or not source.serves(resource_type):
        raise Http404
    try:
        found = _patiently(requester, source, asked, partial(_serve, requester, asked, source))
        return Item(found, origin), None
    except Unavailable as unavailable:
        if not unavailable.of_ehr:
            raise
        if tape := kept.load(source, requester, asked):
            with tapes.replaying(tape):
                return Item(_serve(requester, asked, source), origin), tape.at
        for params in LISTS.get(resource_type, ()):
            copy = _replayed(requester, origin, source, Search(resource_type, params))
            for each in copy.items if copy else ():
                if each.address == address:
                    return each, copy.at if copy else None
        raise


def attachment(request: PatientRequest, address: str, index: int = 0) -> tuple[bytes, str]:
    """(bytes, content type) of one attachment of a DocumentReference; its decision is the document's.

    Raises Http404 where there is no such attachment, and Unavailable.
    """
    requester = requester_of(request)
    source, _, document_id = _addressed(requester, address)
    with _as_page(), within(sources.deadline() - time.monotonic()):
        return attachments.read(requester, document_id, index, source)


def name_of(request: PatientRequest, origin: Origin) -> str:
    """What an EHR is called, also where it is the only one."""
    return next(s.name for s in sources.linked(requester_of(request)) if s.slug == origin.slug)


def _addressed(requester: Requester, address: str) -> tuple[Source, list[Source], str]:
    """(the EHR, all that the patient is linked to, the id there). Raises Http404."""
    slug, resource_id = parts(address)
    known = sources.linked(requester)
    source = next((s for s in known if s.slug == slug and not s.is_primary), None) if slug else known[0]
    if source is None or not interactions.FHIR_ID.match(resource_id):
        raise Http404
    return source, known, resource_id


def _origin(source: Source, known: Sequence[Source]) -> Origin:
    return Origin(source.slug, source.name if len(known) > 1 else "", source.is_primary)


def _live(
    requester: Requester, origin: Origin, source: Source, search: Search, until: float
) -> Answer | None:
    if not source.serves(search.resource_type):
        return Answer()
    asked = _interaction(search)
    found = partial(_all_pages, requester, source, search)
    try:
        got = _patiently(requester, source, asked, found, until)
    except Unavailable:
        return None
    except Http404:  # it does not take the search: of the primary EHR that is how the page is
        if requester.role == Role.HELPER:
            return Answer(is_withheld=True)
        if source.is_primary:
            raise
        return None
    if not got.resources and not got.is_whole:
        return None  # it says that it failed, and has nothing: an older answer is better
    return Answer(tuple(Item(resource, origin) for resource in got.resources), is_whole=got.is_whole)


def _patiently(
    requester: Requester,
    source: Source,
    asked: Interaction,
    work: Callable[[], T],
    until: float | None = None,
) -> T:
    """Ask an EHR as long as this page may wait, and keep what it answers. Raises Unavailable."""
    if source.kind == Source.Kind.EMBEDDED:
        return work()
    left = (until or sources.deadline()) - time.monotonic()
    if left <= 0 or sources.late.rests(source.slug):
        raise Unavailable("not waited for", of_ehr=True, is_late=True)
    try:
        with within(left), tapes.recording() as tape:
            found = work()
    except Unavailable as unavailable:
        # One that had little time left, or told a part of a long record, is not late for others.
        if unavailable.is_late and left > settings.PAGE_DEADLINE / 2 and not tape.exchanges:
            sources.late.note(source.slug)
        raise
    sources.late.answered(source.slug)
    if not (isinstance(found, Found) and not found.is_whole):
        kept.save(source, requester, asked, tape)
    return found


def _copied(requester: Requester, origin: Origin, source: Source, search: Search) -> Answer | None:
    """The last good answer to a search, else what copies of longer lists have of it."""
    if exact := _replayed(requester, origin, source, search):
        return exact
    wanted = dict(search.params).get("code", "").rpartition("|")[2]
    if not wanted:
        return None
    lists = (Search(search.resource_type, params) for params in LISTS.get(search.resource_type, ()))
    copies = [copy for each in lists if (copy := _replayed(requester, origin, source, each))]
    found = {one.address: one for copy in copies for one in copy.items if _has_code(one.resource, wanted)}
    oldest = min((copy.at for copy in copies if copy.at), default=None)
    return Answer(tuple(found.values()), oldest) if found else None


def _has_code(resource: Any, code: str) -> bool:
    of_parts = (fhir.codes(part.get("code")) for part in fhir.objects(resource, "component"))
    return code in {*fhir.codes(fhir.first(resource, "code")), *(c for codes in of_parts for c in codes)}


def _replayed(requester: Requester, origin: Origin, source: Source, search: Search) -> Answer | None:
    tape = kept.load(source, requester, _interaction(search))
    if tape is None:
        return None
    try:
        with tapes.replaying(tape):
            found = _all_pages(requester, source, search)
    except Unavailable:
        return None
    return Answer(tuple(Item(resource, origin) for resource in found.resources), tape.at)


def _interaction(search: Search) -> Interaction:
    with _as_page():
        return interactions.search(search.resource_type, [*search.params, ("_count", "200")])


def _all_pages(requester: Requester, source: Source | None, search: Search) -> Found:
    """What the gate lets through; not whole where the EHR says so, or where there is no end to it."""
    interaction, found, is_whole = _interaction(search), list[Resource](), True
    for _ in range(MOST_PAGES):
        bundle = _serve(requester, interaction, source)
        for entry in bundle.get("entry", []):
            if entry.get("search", {}).get("mode") == "outcome":
                is_whole = False
            else:
                found.append(entry["resource"])
        following = next((x["url"] for x in bundle.get("link", []) if x["relation"] == "next"), "")
        if not following:
            return Found(found, is_whole)
        cursor = following.split("_cursor=", 1)[1]
        interaction = interactions.search(search.resource_type, [("_cursor", cursor)])
    return Found(found, is_whole=False)


def _serve(requester: Requester, interaction: Interaction, source: Source | None = None) -> Resource:
    with _as_page():
        answer = gate.serve(requester, interaction, source)
    return DECODER.decode(answer.body)


@contextmanager
def _as_page() -> Iterator[None]:
    """A refusal of the gate as what a page can say: there is none, or not now."""
    try:
        yield
    except Refusal as refusal:
        if refusal.status in (400, 403, 404):
            raise Http404 from refusal
        of_ehr = isinstance(refusal, EhrFailure)
        raise Unavailable(refusal.diagnostics, of_ehr=of_ehr, is_late=refusal.status == 504) from refusal
