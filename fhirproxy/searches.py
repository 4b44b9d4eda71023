"""Searches of one type, and of a whole record (FHIR R4, 3.1.1 and Patient/$everything)."""

from dataclasses import replace

import structlog

from consent.decision import Access, Reason, decide
from consent.vocabulary import categories_of_scope
from fhirproxy import answers, asking, cursors, including, release
from fhirproxy.checks import Passed, decide_on, see
from fhirproxy.cursors import EhrPage, Place
from fhirproxy.interactions import Interaction
from fhirproxy.release import Call
from fhirproxy.served import SERVED
from fhirproxy.upstream import FhirResponse, Params

log = structlog.get_logger("chartkey.gate")


def search(call: Call) -> FhirResponse:
    asked = call.interaction
    if not call.source.serves(asked.resource_type):
        raise release.refuse(call, ("record.not-found",), 404)
    if not asked.cursor and narrow(call, asked) is None:
        # Someone else's record, or none here: the same answer as for a patient who does not exist.
        release.refuse(call, (Reason.NOT_YOURS,), 404)
        return answers.searchset(asked, Passed(), "", call.fhir_url)
    return _answer(call, Place((asked.resource_type,), None, count=asked.count, source=call.source.slug))


def everything(call: Call) -> FhirResponse:
    """The types of a record one after the other, in pages; Provenance comes with what it tells of."""
    asked = call.interaction
    if asked.id != call.patient_id:
        raise release.refuse(call, (Reason.NOT_YOURS,), 404)
    served = [kind for kind in asked.types if call.source.serves(kind)]
    types = tuple(kind for kind in served if _possible(call, kind))
    if not types and served and not asked.cursor:
        raise release.refuse(call, _refusal(call, asked.types[0]), 403)
    return _answer(call, Place(types, None, count=asked.count, source=call.source.slug))


def _possible(call: Call, kind: str) -> bool:
    return not _refusal(call, kind)


def _refusal(call: Call, kind: str) -> tuple[Reason, ...]:
    """Why nothing of a type could be let out; empty where something could."""
    access = Access(
        _code(call, kind),
        kind,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=categories_of_scope(kind),
        actors=call.requester.actors,
        beforehand=True,
    )
    return decide(access, call.authority).reasons


def _code(call: Call, kind: str) -> str:
    """The interaction that a resource of a search comes by: a patient's own Patient is as good as read."""
    whole_record = call.interaction.code != "search-type"
    return ("read" if kind == "Patient" else "search-type") if whole_record else "search-type"


def _answer(call: Call, place: Place) -> FhirResponse:
    asked = call.interaction
    if asked.cursor:
        opened = cursors.unseal(asked.cursor, call.requester, asked)
        if opened is None or opened[1].source != call.source.slug:
            raise release.refuse(call, ("cursor.invalid",), 400)
        asked, place = opened
        call = replace(call, interaction=asked)
    passed, following = _collect(call, place)
    including.include(call, passed)
    if asked.provenance:
        including.include_provenance(call, passed)
    cursor = cursors.seal(following, call.requester, asked) if following else ""
    release.let_out(call, passed)
    said_so = "" if passed.is_whole else call.source.name
    return answers.searchset(asked, passed, cursor, call.fhir_url, in_part=said_so)


def _collect(call: Call, place: Place) -> tuple[Passed, Place | None]:
    """A page of what may be seen, and where the next one starts if there is more that may be seen.

    The EHR is asked on until the page is full and one more is found, or there is no more: pages
    that were shorter for what is hidden, or links to pages with nothing on them, would count it.
    """
    passed, following = Passed(), place
    while place.types:
        kind = place.types[0]
        there = place.page or _first(call, kind, place.count)
        found, is_whole = asking.part(call.source, there.path, there.params, onward=there.onward)
        passed.is_whole &= is_whole and len(found.bodies) == len(found.entry)
        seen = see(call, found.bodies)
        ids = [each.id for each in seen]
        for each in seen[ids.index(place.after) + 1 if place.after in ids else 0 :]:
            if each.type != kind:
                continue  # what nobody asked for
            if not isinstance(each.resource.get("id"), str):
                passed.is_whole = False  # nobody could tell it from the next one without
                continue
            decision = decide_on(call, each, _code(call, kind))
            if Reason.NOT_YOURS in decision.reasons:
                log.error("upstream answered with another patient's resource", source=call.source.slug)
            if decision.permitted and len(passed.matches) == place.count:
                return passed, following
            passed.take(each, decision)
            if decision.permitted:
                following = replace(place, page=there, after=each.id)
        place = _next(call, place, there, found.next)
    return passed, None


def _next(call: Call, place: Place, there: EhrPage, link: str) -> Place:
    """The EHR's next page of this type, or the first of the next.

    Raises EhrFailure where its pages never end, or go on elsewhere: half a record must not look whole.
    """
    following = cursors.next_page(link, call.source)
    if following is None:
        return replace(place, types=place.types[1:], page=None, after="", turned=0)
    if following == there or place.turned >= call.source.max_pages:
        raise asking.failure(call.source)
    return replace(place, page=following, after="", turned=place.turned + 1)


def _first(call: Call, kind: str, count: int) -> EhrPage:
    """One more than is wanted, so that the first page tells whether there is another."""
    params = narrow(call, replace(call.interaction, resource_type=kind))
    if params is None:  # never a search that is not the patient's
        raise release.refuse(call, (Reason.NOT_YOURS,), 404)
    return EhrPage(kind, (*params, ("_count", str(count + 1))))


def narrow(call: Call, asked: Interaction) -> Params | None:
    """The search with this patient written in; None where it asks for another patient.

    What the caller said of the patient is compared and then replaced by our own parameter.
    """
    patient_id = call.patient_id
    if not patient_id:
        return None
    own = {patient_id, f"Patient/{patient_id}", f"{call.fhir_url}/Patient/{patient_id}"}
    rule = SERVED[asked.resource_type]
    patient_names = {rule.patient_param, *(p for p in rule.owner_paths[:1] if p != "id")}
    if any(n in patient_names and v not in own for n, v in asked.params):
        return None
    rest = [(n, v) for n, v in asked.params if n not in patient_names]
    return ((rule.patient_param, patient_id), *rest)
