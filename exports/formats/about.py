"""What a download is about, as far as its records do not say it themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone, translation

Resource = Mapping[str, Any]


class Why(StrEnum):
    """Why something is not in a file."""

    CHOSEN = "chosen"  # the person did not ask for it
    PRIVATE = "private"  # a private topic: in a file of its own, or in none
    NOT_SHARED = "not-shared"  # no rule lets this person see it
    MISSING = "missing"  # the source did not answer


@dataclass(frozen=True, slots=True)
class LeftOut:
    category: str  # consent.vocabulary.Category
    why: Why


@dataclass(frozen=True, slots=True)
class Source:
    """A system that records came from. `uri` is the `meta.source` of each of its resources."""

    uri: str
    name: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """`patient` is the Patient resource; `custodian` the organisation that gives the file out."""

    patient: Resource
    sources: tuple[Source, ...]
    custodian: str
    made_at: datetime
    language: str = "en"
    time_zone: str = "America/New_York"
    left_out: tuple[LeftOut, ...] = ()

    def source_of(self, resource: Resource) -> Source | None:
        """Where a resource came from; None where nobody can tell."""
        if len(self.sources) == 1:
            return self.sources[0]
        meta = resource.get("meta")
        uri = str(meta.get("source", "")) if isinstance(meta, dict) else ""
        return next((s for s in self.sources if uri.partition("#")[0] == s.uri), None)

    def source_name(self, resource: Resource) -> str:
        source = self.source_of(resource)
        return source.name if source else ""

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """Words and times inside are in the language and the time zone of who reads the file."""
        with translation.override(self.language), timezone.override(ZoneInfo(self.time_zone)):
            yield
