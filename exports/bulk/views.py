"""Bulk Data Access 2.0.0 over HTTP: kick-off, status, deletion and files, for backend services."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt

from consent.decision import Reason
from exports import commands, states
from exports.bulk import callers, downloads, jobs, kickoff, manifest, overtaken
from exports.bulk.callers import Caller
from exports.bulk.kickoff import Level, Preference
from exports.models import ExportJob
from exports.push import pushes
from fhirproxy import budgets, views
from fhirproxy.outcomes import NOT_FOUND, Refusal

Status = ExportJob.Status
SOONEST, LATEST = 1, 60  # seconds between two status requests
GONE = "The files of this export were destroyed: its time is over, or what allowed it has ended."
FAILED = "The export failed. Start it again."
View = Callable[..., HttpResponseBase]


def for_services(*methods: str) -> Callable[[View], View]:
    """A view for whoever holds a system token, as its first argument; a refusal of it stands in the log."""

    def decorate(view: View) -> View:
        @csrf_exempt  # a bearer token opens this, never a cookie
        @views.answering
        @wraps(view)
        def answer(request: HttpRequest, **named: object) -> HttpResponseBase:
            caller = callers.of(request)
            try:
                if request.method not in methods:
                    raise Refusal(405, "This is not served here.", {"Allow": ", ".join(methods)})
                return view(caller, request, **named)
            except Refusal as refusal:
                if refusal.status != 429:  # these have events of their own, once for each window
                    callers.refused(caller, f"request.{refusal.status}", _target(named))
                raise

        return answer

    return decorate


def _target(named: dict[str, object]) -> str:
    if "job_id" in named:
        return f"ExportJob/{named['job_id']}"
    return f"Group/{named['group_id']}" if named.get("group_id") else ""


@for_services("GET", "POST")
def start(caller: Caller, request: HttpRequest, level: Level, group_id: str = "") -> HttpResponse:
    """Kick-off: 202, and where to ask how it gets on."""
    approval = jobs.approval_for(caller, group_id)
    views.accepts_json(request)
    preference = Preference.parse(request.headers.get("Prefer", ""))
    if not preference.respond_async:
        raise Refusal(400, kickoff.RESPOND_ASYNC)
    budgets.admit_export(caller.name, "client.exports", caller.name)
    asked = kickoff.parse(
        level,
        _given(request),
        scopes=caller.scopes,
        now=timezone.now(),
        lenient=preference.lenient,
        posted=request.method == "POST",
    )
    url = settings.BASE_URL + (request.get_full_path() if request.method == "GET" else request.path)
    job = jobs.kickoff(caller, approval, asked, url=url, lenient=preference.lenient)
    place = settings.BASE_URL + reverse("exports:bulk-status", args=[job.pk])
    return _accepted({"Content-Location": place})


def _accepted(headers: Mapping[str, str]) -> HttpResponse:
    response = HttpResponse(status=202, headers=dict(headers))
    del response["Content-Type"]  # Django's own: there is no content to have a type
    return response


def _given(request: HttpRequest) -> Sequence[tuple[str, str]]:
    if request.method == "POST":
        return kickoff.from_parameters(views.json_of(request))
    return [(name, value) for name, values in request.GET.lists() for value in values]


@for_services("GET", "DELETE")
def status(caller: Caller, request: HttpRequest, job_id: UUID) -> HttpResponse:
    """How an export gets on: 202 until it is there, then the manifest."""
    job = jobs.of_client(caller, job_id)
    if request.method == "DELETE":
        commands.cancel(job, by=caller.client)
        return _accepted({})
    budgets.admit_export(caller.name, "job.polls", str(job.pk))
    for kind in job.resource_types:
        _covered(caller, job, kind)
    if job.status in states.LIVING:
        return _accepted({"X-Progress": _progress(job), "Retry-After": _wait(job)})
    _ready(job)
    ends = {"Expires": http_date(job.expires_at.timestamp())} if job.expires_at else {}
    push = pushes.said_of(job)
    return JsonResponse(manifest.of(job) | ({"extension": {"push": push}} if push else {}), headers=ends)


def _progress(job: ExportJob) -> str:
    done, estimate = job.progress.get("done", 0), job.progress.get("estimate")
    of = f" of about {estimate}" if estimate else ""
    return f"{job.status}: {done}{of} resources"[:100]


def _wait(job: ExportJob) -> str:
    """Longer for an export that takes longer."""
    age = timezone.now() - job.created_at
    return str(min(LATEST, max(SOONEST, age // timedelta(seconds=10))))


def _covered(caller: Caller, job: ExportJob, kind: str) -> None:
    """The token must reach what the one of the kick-off did. Raises Refusal."""
    if not caller.covers(job.scope, kind):
        raise Refusal(403, f"scope-not-granted: {kind}")


def _ready(job: ExportJob) -> None:
    """Raises Refusal for an export whose files are not there, or may not be given any more."""
    if job.status == Status.FAILED:
        raise Refusal(500, FAILED)
    if job.status not in states.READY or job.is_over:
        raise Refusal(410, GONE)
    if overtaken.by_a_patient(job):
        commands.block(job, Reason.CHANGED)
        raise Refusal(410, GONE)


@for_services("GET", "HEAD")
def file(caller: Caller, request: HttpRequest, job_id: UUID, name: str) -> HttpResponseBase:
    """One file of a manifest, or a range of it; gzip where it is asked for."""
    job = jobs.of_client(caller, job_id)
    if job.status in states.LIVING:
        raise Refusal(404, NOT_FOUND)
    _ready(job)
    found = manifest.named(job, name)
    if found is None:
        raise Refusal(404, NOT_FOUND)
    kinds = {found.Kind.OUTPUT: [found.resource_type], found.Kind.DELETED: job.resource_types}
    for kind in kinds.get(found.Kind(found.kind), ()):  # an error file says nothing of anybody's record
        _covered(caller, job, kind)
    return downloads.answer(request, job, found)
