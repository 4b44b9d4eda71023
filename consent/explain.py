"""Who can see a patient's records, and why: each is asked about with the authority that they would have.

There are no rules here. Whoever it may be gets the requester that the gate would give them
(`consent.authority`), and `decide` says the rest, so that what is explained is what happens.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import product

from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import Patient, User
from consent import authority, fhir, organisation, provisions, valuesets
from consent.authority import why_missing
from consent.decision import Access, Contents, Decision, Provision, ProvisionType, Reason, decide
from consent.directives import directives
from consent.fhir import Terms
from consent.models import Consent, ConsentVersion
from consent.requester import Requester
from consent.vocabulary import CATEGORY_OF_CODE, CATEGORY_OF_TYPE, Category, Purpose, categories_of_scope
from smart.models import AccessToken, Client, Grant, RefreshToken
from smart.scopes import Scope

OPEN = (Consent.Status.ACTIVE, Consent.Status.PAUSED)
TREATMENT = "treatment"  # the directive by which a care team works
READING = ("search-type", "read")  # a resource is seen by either
UNKNOWN = Contents()
ALL_TYPES = tuple(sorted({*CATEGORY_OF_TYPE, *CATEGORY_OF_CODE}))


Asked = Callable[[Requester], Decision]


class Kind(StrEnum):
    """What somebody is to the patient."""

    PATIENT = "patient"
    APP = "app"
    HELPER = "helper"
    SHARE = "share"  # an organisation or practitioner that the patient shares with
    CARE_TEAM = "care-team"
    USE = "use"  # whoever uses records for a purpose: payment, research


@dataclass(frozen=True, slots=True)
class Item:
    """One record, as far as decisions ask for it (`fhirproxy.preview.look_at` makes one)."""

    resource_type: str
    categories: frozenset[Category]
    labels: frozenset[str] = frozenset()
    codings: frozenset[str] = frozenset()  # system|code of its `category`
    contents: Contents = UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """One who may or may not see it, and why."""

    kind: Kind
    reference: str  # User/x, Client/x, RelatedPerson/x, Organization/1; of a use, its directive
    name: str = ""  # where we know one
    decision: Decision
    consent: Consent | None = None  # what lets them in, or the choice that the patient made
    chosen: bool | None = None  # yes or no, where the patient made a choice

    @property
    def permitted(self) -> bool:
        return self.decision.permitted

    @property
    def reason(self) -> Reason | None:
        """The first thing that speaks against it; None where nothing does."""
        return next(iter(self.decision.reasons), None)

    @property
    def by_default(self) -> bool:
        """Whether it is so because the patient chose nothing else."""
        ids = self.decision.provision_ids
        return bool(ids) and all(id.startswith("default-") for id in ids)

    @property
    def until(self) -> datetime | None:
        """When it ends by itself."""
        return self.consent.period_end if self.consent else None


def viewers(patient: Patient, item: Item | None = None, types: Sequence[str] = ALL_TYPES) -> list[Viewer]:
    """Everyone who has something to say of it: the patient, all with an open consent, the care team,
    and the uses that hold by default or by choice. Who is not among them sees nothing.

    Without an item the question is whether they could see anything of `types`. SQL: about 8
    statements, and 4 for each helper and 1 for each share.
    """
    found = list(
        patient.consents.filter(status__in=OPEN)
        .select_related("client", "helper__user", "patient__user")
        .order_by("created_at")
    )
    asked = partial(sees, item=item, types=types)
    parties = (_patient, _apps, _helpers, _shares, _care_team, _uses)
    return [viewer for party in parties for viewer in party(patient, found, asked)]


def sees(requester: Requester, item: Item | None, types: Sequence[str] = ALL_TYPES) -> Decision:
    """What `decide` says to one requester: by whichever way of reading lets it through."""
    authorities = {code: requester.authority(code) for code in READING}
    if item is not None:
        return by_any_reading({c: decide(_access(requester, c, item), authorities[c]) for c in READING})
    refused = Decision(False, tuple(Reason))  # more reasons than any other has
    for kind, code in product(types, READING):
        decision = decide(_beforehand(requester, code, kind), authorities[code])
        if decision.permitted:
            return decision
        refused = min(refused, decision, key=lambda d: len(d.reasons))
    return refused


def possible_types(requester: Requester, types: Sequence[str]) -> tuple[str, ...]:
    """Those of the types of which anything could be seen."""
    return tuple(kind for kind in types if sees(requester, None, (kind,)).permitted)


def by_any_reading(decisions: Mapping[str, Decision]) -> Decision:
    """The decision on one resource, out of those for each way of reading: the first that permits."""
    searched, read = (decisions[code] for code in READING)
    return searched if searched.permitted else read


def of_consent(consent: Consent, scopes: Sequence[Scope] | None = None) -> Requester:
    """Who a client is by its consent: what `bearers.from_bearer` makes of a living token of it.

    `scopes` are the token's; None: those of all its living codes and tokens, or no limit where it has none.
    """
    assert consent.client is not None
    now = timezone.now()
    missing = why_missing(consent.pk, consent.status, consent.period_end, consent.revoked_at, now)
    allowed = () if missing else provisions.read_back(consent.current.provisions)
    scopes = scopes if scopes is not None else _scopes_of(consent)
    return _client(consent.patient, consent.client, allowed, scopes, now, missing)


def of_choice(patient: Patient, client: Client, terms: Terms, scopes: Sequence[Scope] | None) -> Requester:
    """Who a client would be if the patient agreed to these terms now. Nothing is written.

    Raises InvalidConsent for terms that no consent could have.
    """
    recipient = fhir.client_reference(client.client_id, client.name)
    rows = provisions.compile_consent({"provision": fhir.permit(terms, recipient)}, operational=False)
    return _client(patient, client, provisions.read_back(rows), scopes, terms.start, None)


def of_share(patient: Patient, recipient: str, terms: Terms) -> Requester:
    """Who an organisation or a practitioner would be by a share with these terms alone: without what they
    see because they treat the patient. Nothing is written. Raises InvalidConsent."""
    provision = fhir.permit(terms, {"reference": recipient})
    rows = provisions.compile_consent({"provision": provision}, operational=False)
    usual = authority.for_other_system(patient.pk, {recipient}, min(terms.purposes))
    denied = [p for p in usual.provisions if p.type is ProvisionType.DENY]
    return replace(usual, provisions=(*provisions.read_back(rows), *denied))


def _client(
    patient: Patient,
    client: Client,
    allowed: tuple[Provision, ...],
    scopes: Sequence[Scope] | None,
    now: datetime,
    missing: Reason | None,
) -> Requester:
    return Requester(
        actor=f"Client/{client.client_id}",
        role="client",
        patient_id=patient.pk,
        identities=dict(patient.identities.values_list("source", "fhir_id")),
        facts=organisation.Facts(
            role="client",
            relationship="none",
            active=bool(patient.user and patient.user.is_active),
            clientStatus=client.status,
            purpose=Purpose.PATRQT,
            testPatient=patient.is_test,
        ),
        provisions=(*allowed, *_limits(patient)),
        now=now,
        actors=frozenset({f"Client/{client.client_id}"}),
        valuesets=valuesets.current_release(),
        scopes=tuple(scopes) if scopes is not None else None,
        missing=missing,
        client=f"Client/{client.client_id}",
    )


def _limits(patient: Patient) -> list[Provision]:
    """What the patient asked to be kept from everyone, as far as it was agreed to."""
    standing: QuerySet[ConsentVersion] = ConsentVersion.objects.filter(
        consent__patient=patient,
        consent__kind=Consent.Kind.RESTRICTION,
        consent__status=Consent.Status.ACTIVE,
        number=F("consent__current_number"),
    )
    found = (p for version in standing for p in provisions.read_back(version.provisions))
    return [p for p in found if p.type is ProvisionType.DENY]


def _scopes_of(consent: Consent) -> tuple[Scope, ...] | None:
    now = timezone.now()
    mine = {"authorization_id": consent.pk}
    texts = [
        *Grant.objects.filter(**mine, expires__gt=now).values_list("scope", flat=True),
        *AccessToken.objects.filter(**mine, expires__gt=now).values_list("scope", flat=True),
        *RefreshToken.objects.filter(**mine, revoked=None, expires_at__gt=now).values_list(
            "scope", flat=True
        ),
    ]
    return tuple(Scope.parse_all(" ".join(texts))) if texts else None


def _access(requester: Requester, code: str, item: Item) -> Access:
    return Access(
        code,
        item.resource_type,
        at=requester.now,
        purpose=requester.purpose,
        categories=frozenset(item.categories),
        actors=requester.actors,
        security_labels=item.labels,
        codings=item.codings,
        contents=item.contents,
    )


def _beforehand(requester: Requester, code: str, kind: str) -> Access:
    return Access(
        code,
        kind,
        at=requester.now,
        purpose=requester.purpose,
        categories=categories_of_scope(kind),
        actors=requester.actors,
        beforehand=True,
    )


def _patient(patient: Patient, found: Collection[Consent], asked: Asked) -> Iterator[Viewer]:
    if patient.user is not None:
        own = authority.for_own_record(patient.user, patient, timezone.now())
        yield Viewer(kind=Kind.PATIENT, reference=own.actor, name=patient.name, decision=asked(own))


def _apps(patient: Patient, found: Collection[Consent], asked: Asked) -> Iterator[Viewer]:
    for consent in found:
        if consent.kind == Consent.Kind.APP and consent.client:
            requester = of_consent(consent)
            yield Viewer(
                kind=Kind.APP,
                reference=requester.client,
                name=consent.client.name,
                decision=asked(requester),
                consent=consent,
            )


def _helpers(patient: Patient, found: Collection[Consent], asked: Asked) -> Iterator[Viewer]:
    for consent in found:
        if consent.kind == Consent.Kind.HELPER and consent.helper:
            user = consent.helper.user
            yield Viewer(
                kind=Kind.HELPER,
                reference=f"RelatedPerson/{consent.helper_id}",
                name=user.name,
                decision=asked(authority.for_helper(user, patient)),
                consent=consent,
            )


def _shares(patient: Patient, found: Collection[Consent], asked: Asked) -> Iterator[Viewer]:
    for consent in found:
        if consent.kind == Consent.Kind.SHARE:
            rows = provisions.read_back(consent.current.provisions)
            purposes = {purpose for row in rows for purpose in row.purposes} or {Purpose.TREAT}
            yield Viewer(
                kind=Kind.SHARE,
                reference=consent.recipient,
                decision=_for_any(patient, {consent.recipient}, purposes, asked),
                consent=consent,
            )


def _care_team(patient: Patient, found: Collection[Consent], asked: Asked) -> Iterator[Viewer]:
    """A clinician who treats, whoever they are: what was kept from one of them by name does not show here."""
    somebody = User(is_active=True)
    requester = authority.for_clinician(somebody, patient, timezone.now(), treats=True)
    yield _with_choice(Kind.CARE_TEAM, TREATMENT, asked(requester), found)


def _uses(patient: Patient, found: Collection[Consent], asked: Asked) -> Iterator[Viewer]:
    for directive in directives().values():
        if directive.code != TREATMENT:
            decision = _for_any(patient, (), directive.purposes, asked)
            yield _with_choice(Kind.USE, directive.code, decision, found)


def _for_any(patient: Patient, actors: Collection[str], purposes: Collection[str], asked: Asked) -> Decision:
    """The decision for the first of the purposes that lets these actors in."""
    ordered = sorted(purposes)
    decisions = [asked(authority.for_other_system(patient.pk, actors, purpose)) for purpose in ordered]
    return next((decision for decision in decisions if decision.permitted), decisions[0])


def _with_choice(kind: Kind, directive: str, decision: Decision, found: Collection[Consent]) -> Viewer:
    choice = next((consent for consent in found if consent.directive == directive), None)
    said = provisions.read_back(choice.current.provisions) if choice else ()
    return Viewer(
        kind=kind,
        reference=directive,
        decision=decision,
        consent=choice,
        chosen=any(p.type is ProvisionType.PERMIT for p in said) if choice else None,
    )
