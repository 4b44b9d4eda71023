"""Page contracts: what each page reads, why, how old it may be, and which states it knows how to show.

Every page declares its contract beside its view; tests/portal/test_pages.py walks the registry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from portal.states import Kind

View = TypeVar("View", bound=Callable[..., object])


class Offline(StrEnum):
    """Whether a phone may keep a copy, once its owner has allowed copies at all."""

    NEVER = "never"
    ALLOWED = "allowed"


class StepUp(StrEnum):
    """How sure we must be, just now, that it is the person: a passkey or a code."""

    NONE = "none"
    FRESH = "fresh"  # proved again in the last 5 minutes, for this action


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The contract of one page. `reads` are FHIR types, or the names of our own models."""

    name: str
    reads: tuple[str, ...]
    purpose: str  # HL7 v3 ActReason: why the records are read
    max_age: timedelta  # older than this, the page says that it is stale
    step_up: StepUp
    offline: Offline
    states: frozenset[Kind]


REGISTRY: dict[str, Page] = {}


def page(
    name: str,
    *,
    reads: tuple[str, ...] = (),
    purpose: str = "PATRQT",
    max_age: timedelta = timedelta(hours=24),
    step_up: StepUp = StepUp.NONE,
    offline: Offline = Offline.NEVER,
    states: tuple[Kind, ...] = (Kind.FRESH,),
) -> Callable[[View], View]:
    """Declare the contract of the page whose URL name is `portal:<name>`.

    Put it outermost, above the guards. Raises ValueError if the name is taken.
    """

    def declare(view: View) -> View:
        if name in REGISTRY:
            raise ValueError(f"two pages are called {name!r}")
        contract = Page(
            name=name,
            reads=reads,
            purpose=purpose,
            max_age=max_age,
            step_up=step_up,
            offline=offline,
            states=frozenset(states),
        )
        REGISTRY[name] = contract
        view.contract = contract  # type: ignore[attr-defined]
        return view

    return declare
