"""Look at what the EHR sent, and decide on each resource of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from consent.contents import contents_of
from consent.decision import Access, Contents, Decision, decide
from consent.labels import labels_of, marks_of
from consent.vocabulary import Category, categories_of, codings
from fhirproxy import asking, inheritance
from fhirproxy.compartment import belongs_to
from fhirproxy.release import Call
from fhirproxy.served import SERVED

NOTHING = Contents()


@dataclass(frozen=True, slots=True)
class Seen:
    """One resource as the EHR sent it, and what it says."""

    body: bytes
    resource: dict[str, Any]
    labels: frozenset[str]  # its own, and those of what it consists of
    categories: frozenset[Category]

    @property
    def type(self) -> str:
        return str(self.resource.get("resourceType"))

    @property
    def id(self) -> str:
        return str(self.resource.get("id"))

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


@dataclass(slots=True)
class Passed:
    """The resources of one answer that may leave, and what its audit row says of them."""

    matches: dict[str, tuple[Seen, Decision]] = field(default_factory=dict)  # by reference
    included: dict[str, tuple[Seen, Decision]] = field(default_factory=dict)
    # The last that permitted, or the last denial where nothing passed.
    decision: Decision = field(default_factory=lambda: Decision(True, ()))
    withheld: int = 0

    def take(self, seen: Seen, decision: Decision, *, included: bool = False) -> None:
        if not decision.permitted:
            self.withheld += 1
        elif included:
            self.included.setdefault(seen.reference, (seen, decision))
        else:
            self.matches[seen.reference] = seen, decision
        if not included and (decision.permitted or not self.matches):
            self.decision = decision

    @property
    def all(self) -> list[tuple[Seen, Decision]]:
        return [*self.matches.values(), *self.included.values()]

    @property
    def categories(self) -> frozenset[Category]:
        return frozenset().union(*(seen.categories for seen, _ in self.all))

    @property
    def labels(self) -> frozenset[str]:
        return frozenset().union(*(seen.labels for seen, _ in self.all))

    @property
    def marks(self) -> frozenset[str]:
        """Policies whose notice goes along, as that of 42 CFR Part 2."""
        return frozenset().union(*(marks_of(seen.resource) for seen, _ in self.all))


def see(call: Call, bodies: Iterable[bytes]) -> list[Seen]:
    """Read what came. Labels are looked for only where they can change a decision."""
    bodies = list(bodies)
    resources = [asking.decode(body) for body in bodies]
    if call.requester.sees_every_label:
        return [Seen(b, r, frozenset(), categories_of(r)) for b, r in zip(bodies, resources, strict=True)]
    around = inheritance.labels_of_neighbours(resources, call.source, call.codes)
    return [
        Seen(body, resource, _labels(call, resource, around), categories_of(resource))
        for body, resource in zip(bodies, resources, strict=True)
    ]


def _labels(call: Call, resource: dict[str, Any], around: Mapping[str, frozenset[str]]) -> frozenset[str]:
    own = labels_of(resource, call.codes)
    if not around:
        return own
    return own.union(*(around.get(n, frozenset()) for n in inheritance.neighbours(resource, call.base_url)))


def decide_on(call: Call, seen: Seen, code: str = "") -> Decision:
    """Decide on one resource; `code` is the interaction that it came by, where that is not the call's."""
    rule = SERVED.get(seen.type)
    mine = rule is not None and (
        not rule.owner_paths or belongs_to(seen.resource, rule, call.patient_id, call.base_url)
    )
    access = Access(
        code or call.interaction.code,
        seen.type,
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=seen.categories,
        actors=call.requester.actors,
        security_labels=seen.labels,
        codings=frozenset(f"{s}|{c}" for s, c in codings(seen.resource.get("category"))),
        contents=contents_of(seen.resource, call.base_url) if call.particular else NOTHING,
        belongs_to_patient=mine,
    )
    return decide(access, call.authority)
