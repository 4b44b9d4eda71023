"""Where an app asks for a person's records, and the person answers (SMART App Launch 2.2)."""

from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from django.contrib.auth import logout
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.settings import oauth2_settings

from accounts import stepup
from accounts.models import User
from accounts.stepup import Action
from consent import versions
from consent.models import Consent
from consent.words import TOPIC
from portal import app_names, authorization, helper_words, sees, subjects
from portal.answer_form import AnswerForm
from portal.app_names import plain
from portal.authorization import Question, Session
from portal.guards import anyone, time_zone_of
from portal.pages import page
from portal.subjects import Subject
from smart import identity, launches, requests
from smart.commands import is_web_address
from smart.models import AuthorizationRequest, Client, Launch

STEPS = frozenset({"preview", "continue", "record"})  # what a form says on the way to an answer


class SignedInRequest(HttpRequest):
    user: User


@page("authorize", reads=("Client",))
@anyone
@csrf_exempt
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """The authorization endpoint, by GET and POST. It only checks and keeps the request: the
    form of an app may post here, and what changes anything is the page after it."""
    try:
        asked = requests.receive(request)
    except requests.Unsafe:
        return _unsafe(request)
    except requests.Refused as refused:
        if refused.client.is_on_trial:  # RFC 9700, 4.11.2: anybody may register an address
            context = who(refused.client) | leaving(refused.location)
            return render(request, "portal/authorize_refused.html", context, status=400)
        return _to_app(refused.location)
    return redirect("portal:authorize-answer", asked.pk)


@page("authorize-answer", reads=("Client", "Consent"))
@anyone
@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Sign in, then choose, then go back to the app. Open to all, so that it can say who asks."""
    asked = AuthorizationRequest.objects.select_related("client").filter(pk=request_id).first()
    if asked is None:
        raise Http404
    said = request.POST.get("do", "") if request.method == "POST" else ""
    is_answer = request.method == "POST" and said not in STEPS and request.user.is_authenticated
    if not is_answer and not requests.is_open(asked):
        return _over(request, asked)
    if not request.user.is_authenticated:
        return render(
            request, "portal/authorize_sign_in.html", who(asked.client) | {"sign_in": _sign_in(request)}
        )
    signed_in = cast(SignedInRequest, request)
    if signed_in.user.closes_at:
        return redirect("portal:closing")
    try:
        return _before_the_question(signed_in, asked, said) or _question(signed_in, asked, said)
    except requests.Unsafe:
        return _unsafe(request)


def _before_the_question(
    request: SignedInRequest, asked: AuthorizationRequest, said: str
) -> HttpResponse | None:
    """Whether it is the right person, signed in as surely and as lately as the app asks."""
    if not requests.is_open(asked):
        return None  # a form that is sent twice
    launch, session = _launch(asked), session_of(request)
    if launch and launch.user_id != request.user.pk:
        return render(request, "portal/authorize_other.html", who(asked.client), status=403)
    met = identity.satisfies(session.acr, asked.parameters.get("acr_values") or "")
    stale = session.authenticated_at < _fresh_since(asked)
    if stale or (not met and session.authenticated_at < asked.created_at):
        logout(request)
        return redirect(request.path)
    if not met:
        return _to_app(requests.fail(asked, user=request.user))
    if "select_account" in requests.words(asked.parameters["prompt"]):
        if said == "continue":
            requests.note(asked, account=str(request.user.pk))
            return redirect(request.path)
        if asked.parameters.get("account") != str(request.user.pk):
            return render(request, "portal/authorize_account.html", who(asked.client))
    return None


def _question(request: SignedInRequest, asked: AuthorizationRequest, said: str) -> HttpResponse:
    subject = subjects.chosen(asked, request.user, _launch(asked))
    if said == "record":
        if subjects.is_one_of(request.user, request.POST.get("record", "")):
            requests.note(asked, record=request.POST["record"])
            return redirect(request.path)
        return _pick(request, asked, missing=True)
    if request.GET.get("pick") or (subject is None and said not in ("share", "deny")):
        return _pick(request, asked)
    if said == "preview" and subject:
        return _would_see(request, asked, subject)
    if said:
        return _decide(request, asked, subject)
    return _ask(request, asked, subject)


def _pick(request: SignedInRequest, asked: AuthorizationRequest, *, missing: bool = False) -> HttpResponse:
    """Whose record; where there is none, that there is none."""
    found = subjects.subjects(request.user) if not _launch(asked) else []
    helped = subjects.helped(request.user)
    if found:
        context = who(asked.client) | {"subjects": found, "helped": helped, "missing": missing}
        return render(request, "portal/authorize_pick.html", context, status=422 if missing else 200)
    requests.show(asked, to=request.user, text="", language=get_language() or "en")
    context = who(asked.client) | {"asked": asked, "helped": helped}
    return render(request, "portal/authorize_no_record.html", context, status=403)


def _would_see(request: SignedInRequest, asked: AuthorizationRequest, subject: Subject) -> HttpResponse:
    """What the app would see after the answer that is on the page now; nothing is answered by it."""
    if subject.as_staff:
        return _ask(request, asked, subject)
    with timezone.override(time_zone_of(request.user)):
        form = AnswerForm(asked, None, request.POST)
        is_valid = form.is_valid()
        found = sees.before(request.user, subject.patient, asked, form.answer()) if is_valid else None
    if getattr(request, "htmx", False):
        return render(request, "portal/authorize_sees.html", {"sees": found})
    return _ask(request, asked, subject, form, found)


def _ask(
    request: SignedInRequest,
    asked: AuthorizationRequest,
    subject: Subject | None,
    form: AnswerForm | None = None,
    found: sees.Sees | None = None,
) -> HttpResponse:
    if subject is None:
        return _pick(request, asked)
    if _is_out_of_reach(asked, subject):
        requests.show(asked, to=request.user, text="", language=get_language() or "en")
        return render(
            request, "portal/authorize_on_trial.html", who(asked.client) | {"asked": asked}, status=403
        )
    with timezone.override(time_zone_of(request.user)):
        if subject.as_staff:
            template, context = "portal/authorize_staff.html", _for_staff(asked, subject)
            if subject.relation:
                template = "portal/authorize_for.html"
        else:
            template, context = "portal/authorize.html", _for_patient(asked, subject, form, found)
        context |= who(asked.client) | {"asked": asked, "launched": _launch(asked) is not None}
        context["others"] = not context["launched"] and bool(asked.parameters.get("record"))
        text = authorization.text_of(render_to_string(f"{template}#question", context, request))
        requests.show(asked, to=request.user, text=text, language=get_language() or "en")
        return render(request, template, context, status=422 if form and form.errors else 200)


def _is_out_of_reach(asked: AuthorizationRequest, subject: Subject) -> bool:
    """Nobody has looked at the app yet, and the record is a real one."""
    return asked.client.is_on_trial and not subject.patient.is_test


def _for_patient(
    asked: AuthorizationRequest, subject: Subject, form: AnswerForm | None, found: sees.Sees | None
) -> dict[str, object]:
    consents = subject.patient.consents
    before = consents.filter(client=asked.client, status="active").first()
    form = form or AnswerForm(asked, before)
    return {
        "form": form,
        "question": form.question,
        "before": before,
        "sees": found,
        "paused": consents.filter(status=Consent.Status.PAUSED).exists(),
        "topics": ", ".join(str(name) for name in TOPIC.values()),
    }


def _for_staff(asked: AuthorizationRequest, subject: Subject) -> dict[str, object]:
    form = AnswerForm(asked, None)
    shown: dict[str, object] = {"patient": subject.patient, "question": Question.of(asked)}
    if subject.relation:
        return shown | {"kinds": [(name, "") for name in helper_words.sees(subject.relation)]}
    return shown | {"kinds": form.kinds()}


@transaction.atomic
def _decide(request: SignedInRequest, asked: AuthorizationRequest, subject: Subject | None) -> HttpResponse:
    """One answer to one request: a form that is sent twice gets what the first one got."""
    if subject and not subject.as_staff:
        # Before any row is held: what others read in between must stand before this in the log (ADR 2).
        versions.lock(subject.patient.pk)
    locked = requests.lock(asked.pk)
    if locked is None or not requests.is_open(locked):
        return _over(request, locked or asked)
    if not requests.is_answer_to_what_was_shown(locked, request.user, request.POST.get("shown", "")):
        return render(request, "portal/authorize_again.html", who(locked.client), status=409)
    if request.POST.get("do") != "share":
        return _to_app(requests.decline(locked, user=request.user))
    if subject is None or not locked.text_shown or _is_out_of_reach(locked, subject):
        return _ask(request, locked, subject)
    session, launch = session_of(request), _launch(locked)
    if subject.as_staff:
        return _to_app(
            authorization.open_as_staff(
                locked,
                session=session,
                patient=subject.patient,
                launch=launch,
                helper=subject.relation,
            )
        )
    with timezone.override(time_zone_of(request.user)):
        form = AnswerForm(locked, None, request.POST)
        if not form.is_valid():
            return _ask(request, locked, subject, form)
        given = form.answer()
        if action := _needs_proof(given, form.question):
            stepup.require(request, action)
            session = session_of(request)
        location = authorization.share(
            locked, session=session, patient=subject.patient, answer=given, launch=launch
        )
    return _to_app(location)


def _needs_proof(given: authorization.Answer, question: Question) -> Action | None:
    writes = given.can_write and question.can_write
    if given.topics:
        return Action.APP_BOTH if writes else Action.APP_PRIVATE
    return Action.APP_WRITES if writes else None


def _unsafe(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/authorize_unsafe.html", status=400)


def _over(request: HttpRequest, asked: AuthorizationRequest) -> HttpResponse:
    """Answered, or open for too long."""
    user = request.user
    if request.method == "POST" and user.is_authenticated:
        location = requests.earlier_answer(asked, user)
        if location:
            return _to_app(location)
    mine = asked.answered_at is not None and asked.user_id == user.pk
    return render(request, "portal/authorize_over.html", who(asked.client) | {"answered": mine}, status=410)


def _to_app(location: str) -> HttpResponse:
    return OAuth2ResponseRedirect(location, oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES)


def who(client: Client) -> dict[str, object]:
    """The app, in its own words made safe."""
    name = plain(client.name, 80) or plain(client.client_id, 80)
    return {
        "app": name,
        "maker": plain(client.vendor, 80),
        "purpose": plain(client.purpose, 200),
        "privacy_policy": client.privacy_policy_uri if is_web_address(client.privacy_policy_uri) else "",
        "odd_name": app_names.mixes_alphabets(name) or app_names.mixes_alphabets(client.vendor),
        "on_trial": client.is_on_trial,
    }


def leaving(location: str) -> dict[str, object]:
    """For portal/leave.html: where a person may go on to, who is not sent there."""
    return {"leave": location, "host": urlsplit(location).netloc}


def _launch(asked: AuthorizationRequest) -> Launch | None:
    return launches.by_id(asked.parameters.get("launch_id"))


def _sign_in(request: HttpRequest) -> str:
    return f"{reverse('account_login')}?{urlencode({'next': request.path})}"


def session_of(request: SignedInRequest) -> Session:
    """When and how this session's person last proved who they are."""
    records = get_authentication_records(request, request.user)
    times = [record["at"] for record in records]
    at = request.user.last_login or request.user.date_joined
    if times:
        at = datetime.fromtimestamp(max(times), tz=timezone.get_default_timezone())
    return Session(
        user=request.user,
        key=request.session.session_key or "",
        authenticated_at=at,
        amr=tuple(identity.amr_of(records)),
    )


def _fresh_since(asked: AuthorizationRequest) -> datetime:
    """OIDC Core, 3.1.2.1: how old the sign-in may be."""
    oldest = datetime.min.replace(tzinfo=timezone.get_default_timezone())
    if "login" in requests.words(asked.parameters["prompt"]):
        oldest = asked.created_at
    if asked.parameters["max_age"]:
        oldest = max(oldest, asked.created_at - timedelta(seconds=int(asked.parameters["max_age"])))
    return oldest
