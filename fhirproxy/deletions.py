"""What an EHR deleted since a day, and whose it was: decided on as it was before.

Only where the EHR tells: by the history of a type (FHIR R4, 3.1.0.13), which few have. Whose it was, and
whether its patient lets it be exported, its last version says; where that cannot be read, it is not told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.conf import settings

from audit.events import EventType
from consent.requester import Requester
from fhirproxy import asking, cursors, health
from fhirproxy.checks import decide_on, see
from fhirproxy.compartment import owners_of
from fhirproxy.cursors import EhrPage
from fhirproxy.exporting import Part
from fhirproxy.interactions import Interaction
from fhirproxy.models import Source
from fhirproxy.release import Call
from fhirproxy.served import SERVED

COUNT = ("_count", "200")
DELETE = "DELETE"


class Asked(msgspec.Struct):
    method: str = ""
    url: str = ""


class Answered(msgspec.Struct):
    lastModified: str = ""


class Change(msgspec.Struct):
    """One entry of a history; the resource stays the bytes that the EHR sent."""

    request: Asked = msgspec.field(default_factory=Asked)
    response: Answered = msgspec.field(default_factory=Answered)
    resource: msgspec.Raw = msgspec.Raw(b"")


class History(msgspec.Struct):
    resourceType: str = ""
    entry: list[Change] = msgspec.field(default_factory=list)
    link: list[asking.Link] = msgspec.field(default_factory=list)

    @property
    def next(self) -> str:
        return next((link.url for link in self.link if link.relation == "next"), "")


@dataclass(frozen=True, slots=True)
class Gone:
    """A resource that is not there any more, as it was last, and the FHIR id of the patient it was of."""

    type: str
    id: str
    body: bytes
    owner: str


def told_of(source: Source) -> frozenset[str]:
    """Types of which the EHR says that it has a history; none where it does not say what it has."""
    types = health.said(source)
    return frozenset(kind for kind, entry in types.items() if "history-type" in health.codes_of(entry))


def first(kind: str, since: datetime) -> EhrPage:
    return EhrPage(f"{kind}/_history", (("_since", since.isoformat()), COUNT))


def page(source: Source, kind: str, there: EhrPage, until: datetime) -> tuple[list[Gone], EhrPage | None]:
    """What one page of a history tells of deletions, and the next page. Raises EhrFailure."""
    history = _history(source, there.path, there.params, onward=there.onward)
    ids = {
        change.request.url.rpartition("/")[2]: change.response.lastModified
        for change in history.entry
        if change.request.method == DELETE and _before(change.response.lastModified, until)
    }
    found = (_last(source, kind, fhir_id, at) for fhir_id, at in ids.items())
    return [gone for gone in found if gone], cursors.next_page(history.next, source)


def _before(at: str, until: datetime) -> bool:
    try:
        return datetime.fromisoformat(at) < until
    except (ValueError, TypeError):
        return False


def _last(source: Source, kind: str, fhir_id: str, at: str) -> Gone | None:
    """As it was before it was deleted at that moment; None where it is there again, or nobody can tell."""
    if not asking.AN_ID.fullmatch(fhir_id):
        return None
    changes = _history(source, f"{kind}/{fhir_id}/_history", (("_count", "2"),)).entry
    newest, before = changes[:1], [bytes(change.resource) for change in changes[1:2]]
    if not (newest and newest[0].request.method == DELETE and newest[0].response.lastModified == at):
        return None
    if not before or not before[0]:
        return None
    resource = asking.decode(before[0])
    owners = set(owners_of(resource, SERVED[kind], source.base_url or settings.FHIR_BASE_URL))
    if len(owners) != 1 or resource.get("id") != fhir_id:
        return None
    return Gone(kind, fhir_id, before[0], owners.pop().removeprefix("Patient/"))


def _history(
    source: Source, path: str, params: Iterable[tuple[str, str]], *, onward: bool = False
) -> History:
    answer = asking.ask(source, path, tuple(params), onward=onward)
    try:
        if answer.status != 200:
            raise asking.failed(source, answer)
        found = msgspec.json.decode(answer.body, type=History)
    except (ValueError, RecursionError) as error:
        raise asking.failure(source) from error
    if found.resourceType != "Bundle":
        raise asking.failure(source)
    return found


def read(requester: Requester, source: Source, kind: str, gone: Sequence[Gone]) -> Part:
    """Of one patient's, those that they would let be exported; a line each is an entry of a transaction.

    Nothing of it may leave before `exporting.record_all`. Raises EhrFailure.
    """
    part = Part(requester)
    asked = Interaction("search-type", kind)
    call = Call(requester, asked, requester.authority("search-type"), source, EventType.EXPORT_GIVE)
    for seen in see(call, [each.body for each in gone]):
        decision = decide_on(call, seen)
        if decision.permitted:
            part.lines[kind][seen.id] = entry(kind, seen.id)
            part.rules |= {*decision.policy_ids, *decision.provision_ids}
            part.categories |= set(seen.categories)
        else:
            part.withheld += 1
            part.reasons[kind] = decision.reasons
    return part


def entry(kind: str, fhir_id: str) -> bytes:
    return msgspec.json.encode({"request": {"method": DELETE, "url": f"{kind}/{fhir_id}"}})


def bundle(entries: Iterable[bytes]) -> bytes:
    """Bulk Data Access 2.0.0, "deleted": one line of the file."""
    listed = [msgspec.Raw(each) for each in entries]
    return msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": listed})
