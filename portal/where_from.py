"""Which EHR keeps what a page shows, and which others say the same. Pure, but for addresses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from portal.combining import Item, Origin, Shown

PAGES = {"Observation": "portal:result", "DiagnosticReport": "portal:report"} | {
    "DocumentReference": "portal:document",
    "Encounter": "portal:visit",
}


@dataclass(frozen=True, slots=True)
class Other:
    """The same thing in another EHR; `url` is its own page, where its kind has one."""

    name: str
    url: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class WhereFrom:
    """For parts/where_from.html. Empty where a patient has one EHR only, but for who sent it through here."""

    kept_by: str = ""
    also: tuple[Other, ...] = ()
    slug: str = ""
    is_primary: bool = True
    written: str = ""

    def address(self, resource_id: str) -> str:
        return Origin(self.slug, "", self.is_primary).address(resource_id)


ALONE = WhereFrom()


def where_from(shown: Shown) -> WhereFrom:
    origin = shown.item.origin
    also = tuple(Other(item.origin.name, _url(item), item.address) for item in shown.also)
    return WhereFrom(origin.name, also, origin.slug, origin.is_primary, shown.item.written)


def each(found: Iterable[Any]) -> Iterator[tuple[Any, str, WhereFrom]]:
    """(resource, address, where from) of what was combined; a plain resource is one of the only EHR."""
    for one in found:
        shown = one if isinstance(one, Shown) else Shown(Item(one if isinstance(one, dict) else {}))
        resource = shown.item.resource if isinstance(one, Shown) else one
        yield resource, shown.item.address, where_from(shown)


def _url(item: Item) -> str:
    kind = item.resource.get("resourceType")
    name = PAGES.get(kind, "") if isinstance(kind, str) else ""
    return reverse(name, args=[item.address]) if name and item.address else ""
