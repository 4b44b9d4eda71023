"""Finding in one's own records: what has every word, in whatever order, without case or accents. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from accounts.matching import plain
from fhirproxy import reading as fhir
from fhirproxy.dates import date_words
from fhirproxy.reading import Moment
from portal.observations import Result
from portal.rows import Row
from portal.where_from import ALONE, WhereFrom

LONGEST = 100  # characters that are looked for
MOST = 60  # hits that are shown


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found: what it is, where its page is, and what stands there about it."""

    name: str | Promise
    kind: str | Promise
    url: str
    when: Moment | None = None
    line: str = ""
    origin: WhereFrom = ALONE

    @classmethod
    def of_row(cls, row: Row, kind: str | Promise, url: str) -> "Hit":
        return cls(
            row.name, kind, url, row.when, " · ".join(filter(None, (*row.details, row.source))), row.origin
        )

    @classmethod
    def of_result(cls, result: Result, kind: str | Promise, url: str) -> "Hit":
        # The lab's own name too: people look for what stands on a paper.
        line = " · ".join(filter(None, (result.value_text, result.lab_name if result.plain else "")))
        return cls(str(result.name), kind, url, result.when, line, result.origin)

    @property
    def is_dated(self) -> bool:
        """Whether the line says when already, as most rows do."""
        return self.when is None or date_words(self.when) in self.line

    @property
    def text(self) -> str:
        return plain(f"{self.name} {self.line} {self.kind} {self.origin.kept_by}")


def words_of(text: str) -> list[str]:
    """What is looked for, word by word."""
    return list(dict.fromkeys(plain(text[:LONGEST]).split()))


def matching(hits: Iterable[Hit], words: Sequence[str]) -> list[Hit]:
    """Those with every word, or its beginning; newest first, undated ones last."""
    return fhir.newest_first(hit for hit in hits if words and _has_all(hit.text, words))


def _has_all(text: str, words: Sequence[str]) -> bool:
    inside = f" {text}"
    return all(f" {word}" in inside for word in words)
