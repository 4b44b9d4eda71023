"""Bulk loading: resources keep their ids, so that loading twice changes nothing.

A POST entry is not given a new id here as a server would give it: this is an import. References
within a file are rewritten; what refers to something that may come later waits until all files are
read, and is rejected by name if it never came.
"""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.db import DataError, connection, transaction

from fhirstore import conditions, documents, structure
from fhirstore.outcome import Refused
from fhirstore.references import Links
from fhirstore.sources import Item, Reject, Unit
from fhirstore.store import Change, Effect, write

BATCH = 500
_INDEX = re.compile(r"\[\d+\]")
_IDS = uuid.UUID("0d7f2f0e-5b0a-4c5e-9a52-7c8d1f1c6a11")  # for resources that come without an id


@dataclass(slots=True)
class _Waiting:
    """A resource on its way, and links in it that nothing is known about yet."""

    item: Item
    fhir_id: str
    links: Links
    unresolved: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Loader:
    """Takes units of resources; `finish` ends it. `counts` is by (type, effect)."""

    rejected: Callable[[Reject], None]
    as_is: bool = False  # take what differs from R4's structure
    odd: Counter[str] = field(default_factory=Counter)  # what was taken although it differs, by element
    counts: Counter[tuple[str, Effect]] = field(default_factory=Counter)
    reject_count: int = 0
    _batch: dict[tuple[str, str], tuple[Item, Change]] = field(default_factory=dict)
    _waiting: list[_Waiting] = field(default_factory=list)
    _resolved: dict[str, str] = field(default_factory=dict)  # conditional reference -> Type/id

    @property
    def done_count(self) -> int:
        return self.counts.total() + len(self._batch)

    def take(self, unit: Unit) -> None:
        aimed: list[_Waiting] = []
        targets: dict[str, str] = {}
        for item in unit:
            if isinstance(item, Reject):
                self._reject(item)
            elif (found := self._aim(item, targets)) is not None:
                aimed.append(found)
        for each in aimed:
            each.links.replace(targets)
            self._settle(each)

    def finish(self) -> None:
        """Settle what waited, as long as that helps; reject the rest; write all."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            self._flush()
            for each in waiting:
                self._settle(each)
            if len(self._waiting) == len(waiting):
                break
        for each in self._waiting:
            self._refuse(each.item, _reason(each.unresolved))
        self._waiting = []
        self._flush()

    def _aim(self, item: Item, targets: dict[str, str]) -> _Waiting | None:
        """Find the id under which an item is kept, and note it in `targets`. None if that is all."""
        taken = bool(item.full_url) and item.full_url in targets
        try:
            kind = documents.check(item.document)
            if item.if_none_exist:
                self._flush()
                if (existing := conditions.match(kind, item.if_none_exist)) is not None:
                    targets[item.full_url] = f"{kind}/{existing}"
                    self.counts[kind, Effect.UNCHANGED] += 1
                    return None
            fhir_id = _stable_id(item)
        except Refused as refused:
            self._refuse(item, str(refused))
            return None
        target = f"{kind}/{fhir_id}"
        if taken and (targets[item.full_url] != target or "id" not in item.document):
            self._refuse(item, "another entry of its file has the same fullUrl")
            return None
        if item.full_url:
            targets[item.full_url] = target
        return _Waiting(item, fhir_id, Links.of(item.document))

    def _settle(self, each: _Waiting) -> None:
        """Resolve what links beyond the unit, then put the resource into the batch."""
        if beyond := each.links.criteria() | each.links.urns():
            try:
                found = {link: self._look_up(link) for link in beyond}
            except Refused as refused:
                self._refuse(each.item, str(refused))
                return
            each.links.replace({link: target for link, target in found.items() if target})
            each.unresolved = {link for link, target in found.items() if not target}
            if each.unresolved:
                self._waiting.append(each)
                return
        self._add(each)

    def _look_up(self, link: str) -> str:
        """Type/id for a conditional reference or a urn of another file; "" if it is not there (yet)."""
        if link not in self._resolved:
            self._flush()
            kind, _, criteria = link.partition("?")
            if criteria:
                fhir_id = conditions.match(kind, criteria)
                target = f"{kind}/{fhir_id}" if fhir_id else ""
            else:
                target = _by_id(link.rpartition(":")[2])
            if not target:
                return ""
            self._resolved[link] = target
        return self._resolved[link]

    def _add(self, each: _Waiting) -> None:
        kind = each.item.document["resourceType"]
        try:
            self._check(each.item.document)
            made = documents.content(each.item.document, each.fhir_id)
        except UnicodeEncodeError:
            self._refuse(each.item, "a string is not valid Unicode")
            return
        except Refused as refused:
            self._refuse(each.item, str(refused))
            return
        key = (kind, each.fhir_id)
        if key in self._batch or len(self._batch) >= BATCH:
            self._flush()
        self._batch[key] = (each.item, Change(kind, each.fhir_id, made))

    def _check(self, document: documents.Document) -> None:
        """Raises Refused. A reference to a type that R4 does not allow there is taken: real EHRs hold
        such, and the rest of the resource is as good as any."""
        found = structure.problems(document)
        if not self.as_is:
            structure.refuse(document, [each for each in found if each.code != structure.WRONG_TARGET])
        self.odd.update(document["resourceType"] + _INDEX.sub("", each.path) for each in found)

    def _flush(self) -> None:
        batch, self._batch = list(self._batch.values()), {}
        if not batch:
            return
        try:
            self._write([change for _, change in batch])
        except (Refused, DataError):
            # One of them is to blame: write each by itself to find out which.
            for item, change in batch:
                try:
                    self._write([change])
                except (Refused, DataError) as error:
                    odd = "the database cannot hold one of its values"
                    self._refuse(item, str(error) if isinstance(error, Refused) else odd)

    def _write(self, changes: list[Change]) -> None:
        with transaction.atomic():
            written = write(changes, replay=True, as_is=True)
        self.counts.update((each.stored.type, each.effect) for each in written)

    def _refuse(self, item: Item, reason: str) -> None:
        self._reject(Reject(item.file, item.place, str(item.document.get("resourceType", "")), reason))

    def _reject(self, reject: Reject) -> None:
        self.reject_count += 1
        self.rejected(reject)


def _stable_id(item: Item) -> str:
    """The resource's own id, else that of its fullUrl, else one made from its content."""
    own = item.document.get("id")
    if own is not None and item.wanted_id not in {"", own}:
        raise Refused(422, "invalid", "The id in the resource is not the id in the url.")
    from_urn = item.full_url.removeprefix("urn:uuid:") if item.full_url.startswith("urn:uuid:") else ""
    made = own or item.wanted_id or from_urn or str(uuid.uuid5(_IDS, documents.encode(item.document).hex()))
    if not documents.ID.fullmatch(made):
        raise Refused(422, "value", "An id has 1 to 64 letters, digits, hyphens and dots.")
    return made


def _by_id(fhir_id: str) -> str:
    """Type/id of the one resource with this id, of whatever type."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type FROM fhirstore_resource"
            " WHERE type = ANY(%s) AND fhir_id = %s AND NOT deleted LIMIT 2",
            [list(documents.TYPES), fhir_id],
        )
        found = [kind for (kind,) in cursor.fetchall()]
    return f"{found[0]}/{fhir_id}" if len(found) == 1 else ""


def _reason(unresolved: Iterable[str]) -> str:
    """Names types, not identifiers: those belong to the record."""
    criteria = {link.partition("?")[0] for link in unresolved if "?" in link}
    if criteria:
        return f"a conditional reference fits no resource ({', '.join(sorted(criteria))})"
    return "a reference to a urn that no entry of its file, and no resource loaded, stands for"
