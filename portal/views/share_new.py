"""Share with a doctor, a clinic or a person: one question a page, kept as a draft until the last."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consent import versions
from consent.models import Consent
from portal import consent_facts, drafts, recipients, share_steps
from portal.guards import PatientRequest, patient_required
from portal.loading import needs_records
from portal.models import Draft
from portal.pages import page
from portal.share_forms import MOST, HowLongForm, LeaveOutForm, WhatForm, WhoForm
from portal.share_steps import ANSWER_OF, Step

FORMS: dict[Step, type[forms.Form]] = {
    Step.WHO: WhoForm,
    Step.WHAT: WhatForm,
    Step.LEAVE_OUT: LeaveOutForm,
    Step.HOW_LONG: HowLongForm,
}
READS = ("CareTeam", "Encounter", "Appointment", "ServiceRequest")


@page("share-new", reads=READS)
@require_http_methods(["GET", "POST"])
@patient_required
@needs_records
def new(request: PatientRequest) -> HttpResponse:
    """The first question. Nothing is kept before it has an answer."""
    return _question(request, Step.WHO, None)


@page("share-step", reads=(*READS, "Draft"))
@require_http_methods(["GET", "POST"])
@patient_required
@needs_records
def step(request: PatientRequest, draft_id: UUID, step: str) -> HttpResponse:
    draft = draft_of(request, draft_id)
    if step not in ANSWER_OF:
        raise Http404
    if draft.outcome:
        return to_what_was_shared(draft)
    return _question(request, Step(step), draft)


@require_GET
@patient_required
def go_on(request: PatientRequest, draft_id: UUID) -> HttpResponse:
    """To the first question that is open."""
    draft = draft_of(request, draft_id)
    return to_what_was_shared(draft) if draft.outcome else to_next(draft)


@require_POST
@patient_required
def again(request: PatientRequest, consent_id: UUID) -> HttpResponse:
    """Change a sharing, or share again after its end: the questions, with what it says as answers."""
    consent = get_object_or_404(request.patient.consents, pk=consent_id, kind=Consent.Kind.SHARE)
    if not share_steps.can_change(consent):
        text = pgettext("share.not_here", "You cannot change this here. Stop it, then share again.")
        messages.warning(request, text)
        return redirect("portal:share", consent.pk)
    return to_next(_begin(request, share_steps.answers_of(consent, name_of(request, consent))))


@require_POST
@patient_required
def throw_away(request: PatientRequest, draft_id: UUID) -> HttpResponse:
    drafts.discard(draft_of(request, draft_id))
    messages.success(request, pgettext("draft.gone", "We threw it away. Nothing was shared."))
    return redirect("portal:sharing")


def draft_of(request: PatientRequest, draft_id: UUID) -> Draft:
    mine = drafts.find(owner=request.user, patient=request.patient, form=Draft.Form.SHARE)
    return get_object_or_404(mine, pk=draft_id)


def _question(request: PatientRequest, step: Step, draft: Draft | None) -> HttpResponse:
    """One question: looked at, answered, looked for a name in, or left for later."""
    do = request.POST.get("do", "")
    answers = drafts.answers_of(draft) if draft else {}
    names = _names(request, answers) if step is Step.WHO else {}
    is_answer = request.method == "POST" and do != "find"
    form = FORMS[step](request.POST if is_answer else None, initial=answers | _looked_for(request))
    _offer(request, form, answers, names, whole=is_answer)
    if is_answer and (form.is_valid() or do == "later"):
        draft = _save(request, draft, form, names)
        return leave_for_later(request, draft) if do == "later" else to_next(draft)
    _offer(request, form, answers, names)
    context = {
        "form": form,
        "number": list(Step).index(step) + 1,
        "total": len(Step),
        "name": answers.get("name", ""),
        "draft": draft,
        "names": names,
        "others": [] if draft else _others(request),
    }
    template = f"portal/share_{step.name.lower()}.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _names(request: PatientRequest, answers: dict[str, Any]) -> dict[str, str]:
    """Whom they can choose, by FHIR reference; whoever is chosen stays among them."""
    chosen = {answers["recipient"]: answers["name"]} if "recipient" in answers else {}
    return dict(recipients.known(request)) | chosen


def _looked_for(request: PatientRequest) -> dict[str, str]:
    return {name: request.POST[name] for name in ("words", "recipient") if name in request.POST}


def _offer(
    request: PatientRequest,
    form: forms.Form,
    answers: dict[str, Any],
    names: dict[str, str],
    *,
    whole: bool = False,
) -> None:
    """What there is to choose from. `whole`: whatever can be an answer, else what stands on the page."""
    if isinstance(form, WhoForm):
        found = names if whole else recipients.matching(names, request.POST.get("words", ""))
        form.offer(found if whole else dict(list(found.items())[:MOST]))
    elif isinstance(form, HowLongForm):
        form.offer(share_steps.end_of(changed_by(request, answers)))
    elif isinstance(form, LeaveOutForm) and answers.get("what") != "all":
        form.fields.pop("without", None)


def _others(request: PatientRequest) -> list[tuple[Draft, str]]:
    """What they began before, with the name of whom it was to be shared with."""
    waiting = drafts.unfinished(request.user, request.patient).filter(form=Draft.Form.SHARE)
    return [(draft, drafts.answers_of(draft).get("name", "")) for draft in waiting]


def _save(
    request: PatientRequest, draft: Draft | None, form: forms.Form, names: dict[str, str]
) -> Draft | None:
    """Keep what could be read of the form; where nothing could, and nothing was kept before, nothing."""
    given = {name: value for name, value in form.cleaned_data.items() if name != "words"}
    if "recipient" in given:
        given["name"] = names[given["recipient"]]
        before = drafts.answers_of(draft) if draft else {}
        if before.get("consent") and before["recipient"] != given["recipient"]:  # it changes nothing then
            given |= {"consent": None} | ({"days": None} if before.get("days") == share_steps.KEEP else {})
    if draft is None:
        return _begin(request, given) if given else None
    return drafts.save(draft, given | {"shown": None})


@transaction.atomic
def _begin(request: PatientRequest, answers: dict[str, Any]) -> Draft:
    """A draft for one recipient: the one that waits, so that a form which comes twice makes one."""
    versions.lock(request.patient.pk)
    for draft, _ in _others(request):
        if drafts.answers_of(draft).get("recipient") == answers.get("recipient"):
            return drafts.save(draft, answers | {"shown": None})
    return drafts.start(owner=request.user, patient=request.patient, form=Draft.Form.SHARE, answers=answers)


def to_next(draft: Draft | None) -> HttpResponse:
    if draft is None:
        return redirect("portal:share-new")
    step = share_steps.first_open(drafts.answers_of(draft))
    return redirect(address_of(draft, step))


def address_of(draft: Draft, step: Step) -> str:
    if step is Step.CHECK:
        return reverse("portal:share-check", args=[draft.pk])
    return reverse("portal:share-step", args=[draft.pk, step])


def leave_for_later(request: PatientRequest, draft: Draft | None) -> HttpResponse:
    if draft:
        time = date_format(timezone.localtime(draft.saved_at), "TIME_FORMAT")
        messages.success(request, pgettext("draft.saved", "Saved at {time}. Not sent yet.").format(time=time))
    return redirect("portal:sharing")


def to_what_was_shared(draft: Draft) -> HttpResponse:
    return redirect("portal:share-done", draft.outcome.removeprefix("Consent/"))


def changed_by(request: PatientRequest, answers: dict[str, Any]) -> Consent | None:
    """The sharing that these answers started from."""
    return request.patient.consents.filter(pk=answers["consent"]).first() if "consent" in answers else None


def name_of(request: PatientRequest, consent: Consent) -> str:
    return recipients.names_of(request, [consent]).get(consent.recipient) or str(
        consent_facts.name_of(consent)
    )
