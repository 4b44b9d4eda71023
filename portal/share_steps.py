"""Share with a doctor, a clinic or a person: the questions, one a page, and what the answers make.

Answers are those of a draft (`portal.drafts`), as JSON: `recipient` (FHIR reference) and `name`; `what`
("all" or "choose") and `categories`; of all kinds those `without` which it is; `private` ("none" or "choose")
and the `topics` that go along; `days` (a number, or "keep"); `consent`, the sharing that is changed; and
`shown`, what the last page said when it was last looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

from django.utils import timezone

from accounts.models import Patient
from consent.decision import Provision, ProvisionType
from consent.fhir import Terms, left_out
from consent.models import Consent
from consent.provisions import read_back
from consent.vocabulary import TOPICS, Category, Purpose
from portal.consent_facts import OPEN
from portal.recipients import NAMED

PERIODS = (30, 90, 365)  # days; nothing longer is on offer
KEEP = "keep"  # as long as the sharing that is changed
# Of a record; who else may see it is no concern of theirs.
ALL = tuple(category.value for category in Category if category is not Category.PRIVACY)
PURPOSES = frozenset({Purpose.TREAT})


class Step(StrEnum):
    """The questions, in their order; also the last part of their addresses."""

    WHO = "who"
    WHAT = "what"
    LEAVE_OUT = "leave-out"
    HOW_LONG = "how-long"
    CHECK = "check"


# What a question has answered once it was.
ANSWER_OF = {Step.WHO: "recipient", Step.WHAT: "what", Step.LEAVE_OUT: "private", Step.HOW_LONG: "days"}


def first_open(answers: Mapping[str, Any]) -> Step:
    """The first question that has no answer; the check once all have one."""
    return next((step for step, name in ANSWER_OF.items() if name not in answers), Step.CHECK)


def categories_of(answers: Mapping[str, Any]) -> frozenset[str]:
    """The kinds of record that were chosen."""
    if answers.get("what") == "all":
        return frozenset(ALL) - set(answers.get("without", ()))
    return frozenset(answers.get("categories", ()))


@dataclass(frozen=True, slots=True)
class Choice:
    """All that was answered, for the last page and for the consent."""

    recipient: str
    name: str
    terms: Terms


def choice_of(answers: Mapping[str, Any], now: datetime, kept_until: datetime | None) -> Choice | None:
    """None where a question is open, or what is to be kept has ended. `kept_until`: when it ends."""
    if first_open(answers) is not Step.CHECK:
        return None
    end = kept_until if answers["days"] == KEEP else until(now, int(answers["days"]))
    chosen = categories_of(answers)
    if end is None or end <= now or not chosen:
        return None
    topics = answers.get("topics", ()) if answers["private"] == "choose" else ()
    labels = frozenset().union(*(t.labels for t in TOPICS if t.code in topics))
    terms = Terms(
        categories=[category for category in Category if category in chosen],
        labels=labels,
        start=now,
        until=end,
        purposes=PURPOSES,
    )
    return Choice(answers["recipient"], answers["name"], terms)


def until(now: datetime, days: int) -> datetime:
    """The last second of that day, where the person is: every page that shows the end shows that day."""
    day = timezone.localdate(now) + timedelta(days=days)
    return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))


def standing(patient: Patient, recipient: str) -> Consent | None:
    """The sharing with this recipient that a new one would take the place of."""
    return patient.consents.filter(kind=Consent.Kind.SHARE, recipient=recipient, status__in=OPEN).first()


def can_change(consent: Consent) -> bool:
    """Whether these questions can say all that a sharing says, so that a change makes it no wider."""
    kind, _, _ = consent.recipient.partition("/")
    if consent.kind != Consent.Kind.SHARE or kind not in NAMED or consent.status == Consent.Status.PROPOSED:
        return False
    found = read_back(consent.current.provisions)
    return len(found) == 1 and _is_plain(found[0])


def answers_of(consent: Consent, name: str) -> dict[str, Any]:
    """The answers that would make this sharing again, if `can_change`. One that has ended needs a new end."""
    permit = consent.current.permit
    topics = [topic.code for topic in TOPICS if topic.labels <= permit.security_labels]
    answers: dict[str, Any] = {
        "recipient": consent.recipient,
        "name": name,
        "what": "choose",
        "categories": [category for category in ALL if category in permit.categories],
        "private": "choose" if topics else "none",
        "topics": topics,
        "consent": str(consent.pk),
    }
    return answers | ({"days": KEEP} if end_of(consent) else {})


def end_of(consent: Consent | None) -> datetime | None:
    """When a sharing ends that holds now; None where there is none."""
    end = consent.period_end if consent and consent.status in OPEN else None
    return end if end and end > timezone.now() else None


def _is_plain(permit: Provision) -> bool:
    """A permit for kinds of record and private topics, and nothing finer."""
    labels = frozenset().union(*(topic.labels for topic in TOPICS if topic.labels <= permit.security_labels))
    usual = Provision(
        permit.id,
        ProvisionType.PERMIT,
        period_start=permit.period_start,
        period_end=permit.period_end,
        actors=permit.actors,
        purposes=PURPOSES,
        categories=permit.categories & set(ALL),
        security_labels=labels,
        redacts=frozenset(left_out(permit.categories)),
    )
    return permit == usual and bool(permit.categories)
