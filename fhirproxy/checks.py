"""Look at what the EHR sent, and decide on each resource of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from consent.contents import contents_of
from consent.decision import Access, Contents, Decision, decide
from consent.labels import labels_of, marks_of
from consent.vocabulary import Category, categories_of, codings
from fhirproxy import asking, inheritance
from fhirproxy.compartment import SOMEBODY, belongs_to, owners_of
from fhirproxy.release import Call
from fhirproxy.served import SERVED, TypeRule

NOTHING = Contents()
# Of a type that is not served, where it is inside; a Group's members are patients, too.
SOMEBODYS = TypeRule(owner_paths=("subject", "patient", "member.entity"))
RESOURCE = re.compile(rb'"resourceType"\s*:')
# Who else a resource can be of: the other elements that put it into the compartment of a patient (FHIR R4,
# compartmentdefinition-patient). Where they name another one, two records were mixed up. Links of a
# Patient and the payers of a Coverage are not among them: these are somebody else's by their nature.
PARTIES: Mapping[str, TypeRule] = {
    kind: TypeRule(owner_paths=tuple(elements.split()))
    for kind, elements in {
        "AllergyIntolerance": "recorder asserter",
        "CarePlan": "activity.detail.performer",
        "CareTeam": "participant.member",
        "Claim": "payee.party",
        "Communication": "sender recipient",
        "Condition": "asserter recorder",
        "DocumentReference": "author",
        "ExplanationOfBenefit": "payee.party",
        "MedicationDispense": "receiver",
        "Observation": "performer",
        "Procedure": "performer.actor",
        "Provenance": "agent.who",
        "QuestionnaireResponse": "author",
        "ServiceRequest": "performer",
    }.items()
}


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
    is_whole: bool = True  # else the EHR itself says that something is missing

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
        # A mark closes what it stands on, so what has no label has none.
        return frozenset().union(*(marks_of(seen.resource) for seen, _ in self.all if seen.labels))


def see(call: Call, bodies: Iterable[bytes]) -> list[Seen]:
    """Read what came. Labels are looked for only where they can change a decision."""
    bodies = list(bodies)
    resources = [asking.decode(body) for body in bodies]
    if call.requester.sees_every_label:
        return [Seen(b, r, frozenset(), categories_of(r)) for b, r in zip(bodies, resources, strict=True)]
    # Of what is somebody else's nothing more is asked: it is refused, and as soon as what is not there.
    mine = (resource for resource in resources if is_mine(call, resource))
    around = inheritance.labels_of_neighbours(mine, call.source, call.codes)
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
    access = _access(call, seen.resource, code or call.interaction.code, seen.categories, seen.labels)
    mine = is_mine(call, seen.resource) and _is_all_looked_into(seen)
    decision = decide(replace(access, belongs_to_patient=mine), call.authority)
    if all(_comes_along(call, part, access) for part in _contained(seen.resource)):
        return decision
    # A yes to one part of a record is no yes to another that stands inside of it.
    return replace(decision, redact=decision.redact | {f"{seen.type}.contained"})


def _access(
    call: Call,
    resource: Mapping[str, Any],
    code: str,
    categories: frozenset[Category],
    labels: frozenset[str],
) -> Access:
    return Access(
        code,
        str(resource.get("resourceType")),
        at=call.requester.now,
        purpose=call.requester.purpose,
        categories=categories,
        actors=call.requester.actors,
        security_labels=labels,
        codings=frozenset(f"{s}|{c}" for s, c in codings(resource.get("category"))),
        contents=contents_of(resource, call.base_url) if call.particular else NOTHING,
    )


def is_mine(call: Call, resource: Mapping[str, Any]) -> bool:
    """Whether it is this patient's, or the clinic's, and no other patient is in it."""
    kind, base = str(resource.get("resourceType")), call.base_url
    rule = SERVED.get(kind)
    if rule is None or not _can_be_looked_into(resource):
        return False
    # Where the patient has no record, no reference that lacks its id may stand for them.
    if rule.owner_paths and not (call.patient_id and belongs_to(resource, rule, call.patient_id, base)):
        return False
    parties = owners_of(resource, PARTIES[kind], base) if kind in PARTIES else ()
    inside = (owner for part in _contained(resource) for owner in _owners_inside(part, base))
    return {*parties, *inside} <= {f"Patient/{call.patient_id}"}


def _owners_inside(part: Mapping[str, Any], base: str) -> Iterator[str]:
    """A Patient inside of something else has an id of its own there: nobody can say that it is this one."""
    if part.get("resourceType") == "Patient":
        yield SOMEBODY
    yield from owners_of(part, _rule_inside(part), base)


def _comes_along(call: Call, part: Mapping[str, Any], around: Access) -> bool:
    """Whether a contained resource may be let out with what is around it; a scope is for that alone."""
    if not any(path.partition(".")[0] in part for path in _rule_inside(part).owner_paths):
        return True  # nobody's own: who made it, a medicine
    access = _access(call, part, around.interaction, categories_of(part), around.security_labels)
    return decide(access, replace(call.authority, scopes=None)).permitted


def _rule_inside(part: Mapping[str, Any]) -> TypeRule:
    return SERVED.get(str(part.get("resourceType")), SOMEBODYS)


def _is_all_looked_into(seen: Seen) -> bool:
    """Whether no resource is in it but those contained: a Bundle in there, or something contained twice,
    could be anybody's."""
    return len(RESOURCE.findall(seen.body)) <= 1 + len(_contained(seen.resource))


def _can_be_looked_into(resource: Mapping[str, Any]) -> bool:
    contained = resource.get("contained", [])
    return isinstance(contained, list) and all(isinstance(part, dict) for part in contained)


def _contained(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    return resource.get("contained", []) if _can_be_looked_into(resource) else []
