"""What an app would see, or sees, as a page shows it: numbers, and what stays hidden and why."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts.models import Patient, RelatedPerson, User
from consent import authority, explain
from consent.decision import Reason
from consent.fhir import Terms
from consent.models import Consent
from consent.requester import Requester
from consent.vocabulary import TOPICS
from consent.words import CATEGORY, TOPIC
from fhirproxy import preview
from fhirproxy.outcomes import Refusal
from fhirproxy.preview import Preview
from portal import authorization
from portal.authorization import Answer, Question
from smart.models import AuthorizationRequest
from smart.scopes import Scope

NOTHING = pgettext_lazy("sees.nothing", "It can see nothing now.")
WHY_NOTHING = {
    Reason.PAUSED: pgettext_lazy("sees.paused", "It can see nothing now, because you paused all sharing."),
    Reason.CLIENT_SUSPENDED: pgettext_lazy(
        "sees.suspended", "It can see nothing now, because we are checking this app."
    ),
    Reason.CLIENT_ON_TRIAL: pgettext_lazy(
        "sees.on_trial", "It can see nothing now, because nobody here has checked this app yet."
    ),
    Reason.DENIED: pgettext_lazy(
        "sees.limited", "It can see nothing now, because of a limit that you asked for."
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    name: Promise
    seen: int


@dataclass(frozen=True, slots=True)
class Sees:
    rows: list[Row]  # kinds of which something is seen
    seen: int
    hidden: int  # private items
    topics: list[tuple[Promise, int]]  # what the hidden ones are about
    limited: int
    more: bool
    most: int = preview.MOST
    nothing: str | Promise = ""  # why nothing at all is seen
    failed: bool = False  # nobody could count


FAILED = Sees([], 0, 0, [], 0, False, failed=True)


def after(user: User, consent: Consent) -> Sees:
    """What the client of a consent can see now."""
    return _count(user, consent.patient, explain.of_consent(consent))


def of_helper(user: User, relation: RelatedPerson) -> Sees:
    """What a helper can see now, by the same decision as when they look."""
    return _count(user, relation.patient, authority.for_helper(relation.user, relation.patient))


def before(user: User, patient: Patient, asked: AuthorizationRequest, answer: Answer) -> Sees:
    """What the client that asks would see after this answer."""
    question, now = Question.of(asked), timezone.now()
    categories = answer.categories & set(question.categories)
    if not categories:
        return _shown(Preview())
    terms = Terms(
        categories=categories,
        labels=frozenset().union(*(t.labels for t in TOPICS if t.code in answer.topics)),
        start=now,
        until=authorization.until(asked, answer.days),
    )
    scopes = list(Scope.parse_all(" ".join(authorization.granted_scopes(question, answer))))
    return _count(user, patient, explain.of_choice(patient, asked.client, terms, scopes))


def of_share(user: User, patient: Patient, recipient: str, terms: Terms) -> Sees:
    """What an organisation or a practitioner would see by a share with these terms alone."""
    return _count(user, patient, explain.of_share(patient, recipient, terms))


def _count(user: User, patient: Patient, other: Requester) -> Sees:
    try:
        own = authority.for_own_record(user, patient, timezone.now())
        return _shown(preview.would_see(own, other))
    except Refusal:
        return FAILED


def _shown(found: Preview) -> Sees:
    return Sees(
        rows=[Row(CATEGORY[c.category], c.seen) for c in found.counts if c.seen],
        seen=found.seen,
        hidden=found.hidden,
        topics=[(TOPIC[t.code], found.private[t.code]) for t in TOPICS if found.private[t.code]],
        limited=found.limited,
        more=found.more,
        nothing=WHY_NOTHING.get(found.reason, NOTHING) if found.reason else "",
    )
