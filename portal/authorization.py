"""An app's question and a patient's answer to it, in the patient's terms.

Scopes become categories for the page, and the chosen categories become scopes again:
what is granted is within what was chosen, and what was chosen within what was asked.
"""

import html
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import Patient, RelatedPerson, User
from consent import commands
from consent.vocabulary import CATEGORY_OF_CODE, ELEMENTS_OF, TOPICS, Category, categories_of_scope
from smart import identity, launches, requests
from smart.authorizations import Authorization
from smart.models import AuthorizationRequest, Launch
from smart.resource_types import R4
from smart.scopes import SPECIAL, Scope
from smart.views import style

ONCE = 0  # days: a day and a night, and no refresh token
PERIODS = (ONCE, 30, 365)  # nothing longer is on offer


@dataclass(frozen=True, slots=True)
class Question:
    """What an app asks for."""

    scopes: tuple[str, ...]
    categories: tuple[Category, ...]  # in the order of the vocabulary
    everything: bool  # it named no kinds
    can_write: bool
    offline: bool  # it wants to go on while the person is away
    online: bool  # or as long as they are signed in
    identity: bool  # it wants to know who signed in

    @classmethod
    def of(cls, asked: AuthorizationRequest) -> "Question":
        texts = asked.parameters["scope"].split()
        clinical = list(Scope.parse_all(asked.parameters["scope"]))
        reached = frozenset().union(*(_reach(s, s.resource_type) for s in clinical))
        return cls(
            scopes=tuple(texts),
            categories=tuple(category for category in Category if category in reached),
            everything=any(s.resource_type == "*" for s in clinical),
            can_write=any(s.writes for s in clinical),
            offline="offline_access" in texts,
            online="online_access" in texts and "offline_access" not in texts,
            identity=bool({"openid", "fhirUser", "profile"} & set(texts)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the person chose."""

    categories: frozenset[Category]
    topics: frozenset[str] = frozenset()
    can_write: bool = False
    days: int = ONCE


def granted_scopes(question: Question, answer: Answer) -> list[str]:
    """The scopes of a question that an answer allows, as the app wrote them where nothing was taken away."""
    kept: list[str] = []
    for text in question.scopes:
        if text in SPECIAL:
            kept += [text] if text != "offline_access" or answer.days != ONCE else []
            continue
        scope = Scope.parse(text)
        allowed = scope if answer.can_write or not scope.writes else scope.without_writes()
        parts = list(_narrowed(allowed, answer.categories)) if allowed else []
        kept += [text] if parts == [scope] else [str(part) for part in parts]
    return list(dict.fromkeys(kept))


def _narrowed(scope: Scope, chosen: Collection[Category]) -> Iterator[Scope]:
    """The parts of a scope that stay within the chosen categories.

    A type that is only partly chosen is granted code by code; what has no code there
    cannot be told apart, and is left out. Parts of a record (ELEMENTS_OF) take nothing from a scope:
    the gate leaves those elements out of what it sends.
    """
    whole = frozenset(chosen) | frozenset(ELEMENTS_OF)
    if _reach(scope, scope.resource_type) <= whole:
        yield scope
        return
    for resource_type in sorted(R4) if scope.resource_type == "*" else [scope.resource_type]:
        one = replace(scope, resource_type=resource_type)
        if _reach(one, resource_type) <= whole:
            yield one
            continue
        for (system, code), category in CATEGORY_OF_CODE.get(resource_type, {}).items():
            coding = f"{system}|{code}"
            if category in chosen and one.admits([coding]):
                yield replace(one, params=(("category", coding),))


def _reach(scope: Scope, resource_type: str) -> frozenset[Category]:
    """Every category of which the scope could reach something."""
    reached = categories_of_scope(resource_type)
    for _, value in scope.params:
        tokens = (categories_of_scope(resource_type, token) for token in value.split(","))
        reached &= frozenset().union(*tokens)
    return reached


def until(asked: AuthorizationRequest, days: int) -> datetime:
    """When a sharing of so many days ends: at the end of that day, where the person is.

    It counts from the moment the app asked, so that the page and the consent say the same.
    """
    if days == ONCE:
        return asked.created_at + timedelta(days=1)
    day = timezone.localdate(asked.created_at) + timedelta(days=days)
    # The last second of the day that was named, so that every page that shows the end shows that day.
    return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session that answers: whose it is, and how that person signed in."""

    user: User
    key: str
    authenticated_at: datetime
    amr: tuple[str, ...] = ()  # RFC 8176

    @property
    def acr(self) -> str:
        return identity.acr_of(self.amr)


@transaction.atomic
def share(
    asked: AuthorizationRequest, *, session: Session, patient: Patient, answer: Answer, launch: Launch | None
) -> str:
    """Record the consent and answer the app, or neither. Returns where to send the person."""
    question = Question.of(asked)
    categories = answer.categories & set(question.categories)
    can_write = answer.can_write and question.can_write
    answer = replace(answer, categories=categories, can_write=can_write)
    consent = commands.grant(
        patient=patient,
        client=asked.client,
        categories=categories,
        labels=_labels(answer.topics),
        until=until(asked, answer.days),
        by=session.user,
        channel="smart",
        text_shown=asked.text_shown,
        language=asked.text_language,
        can_write=can_write,
    )
    assert consent.period_end is not None  # an app's always ends
    given = _given(consent.id, consent.period_end, session, patient, launch)
    return requests.accept(asked, user=session.user, scopes=granted_scopes(question, answer), given=given)


@transaction.atomic
def open_as_staff(
    asked: AuthorizationRequest,
    *,
    session: Session,
    patient: Patient,
    launch: Launch | None,
    helper: RelatedPerson | None = None,
) -> str:
    """Let a clinician's or a helper's app in, to read what they may read. Returns where to send them."""
    allowed = launches.authorize_staff(
        user=session.user,
        client=asked.client,
        patient=patient,
        helper=helper,
        text=asked.text_shown,
        language=asked.text_language,
    )
    given = _given(allowed.id, allowed.ends_at, session, patient, launch)
    return requests.accept(asked, user=session.user, scopes=scopes_of_staff(asked), given=given)


def scopes_of_staff(asked: AuthorizationRequest) -> list[str]:
    """What of a question a clinician's app gets: no writing, and nothing once they have gone home."""
    kept: list[str] = []
    for text in asked.parameters["scope"].split():
        if text in SPECIAL:
            kept += [text] if text != launches.OFFLINE else []
            continue
        scope = Scope.parse(text)
        reading = scope.without_writes()
        kept += [text] if reading == scope else [str(reading)] if reading else []
    return list(dict.fromkeys(kept))


def _given(
    authorization_id: UUID, ends_at: datetime, session: Session, patient: Patient, launch: Launch | None
) -> Authorization:
    """With the launch context. The app has the whole window, so it must say whose record it shows."""
    told = {"need_patient_banner": True, "smart_style_url": style.url()}
    return Authorization(
        id=authorization_id,
        patient=patient,
        ends_at=ends_at,
        authenticated_at=session.authenticated_at,
        launch=told | (launch.context if launch else {}),
        session_key=session.key,
        acr=session.acr,
        amr=session.amr,
    )


def _labels(topics: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(topic.labels for topic in TOPICS if topic.code in topics))


BLOCK_ENDS = re.compile(r"</(?:p|li|h\d|legend|label|summary|button|dt|dd)>|<br>")


def text_of(page: str) -> str:
    """The words of a piece of HTML, a line for each block, as a consent keeps them."""
    lines = strip_tags(BLOCK_ENDS.sub("\n", page.replace("\n", " "))).split("\n")
    return "\n".join(line for line in (" ".join(html.unescape(part).split()) for part in lines) if line)
