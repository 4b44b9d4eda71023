"""One resource and the EHR that it is from; pages address it by both."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARK = "~"  # stands in no id of FHIR and in no slug


@dataclass(frozen=True, slots=True)
class Origin:
    """An EHR. `name` is empty where a patient has only one: then pages need not say it."""

    slug: str = ""
    name: str = ""
    is_primary: bool = True

    def address(self, resource_id: str) -> str:
        """An id as pages write it: as it is in the primary EHR, "slug~id" in others."""
        return resource_id if self.is_primary or not resource_id else f"{self.slug}{MARK}{resource_id}"


THE_ONLY = Origin()


@dataclass(frozen=True, slots=True)
class Item:
    resource: Mapping[str, Any]
    origin: Origin = THE_ONLY
    written: str = ""  # who sent it through here, in words

    @property
    def address(self) -> str:
        found = self.resource.get("id")
        return self.origin.address(found if isinstance(found, str) else "")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows once: an item, and those of other EHRs that say the same."""

    item: Item
    also: tuple[Item, ...] = ()

    @property
    def all(self) -> tuple[Item, ...]:
        return (self.item, *self.also)

    def seen_from(self, address: str) -> "Shown":
        """The same group, with the item of this address in front."""
        front = next((item for item in self.all if item.address == address), self.item)
        return Shown(front, tuple(item for item in self.all if item is not front))


def parts(address: str) -> tuple[str, str]:
    """("", id) for an item of the primary EHR, (slug, id) for one of another."""
    slug, mark, resource_id = address.partition(MARK)
    return (slug, resource_id) if mark else ("", address)
