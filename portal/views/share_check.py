"""The last page of a sharing: all answers, what they would let be seen, and then the sharing itself."""

import hashlib
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.views.decorators.http import require_GET, require_http_methods

from accounts import stepup
from accounts.stepup import Action
from consent import commands, versions
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import TOPICS
from consent.words import CATEGORY, TOPIC
from portal import consent_facts, drafts, sees, share_steps
from portal.authorization import text_of
from portal.guards import PatientRequest, patient_required
from portal.models import Draft
from portal.pages import StepUp, page
from portal.share_steps import Choice, Step
from portal.views.share_new import (
    address_of,
    changed_by,
    draft_of,
    leave_for_later,
    name_of,
    to_next,
    to_what_was_shared,
)


@page("share-check", reads=("Draft", "Consent"), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@patient_required
def check(request: PatientRequest, draft_id: UUID) -> HttpResponse:
    """All answers at once, with what they would let be seen; then prove that it is you, and share."""
    draft = draft_of(request, draft_id)
    if draft.outcome:
        return to_what_was_shared(draft)
    if request.method == "POST" and request.POST.get("do") == "later":
        return leave_for_later(request, draft)
    choice = _choice(request, draft)
    if choice is None:
        return to_next(draft_of(request, draft_id))
    if request.method != "POST":
        return _show(request, draft, choice)
    stepup.require(request, Action.SHARE)
    return _share(request, draft) or _show(request, draft, choice, changed=True)


@page("share-done", reads=("Consent", "Organization"))
@require_GET
@patient_required
def done(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    consent = get_object_or_404(request.patient.consents, pk=consent_id, kind=Consent.Kind.SHARE)
    context = {"facts": consent_facts.facts(consent), "name": name_of(request, consent)}
    return render(request, "portal/share_done.html", context)


def _choice(request: PatientRequest, draft: Draft) -> Choice | None:
    """What was answered. None where a question is open; of a sharing that ended meanwhile "how long" is."""
    answers = drafts.answers_of(draft)
    kept_until = share_steps.end_of(changed_by(request, answers))
    if answers.get("days") == share_steps.KEEP and not kept_until:
        drafts.save(draft, {"days": None})
    return share_steps.choice_of(answers, timezone.now(), kept_until)


def _show(request: PatientRequest, draft: Draft, choice: Choice, *, changed: bool = False) -> HttpResponse:
    """The page that is agreed to, kept word for word until the answer comes."""
    before = share_steps.standing(request.patient, choice.recipient)
    context = {
        "draft": draft,
        "name": choice.name,
        "rows": _rows(draft, choice),
        "until": choice.terms.until,
        "sees": sees.of_share(request.user, request.patient, choice.recipient, choice.terms),
        "before": before,
        "paused": before is not None and before.status == Consent.Status.PAUSED,
        "number": len(Step),
        "total": len(Step),
        "changed": changed,
    }
    text = text_of(render_to_string("portal/share_check.html#question", context, request))
    language = get_language() or "en"
    shown = hashlib.sha256(f"{language}\0{text}".encode()).hexdigest()
    kept = {"text": text, "language": language, "until": choice.terms.until.isoformat(), "digest": shown}
    drafts.save(draft, {"shown": kept})
    return render(
        request, "portal/share_check.html", context | {"shown": shown}, status=409 if changed else 200
    )


def _rows(draft: Draft, choice: Choice) -> list[tuple[str, str, str]]:
    """(question, answer, where it is changed)"""
    topics = [str(TOPIC[t.code]) for t in TOPICS if t.labels <= frozenset(choice.terms.labels)]
    date = date_format(timezone.localtime(choice.terms.until), "DATE_FORMAT")
    nothing = pgettext("share.private.no", "None of them")
    return [
        (pgettext("share.row.who", "Who"), choice.name, address_of(draft, Step.WHO)),
        (
            pgettext("share.row.what", "What"),
            _what(choice, from_all=drafts.answers_of(draft)["what"] == "all"),
            address_of(draft, Step.WHAT),
        ),
        (
            pgettext("consent.topics", "Private topics"),
            ", ".join(topics) or nothing,
            address_of(draft, Step.LEAVE_OUT),
        ),
        (pgettext("share.row.until", "Until"), date, address_of(draft, Step.HOW_LONG)),
    ]


def _what(choice: Choice, *, from_all: bool) -> str:
    """The kinds of record, or what of all of them is left out."""
    chosen = set(choice.terms.categories)
    left_out = [str(CATEGORY[code]) for code in share_steps.ALL if code not in chosen]
    if from_all and left_out:
        said = pgettext("share.all_but", "All your records, but not: {list}")
        return said.format(list=", ".join(left_out))
    if from_all:
        return str(consent_facts.ALL_RECORDS)
    return ", ".join(str(CATEGORY[category]) for category in choice.terms.categories)


@transaction.atomic
def _share(request: PatientRequest, draft: Draft) -> HttpResponse | None:
    """Share what the page said, once; None where the form is not about what it said last."""
    # Before any row is held: what others read in between must stand before this in the log (ADR 2).
    versions.lock(request.patient.pk)
    draft = drafts.locked(draft)
    if draft.outcome:
        return to_what_was_shared(draft)
    shown = drafts.answers_of(draft).get("shown")
    choice = _choice(request, draft)
    if not choice or not shown or shown["digest"] != request.POST.get("shown"):
        return None
    end = datetime.fromisoformat(shown["until"])
    if end <= timezone.now():
        return None
    act = Act(by=request.user, channel="portal", text_shown=shown["text"], language=shown["language"])
    consent = commands.share(
        patient=request.patient,
        recipient=choice.recipient,
        name=choice.name,
        categories=choice.terms.categories,
        labels=choice.terms.labels,
        until=end,
        act=act,
    )
    drafts.finish(draft, f"Consent/{consent.pk}")
    return to_what_was_shared(draft)
