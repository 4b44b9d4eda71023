"""Acting for somebody else: whose record a page is about stands in its address and in the session.

A page for the own record is at /results/, one for Tom at /for/<id>/results/, where the id is that of the
relationship. Every link and form of a page is made with the same prefix, so that an old tab still says
for whom it is, whatever it sends. The session has one such id, or none; where the two differ, nothing is
shown or done (ADR 16).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix, set_script_prefix
from django.utils.functional import Promise

from accounts import sessions
from accounts.models import RelatedPerson, User

Handler = Callable[[HttpRequest], HttpResponse]
ADDRESS = re.compile(r"/for/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=/)")
KEY = "portal.acting"  # of the session: the relationship's id, as text
SEEN = "portal.acting.seen"  # of the session: those whose rules were shown in it
# What is nobody's page, or how the helper signs in themself, and so never below /for/.
NOT_BELOW = re.compile(
    r"/(fhir|shl|o|admin|cds-services|healthz|\.well-known|for|settings|accounts(?!/(login|logout)/))(/|$)"
)
# The name of whom the page being made is about; empty for the reader's own.
about: ContextVar[str] = ContextVar("about", default="")


class Withheld(Exception):
    """A helper opened a page of which nothing is for them: the gate said no to all of it."""


def subject_in_address(get_response: Handler) -> Handler:
    """Middleware: take the subject off the address, and put it before every address of the answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        match = ADDRESS.match(request.path_info)
        if match is None or NOT_BELOW.match(request.path_info[match.end() :]):
            return get_response(request)
        request.acting_for = UUID(match[1])  # type: ignore[attr-defined]
        request.path_info = request.path_info[match.end() :]
        with prefixed(request.acting_for):  # type: ignore[attr-defined]
            return get_response(request)

    return middleware


@contextmanager
def prefixed(relation_id: UUID | None) -> Iterator[None]:
    """In here addresses are made for that relationship; for None, for the own record."""
    before = get_script_prefix()
    set_script_prefix(f"/for/{relation_id}/" if relation_id else "/")
    try:
        yield
    finally:
        set_script_prefix(before)


@contextmanager
def speaking_of(name: str) -> Iterator[None]:
    """In here pages speak of that person, and not to the reader."""
    token = about.set(name)
    try:
        yield
    finally:
        about.reset(token)


def voice(own: str | Promise, other: str | Promise) -> str | Promise:
    """The words for one's own record, or those for somebody else's."""
    return other if about.get() else own


def in_address(request: HttpRequest) -> UUID | None:
    return getattr(request, "acting_for", None)


def in_session(request: HttpRequest) -> UUID | None:
    value = request.session.get(KEY)
    return UUID(value) if value else None


def begin(request: HttpRequest, relation: RelatedPerson) -> None:
    """From now on this session acts for that patient."""
    request.session[KEY] = str(relation.pk)
    request.session[SEEN] = sorted({*request.session.get(SEEN, []), str(relation.pk)})
    sessions.renew(request)


def end(request: HttpRequest) -> None:
    """Back to the own record."""
    if request.session.pop(KEY, None):
        sessions.renew(request)


def relation_of(user: User, relation_id: UUID | None) -> RelatedPerson | None:
    """One of the relationships in which this person is the helper, whatever became of it."""
    if relation_id is None:
        return None
    return RelatedPerson.objects.filter(pk=relation_id, user=user).select_related("patient").first()


def conflict(request: HttpRequest, user: User) -> HttpResponse | None:
    """The page for a tab that is about somebody else than this session acts for; None where they agree."""
    wanted, now = in_address(request), in_session(request)
    if wanted == now:
        return None
    known, current = relation_of(user, wanted), relation_of(user, now)
    with prefixed(now if current else None):
        context = {
            "now": current,
            "wanted": known,
            "wants_own": wanted is None,
            "next": request.path_info if request.method == "GET" else "/",
        }
        return render(request, "portal/acting_conflict.html", context, status=409)
