"""Files that a person makes of their own records."""

from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import stepup
from accounts.stepup import Action
from audit.events import EventType
from consent import helper_rights
from exports import commands, reading, states
from exports.choices import TOO_LARGE
from exports.models import ExportFile, ExportJob
from exports.sealing import Destroyed
from portal.download_forms import DownloadForm
from portal.guards import SAFE, PatientRequest, copies_required
from portal.pages import StepUp, page
from portal.stepup import step_up

ENOUGH_STEPS = 5  # to say how long the rest may take


@page("downloads", reads=("ExportJob",))
@require_GET
@copies_required
def downloads(request: PatientRequest) -> HttpResponse:
    jobs = _jobs(request).order_by("-created_at")[:50]
    return render(request, "portal/downloads.html", {"jobs": jobs, "ready": states.READY})


@page("download-new", reads=("ExportJob",), step_up=StepUp.FRESH)
@require_http_methods(["GET", "POST"])
@copies_required
def new(request: PatientRequest) -> HttpResponse:
    form = DownloadForm(request.POST or None)
    if request.helping:
        form.keep_to(helper_rights.visible(request.helping, timezone.now()))
    if request.method == "POST" and form.is_valid():
        stepup.require(request, Action.EXPORT)
        chosen = form.cleaned_data["categories"] if form.cleaned_data["what"] == "choose" else form.everything
        try:
            job = commands.kickoff(
                patient=request.patient,
                by=request.user,
                categories=chosen,
                include_sensitive=form.cleaned_data.get("private", False),
                formats=form.cleaned_data["formats"],
                **form.moments,
            )
        except commands.TooMany:
            text = pgettext("download.too_many", "We are making 2 files for you now. Wait until one is done.")
            messages.error(request, text)
            return redirect("portal:downloads")
        return redirect("portal:download", job.id)
    return render(request, "portal/download_new.html", {"form": form}, status=422 if form.errors else 200)


@page("download", reads=("ExportJob",))
@require_GET
@copies_required
def download(request: PatientRequest, job_id: UUID) -> HttpResponse:
    """One file: how far it is, what is in it. htmx asks again for the part that moves."""
    job = get_object_or_404(_jobs(request), id=job_id)
    template = "portal/download.html#progress" if request.htmx else "portal/download.html"
    return render(request, template, _shown(job))


@require_GET
@copies_required
@step_up(Action.EXPORT, methods=SAFE, is_file=True)
def file(request: PatientRequest, job_id: UUID, *, is_private: bool = False) -> HttpResponseBase:
    """The archive itself. 410 once it has ended: it was there, and it will not be again."""
    job = get_object_or_404(_jobs(request), id=job_id)
    package = job.files.filter(kind=ExportFile.Kind.PACKAGE, is_private=is_private).exclude(sha256="").first()
    try:
        if job.status not in states.READY or job.is_over or package is None:
            raise Destroyed
        content = reading.opened(package, job)
    except Destroyed:
        return render(request, "portal/download.html", _shown(job), status=410)
    commands.log(EventType.EXPORT_DOWNLOAD, job, by=request.user)
    name = "chartkey-private-topics.zip" if is_private else "chartkey-records.zip"
    response = FileResponse(content, as_attachment=True, filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@copies_required
def cancel(request: PatientRequest, job_id: UUID) -> HttpResponse:
    commands.cancel(get_object_or_404(_jobs(request), id=job_id), by=request.user)
    return redirect("portal:download", job_id)


def _shown(job: ExportJob) -> dict[str, object]:
    """What the page of one file says; while it is made, also how far it is and how long it may take."""
    said = (job.manifest or {}).get("extension", {})
    return {
        "job": job,
        "kinds": len(job.resource_types),
        "living": job.status in states.LIVING,
        "ready": job.status in states.READY and not job.is_over,
        "missing": list(dict.fromkeys(left["what"] for left in job.left_out)),
        "is_too_large": any(left["why"] == TOO_LARGE for left in said.get("left_out", ())),
        "packages": job.files.filter(kind=ExportFile.Kind.PACKAGE).exclude(sha256="").order_by("is_private"),
        "minutes": _minutes_left(job),
    }


def _minutes_left(job: ExportJob) -> int | None:
    """By how long the steps took that are done; None where these are too few to tell."""
    done, of = job.progress.get("steps", 0), job.progress.get("of", 0)
    if job.status not in states.LIVING or done < ENOUGH_STEPS:
        return None
    so_far = (timezone.now() - job.created_at).total_seconds()
    return max(1, round(so_far * (of - done) / done / 60))


def _jobs(request: PatientRequest) -> QuerySet[ExportJob]:
    """A patient has the files that were made of their record; a helper those that they made themself."""
    jobs = request.patient.export_jobs
    return jobs.filter(requested_by=request.user) if request.helping else jobs.all()
