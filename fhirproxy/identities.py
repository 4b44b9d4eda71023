"""A patient's record at another EHR: looked for, joined, parted, and followed where the EHR merged it.

The EHR is asked outside of the transaction that joins; what it said stands in an `IdentityMatch` as
codes, never as values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts import identities, matching
from accounts.identities import Refused
from accounts.matching import Candidate, Comparison, Demographics, Verdict
from accounts.models import IdentityMatch, Patient, PatientIdentity
from audit.events import EventType
from consent.merging import change_identities, pause_for_new_records
from fhirproxy import asking, deaths
from fhirproxy.messages import Params
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure

if TYPE_CHECKING:
    from accounts.models import User

MOST = 50  # candidates of one question; more say that it was not a question about one person
MOST_IDENTIFIERS = 10
Status, Method = IdentityMatch.Status, IdentityMatch.Method


@dataclass(frozen=True, slots=True)
class Found:
    verdict: Verdict
    candidates: tuple[Comparison, ...]
    partial: bool = False  # the EHR did not answer each question: there may be more

    def of(self, fhir_id: str) -> Comparison | None:
        return next((c for c in self.candidates if c.candidate.fhir_id == fhir_id), None)


def find(actor: "User | None", patient: Patient, slug: str, *, keep: bool = True) -> Found:
    """Ask a source who the patient could be there; keep proposals unless told not to.

    The question itself always stands in the log. Raises Refused, and EhrFailure where an EHR is down; of
    one that does not answer some of the questions, what it did answer.
    """
    source = _source(actor, patient, slug)
    ours = known(patient, but_not=slug)
    candidates, partial = _candidates(source, ours)
    verdict, compared = matching.judge(ours, candidates)
    with transaction.atomic():
        if keep:
            identities.propose(patient, slug, compared, by=actor)
        identities.log(
            EventType.IDENTITY_FIND,
            patient,
            f"Source/{slug}",
            by=actor,
            verdict=verdict,
            candidates=sum(c.verdict is not Verdict.NONE for c in compared),
            partial=int(partial),
        )
    return Found(verdict, compared, partial)


def link(actor: "User | None", patient: Patient, slug: str, fhir_id: str, reason: str) -> PatientIdentity:
    """Join a record to the patient's. The EHR is asked again: evidence of yesterday is none.

    Without a privacy or administrator role only a match is joined, and only where the EHR answered each
    question; what is ambiguous by nobody. All that the patient shares is paused: docs/adr/0010. Raises
    Refused, which stands in the log, and EhrFailure.
    """
    try:
        _source(actor, patient, slug)
        identities.check_free(patient, slug, fhir_id)
        _check_decided(actor, patient, slug, fhir_id)
        found = find(actor, patient, slug)
        method = _method(actor, found.of(fhir_id), partial=found.partial)
        return _join(actor, patient, slug, fhir_id, method, reason)
    except Refused as error:
        _refuse(EventType.IDENTITY_LINK, actor, patient, slug, error)
        raise


def unlink(actor: "User", identity: PatientIdentity, reason: str) -> None:
    """Undo a link: the row ends, and open pages of the record with it. Raises Refused."""
    if not identities.may_decide(actor):
        error = Refused("role.not-allowed", "Only privacy staff and administrators undo a link.")
        _refuse(EventType.IDENTITY_UNLINK, actor, identity.patient, identity.source, error)
        raise error
    with transaction.atomic():
        change_identities(identity.patient_id)
        identities.end(PatientIdentity.ever.get(pk=identity.pk), by=actor, reason=reason)


def refuse(actor: "User", match: IdentityMatch, reason: str) -> None:
    """Say that a proposed record is not theirs. Raises Refused."""
    if not identities.may_decide(actor):
        raise Refused("role.not-allowed", "Only privacy staff and administrators decide on a record.")
    with transaction.atomic():
        match = IdentityMatch.objects.select_for_update().get(pk=match.pk)
        if match.status != Status.PROPOSED:
            raise Refused("identity.decided", "This was decided already.")
        identities.settle(match, Status.REFUSED, by=actor, reason=reason)
        identities.log(
            EventType.IDENTITY_LINK,
            match.patient,
            f"Source/{match.source}",
            by=actor,
            refused="identity.evidence",
        )


def survivor(identity: PatientIdentity) -> str:
    """The id of the record into which the EHR merged this one; empty where it lives. Raises EhrFailure."""
    source = Source.objects.get(slug=identity.source)
    here = read(source, identity.fhir_id)
    return here.replaced_by if here and not here.active else ""


def follow(actor: "User | None", identity: PatientIdentity, reason: str) -> PatientIdentity:
    """Move an identity to the record that survived at the EHR, once that one was matched.

    What the EHR says of the merge is one more sign, and no proof: the survivor must be this patient by
    itself, or a member of staff says so. Raises Refused and EhrFailure.
    """
    patient, slug = identity.patient, identity.source
    try:
        into = survivor(identity)
        if not into or into == identity.fhir_id:
            raise Refused("identity.lives", "The EHR has not merged this record into another.")
        _check_decided(actor, patient, slug, into)
        found = find(actor, patient, slug)
        _method(actor, found.of(into) or _survivor_alone(patient, slug, into), partial=found.partial)
        with transaction.atomic():
            change_identities(identity.patient_id)
            identity = PatientIdentity.ever.get(pk=identity.pk)  # the EHR took its time
            if identity.ended_at is not None:
                raise Refused("identity.decided", "This link was undone a moment ago.")
            identities.end(identity, by=actor, reason=reason)
            moved = _begin(actor, patient, slug, into, Method.SURVIVOR, reason)
            pause_for_new_records(patient, actor)
            return moved
    except Refused as error:
        _refuse(EventType.IDENTITY_LINK, actor, patient, slug, error)
        raise


def known(patient: Patient, *, but_not: str = "") -> Demographics:
    """What our row and the EHRs say of a patient. `but_not` is the slug of the source that is asked."""
    email = patient.user.email if patient.user else ""
    all_of_it = matching.of_person(patient.name, patient.birth_date.isoformat(), email=email)
    for identity in patient.identities.exclude(source=but_not):
        if here := read(Source.objects.get(slug=identity.source), identity.fhir_id):
            all_of_it = all_of_it.and_also(here.known)
    return all_of_it


def read(source: Source, fhir_id: str) -> Candidate | None:
    """A Patient at a source; None where there is none. Raises EhrFailure."""
    answer = asking.ask(source, f"Patient/{fhir_id}")
    if answer.status in (404, 410):
        return None
    if answer.status != 200:
        raise asking.failed(source, answer)
    resource = asking.decode(answer.body)
    if known := PatientIdentity.objects.filter(source=source.slug, fhir_id=fhir_id).first():
        deaths.look(resource, known.patient_id, source.slug)
    return matching.of_resource(resource)


def _source(actor: "User | None", patient: Patient, slug: str) -> Source:
    source = Source.objects.filter(slug=slug).first()
    if source is None:
        names = ", ".join(Source.objects.order_by("slug").values_list("slug", flat=True))
        raise Refused("identity.source", f"There is no EHR of that name. There are: {names or 'none'}.")
    if patient.merged_into_id:
        raise Refused("identity.merged", "This patient was merged into another. Ask for that one.")
    return source


def _candidates(source: Source, ours: Demographics) -> tuple[list[Candidate], bool]:
    """(whom the EHR has, whether a question is open). Raises EhrFailure where all of them are."""
    found: dict[bytes, Candidate] = {}
    questions, failures = list(_questions(ours)), list[EhrFailure]()
    for query in questions:
        try:
            answers = list(islice(asking.pages(source, "Patient", (*query, ("_count", str(MOST)))), MOST + 1))
        except EhrFailure as error:  # not every EHR takes every search
            failures.append(error)
            continue
        if len(answers) > MOST:
            raise Refused("identity.many", f"{source.name} has too many people who could be meant.")
        for body in answers:
            resource = asking.decode(body)
            if resource.get("resourceType") == "Patient":
                found[body] = matching.of_resource(resource)
    if failures and len(failures) == len(questions):
        raise failures[-1]
    return list(found.values()), bool(failures)


def _questions(ours: Demographics) -> Iterator[Params]:
    """By birth date and name, then by the name whatever the date, then by each identifier."""
    families = sorted({name.split()[-1] for name in ours.names})
    for family in families:
        yield from ((("birthdate", day), ("family", family)) for day in sorted(ours.birth_dates))
    for name in sorted(ours.names):
        given, *_, family = name.split() if " " in name else (name, name)
        yield ("family", family), ("given", given)
        yield from ((("birthdate", day), ("given", given)) for day in sorted(ours.birth_dates))
    for system, value in sorted(ours.identifiers)[:MOST_IDENTIFIERS]:
        yield (("identifier", f"{system}|{value}"),)


def _survivor_alone(patient: Patient, slug: str, into: str) -> Comparison | None:
    """The survivor held against what other sources say, where a search does not find it."""
    here = read(Source.objects.get(slug=slug), into)
    if here is None:
        return None
    return matching.judge(known(patient, but_not=slug), [here])[1][0]


def _check_decided(actor: "User | None", patient: Patient, slug: str, fhir_id: str) -> None:
    """A match makes nothing of what a person decided. Raises Refused."""
    decided = patient.matches.filter(source=slug, fhir_id=fhir_id, decided_by__isnull=False)
    last = decided.exclude(status=Status.PROPOSED).order_by("-decided_at").first()
    if last and last.status != Status.LINKED and not identities.may_decide(actor):
        told = "The privacy staff said that it is not theirs. One of them must say that it is."
        raise Refused("identity.evidence", told)


def _method(actor: "User | None", one: Comparison | None, *, partial: bool) -> str:
    """How a candidate may be joined. Raises Refused where it may not."""
    if one is None or one.verdict is Verdict.NONE:
        raise Refused("identity.evidence", "The EHR has no such record that could be this patient's.")
    if one.verdict is Verdict.AMBIGUOUS:
        raise Refused(
            "identity.ambiguous", "Two records could be this patient's. Have the EHR settle it first."
        )
    if one.candidate.replaced_by:
        raise Refused("identity.replaced", "The EHR merged that record away. Join the one that survived.")
    if one.verdict is Verdict.MATCH and not partial:
        return Method.AUTOMATIC
    if not identities.may_decide(actor):
        raise Refused("identity.evidence", "A person of the privacy staff must look at this one.")
    return Method.PERSON


def _join(
    actor: "User | None", patient: Patient, slug: str, fhir_id: str, method: str, reason: str
) -> PatientIdentity:
    with transaction.atomic():
        change_identities(patient.pk)
        identity = _begin(actor, Patient.objects.get(pk=patient.pk), slug, fhir_id, method, reason)
        pause_for_new_records(identity.patient, actor)
        return identity


def _begin(
    actor: "User | None", patient: Patient, slug: str, fhir_id: str, method: str, reason: str
) -> PatientIdentity:
    identities.check_free(patient, slug, fhir_id)
    match = patient.matches.filter(source=slug, fhir_id=fhir_id, status=Status.PROPOSED).first()
    match = match or IdentityMatch(
        patient=patient, source=slug, fhir_id=fhir_id, verdict=Verdict.PERSON, made_by=actor
    )
    try:
        with transaction.atomic():
            return identities.begin(match, by=actor, method=method, reason=reason)
    except IntegrityError as error:  # another patient was joined to it in this moment
        raise Refused("identity.taken", "That record was joined to another patient a moment ago.") from error


def _refuse(event: EventType, actor: "User | None", patient: Patient, slug: str, error: Refused) -> None:
    """An unknown source is named by nobody: the log takes names that exist."""
    exists = Source.objects.filter(slug=slug).exists()
    target = f"Source/{slug}" if exists else "Source/-"
    identities.log(event, patient, target, by=actor, refused=error.code)
