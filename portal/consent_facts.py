"""What a consent says, in the words that pages show: who, which records, until when."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from consent.decision import Provision, ProvisionType
from consent.models import Consent
from consent.provisions import read_back
from consent.vocabulary import TOPICS, Category
from consent.words import CATEGORY, TOPIC

ALL_RECORDS = pgettext_lazy("sharing.all_records", "All your records")
NO_NAME = pgettext_lazy("sharing.no_name", "Someone whose name we do not know")

Status = Consent.Status
OPEN = (Status.ACTIVE, Status.PAUSED)
SHARED = (Consent.Kind.APP, Consent.Kind.HELPER, Consent.Kind.SHARE)
CHIPS: dict[str, tuple[Promise, str]] = {
    "on": (pgettext_lazy("chip.on", "On"), "good"),
    "paused": (pgettext_lazy("chip.paused", "Paused"), "warn"),
    "waiting": (pgettext_lazy("chip.waiting", "Waiting"), "info"),
    "refused": (pgettext_lazy("chip.refused", "Not agreed"), "off"),
    "stopped": (pgettext_lazy("chip.stopped", "Stopped"), "off"),
    "ended": (pgettext_lazy("chip.ended", "Ended"), "off"),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """One consent for a page. Which records: `can_see`, in the order of the vocabulary."""

    consent: Consent
    name: str | Promise
    state: str  # a key of CHIPS
    can_see: list[str | Promise]
    can_write: bool
    private: list[Promise]  # topics that go along
    not_private: list[Promise]
    denies: bool  # it lets nobody see anything

    @property
    def active(self) -> bool:
        return self.state == "on"

    @property
    def is_open(self) -> bool:
        """Whether there is something to stop: it holds, or would after a pause."""
        return self.state in ("on", "paused")

    @property
    def chip(self) -> tuple[Promise, str]:
        return CHIPS[self.state]


def facts(consent: Consent) -> Facts:
    permits = [p for p in read_back(consent.current.provisions) if p.type is ProvisionType.PERMIT]
    labels = frozenset().union(*(p.security_labels for p in permits))
    return Facts(
        consent=consent,
        name=name_of(consent),
        state=state_of(consent),
        can_see=kinds_of(permits),
        can_write=any(p.writes for p in permits),
        private=[TOPIC[t.code] for t in TOPICS if t.labels & labels],
        not_private=[TOPIC[t.code] for t in TOPICS if not t.labels & labels],
        denies=not permits,
    )


def kinds_of(provisions: Iterable[Provision]) -> list[str | Promise]:
    """The kinds of record that provisions name; where one names none, it is about all of them."""
    provisions = list(provisions)
    if any(not p.categories for p in provisions):
        return [ALL_RECORDS]
    named = frozenset().union(*(p.categories for p in provisions))
    return [CATEGORY[c] for c in Category if c in named]


def state_of(consent: Consent) -> str:
    if consent.is_active:
        return "on"
    if consent.revoked_at:
        return "stopped"
    words: dict[str, str] = {
        Status.PAUSED: "paused",
        Status.PROPOSED: "waiting",
        Status.REJECTED: "refused",
    }
    return words.get(consent.status, "ended")


def name_of(consent: Consent) -> str | Promise:
    """Whom it is with, by the name that we know or that the consent itself says."""
    if consent.client:
        return consent.client.name
    if consent.helper:
        return consent.helper.user.name
    return _displayed(consent.current.as_fhir().get("provision")) or NO_NAME


def _displayed(provision: object) -> str:
    """The first name of an actor in a FHIR Consent.provision or one inside it."""
    if not isinstance(provision, dict):
        return ""
    for actor in provision.get("actor", []):
        if display := actor.get("reference", {}).get("display", ""):
            return str(display)
    return next((name for part in provision.get("provision", []) if (name := _displayed(part))), "")
