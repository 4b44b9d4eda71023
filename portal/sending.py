"""From a filled-in page to a change that is on its way: one path for every form with which people send.

What somebody typed is never lost: a form that cannot go, that is left for later, or that came after the
sign-in had run out is kept under encryption, for them alone and for the same record. A form that comes
twice is sent once.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import InvalidToken
from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from accounts import kept
from fhirproxy.models import Source, WriteCommand
from fhirproxy.outcomes import Refusal
from fhirproxy.writes import bodies, commands, dispatch
from portal import drafts, records
from portal.guards import TYPED, PatientRequest
from portal.models import Draft

Status = WriteCommand.Status
LEFT_OUT = frozenset({"csrfmiddlewaretoken", "key", "whose", "do", "again", "version", "pin", "shown"})
LONGEST_DRAFT = 64_000  # characters
OLDEST = 24 * 3600  # seconds that a page can be open before it is sent
TOO_MANY = pgettext_lazy(
    "add.too_many", "Your clinic has not checked your last readings yet. Wait for it, or call your clinic."
)
NOT_TAKEN = pgettext_lazy(
    "send.not_taken", "Your clinic's system does not take this. Your words are kept. Call your clinic."
)
NOT_ALLOWED = pgettext_lazy(
    "send.not_allowed", "You may not send this for this record. Your words are kept. Call the clinic."
)
DOWN = pgettext_lazy(
    "send.down", "We could not reach your clinic just now. Your words are kept. Try again in a few minutes."
)


WORDS: Mapping[type[Exception], Promise] = {
    commands.TooManyWaiting: TOO_MANY,
    commands.InvalidResource: NOT_TAKEN,
    commands.ReadOnly: NOT_TAKEN,
    commands.NoTarget: NOT_TAKEN,
    commands.NotAllowed: NOT_ALLOWED,
    commands.WrongState: pgettext_lazy(
        "send.moved_on", "This was sent again, or taken back, before. Look at what you sent."
    ),
    Refusal: DOWN,
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent: a resource, and of a change what it changes and the version that was seen."""

    resource: Mapping[str, Any]
    target: str = ""
    version: str = ""
    origin: str = WriteCommand.Origin.REMEMBERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page with a form. `about`: which of its kind, so that its draft is found again.

    `make_form(data, files, initial)`; `make(form, when it was written)`; `read_back` is what a change that
    was sent before puts into the form.
    """

    form: str  # Draft.Form
    template: str
    make_form: Callable[[Any, Any, Mapping[str, Any]], forms.Form]
    make: Callable[[forms.Form, datetime], Outgoing]
    read_back: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda resource: {}
    about: str = ""
    title: str = ""  # of a draft on Home; no fact of health
    initial: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


def fill(request: PatientRequest, sheet: Sheet) -> HttpResponse:
    """Show the page, keep what is on it, or send it."""
    draft, again = draft_of(request, sheet), _again(request)
    if request.method != "POST":
        typed = (
            _came_late(request) or typed_in(draft) or (again and sheet.read_back(bodies.read(again.resource)))
        )
        return show(
            request, sheet, sheet.make_form(None, None, {**sheet.initial, **(typed or {})}), draft, again
        )
    form = sheet.make_form(request.POST, request.FILES, sheet.initial)
    if request.POST.get("do") == "later":
        return _leave(request, keep(request, sheet, draft))
    if not form.is_valid():
        return show(request, sheet, form, keep(request, sheet, draft), again, status=422)
    return send(request, sheet, form, draft, again)


def show(
    request: PatientRequest,
    sheet: Sheet,
    form: forms.Form,
    draft: Draft | None,
    again: WriteCommand | None = None,
    *,
    status: int = 200,
    **more: object,
) -> HttpResponse:
    context = {
        "form": form,
        "draft": draft,
        "again": again,
        "key": new_key(request),
        "whose": signing.dumps(_whose(request), salt=TYPED),
        **sheet.context,
        **more,
    }
    return render(request, sheet.template, context, status=status)


def send(
    request: PatientRequest,
    sheet: Sheet,
    form: forms.Form,
    draft: Draft | None,
    again: WriteCommand | None = None,
) -> HttpResponse:
    """Of a form that is valid. Raises StaleVersion, where what it changes is another by now."""
    try:
        command = _submit(request, sheet.make(form, _written_at(request)), again)
    except commands.KeyReused:
        return render(request, "portal/add_refused.html", status=409)
    except tuple(WORDS) as error:
        form.add_error(None, str(_words(error)))
        status = error.status if isinstance(error, Refusal) else 409
        return show(request, sheet, form, keep(request, sheet, draft), again, status=status)
    if draft:
        drafts.finish(draft, f"WriteCommand/{command.pk}")
    if command.status == Status.APPROVED:
        dispatch.send(command.pk)
    return redirect("portal:add-sent", command.pk)


def _words(error: Exception) -> Promise:
    return next(words for kind, words in WORDS.items() if isinstance(error, kind))


def _submit(request: PatientRequest, sent: Outgoing, again: WriteCommand | None) -> WriteCommand:
    requester, key = records.requester_of(request), _key_of(request)
    if again:
        return commands.repropose(again, sent.resource, requester=requester, by=request.user, key=key)
    return commands.submit(
        sent.resource,
        requester=requester,
        patient=request.patient,
        author=request.user,
        channel=WriteCommand.Channel.PORTAL,
        idempotency_scope=f"portal/{request.user.pk}",
        idempotency_key=key or secrets.token_urlsafe(16),
        target=sent.target,
        base_version=sent.version,
        origin=sent.origin,
    )


def patient_id(request: PatientRequest) -> str:
    """The patient's own id in the primary EHR."""
    return records.requester_of(request).identities.get(Source.primary().slug, "")


def draft_of(request: PatientRequest, sheet: Sheet) -> Draft | None:
    """What this person began on this page about this record."""
    mine = drafts.unfinished(request.user, request.patient).filter(form=sheet.form)
    return next((d for d in mine if drafts.answers_of(d).get("about", "") == sheet.about), None)


def keep(request: PatientRequest, sheet: Sheet, draft: Draft | None) -> Draft | None:
    """The form as it came, however far it is; None where there is nothing in it."""
    typed = {name: request.POST.getlist(name) for name in request.POST if name not in LEFT_OUT}
    if not any(any(values) for values in typed.values()) or len(str(typed)) > LONGEST_DRAFT:
        return draft
    answers = {
        "about": sheet.about,
        "title": sheet.title,
        "path": request.get_full_path_info(),
        "typed": typed,
        "pin": sheet.context.get("pin", ""),
    }
    if draft:
        return drafts.save(draft, answers)
    return drafts.start(owner=request.user, patient=request.patient, form=sheet.form, answers=answers)


def typed_in(draft: Draft | None) -> dict[str, Any]:
    """As initial values of its form."""
    typed = drafts.answers_of(draft).get("typed", {}) if draft else {}
    return _initial(typed)


def _initial(typed: Mapping[str, list[str]]) -> dict[str, Any]:
    return {name: values if len(values) > 1 else values[0] for name, values in typed.items() if values}


def _leave(request: PatientRequest, draft: Draft | None) -> HttpResponse:
    if draft:
        at = date_format(timezone.localtime(draft.saved_at), "TIME_FORMAT")
        messages.success(request, pgettext("draft.saved", "Saved at {time}. Not sent yet.").format(time=at))
    return redirect("portal:add")


def new_key(request: PatientRequest) -> str:
    """Of the page that is made now: that of the form which came, so that it stays one thing."""
    return _key_of(request) or f"{secrets.token_urlsafe(16)}.{int(time.time())}"


def _key_of(request: PatientRequest) -> str:
    return request.POST.get("key", "")[:64]


def _written_at(request: PatientRequest) -> datetime:
    """When the page was opened that is sent now: the same for a form that comes twice."""
    now, (_, _, said) = time.time(), _key_of(request).rpartition(".")
    at = int(said) if said.isdigit() and len(said) < 12 else now
    return datetime.fromtimestamp(min(max(at, now - OLDEST), now), UTC)


def _again(request: PatientRequest) -> WriteCommand | None:
    """What is sent once more, changed: it was sent back, or its author took it back."""
    asked = request.POST.get("again", "") if request.method == "POST" else request.GET.get("again", "")
    if not asked:
        return None
    open_to = (Status.SENT_BACK, Status.CANCELLED)
    try:
        return get_object_or_404(request.patient.write_commands, pk=asked, status__in=open_to)
    except (ValueError, TypeError):
        return None


def _whose(request: PatientRequest) -> list[str]:
    return [str(request.user.pk), str(request.patient.pk)]


def _came_late(request: PatientRequest) -> dict[str, Any]:
    """What was on this page when the sign-in had run out: for whom it was shown to, and nobody else."""
    sealed = request.session.pop(TYPED, "")
    try:
        if not sealed or kept.path_of(sealed) != request.get_full_path():
            return {}
        form = QueryDict(kept.form_of(sealed))
        if signing.loads(form.get("whose", ""), salt=TYPED) != _whose(request):
            return {}
    except (InvalidToken, signing.BadSignature):
        return {}
    return _initial({name: form.getlist(name) for name in form if name not in LEFT_OUT})
