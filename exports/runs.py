"""Make an export: type by type through the gate, to disk, then into one archive with its manifest.

Safe to run twice: a worker holds the job by a lease, and a type that is done is not done
again. Every page is decided and recorded like any other read, with the authority of that moment.
"""

import hashlib
import json
import os
import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.relation_states import HELPING
from audit.events import EventType
from consent import authority
from consent.decision import Provision, ProvisionType
from consent.requester import Requester
from exports import commands, files, readme, states
from exports.models import ExportFile, ExportJob
from fhirproxy import gate, interactions
from fhirproxy.interactions import Interaction
from fhirproxy.outcomes import EhrFailure, Refusal
from notices import commands as notices

Status = ExportJob.Status
LEASE = timedelta(minutes=2)  # a worker that is silent for longer has lost the job
KEPT = timedelta(days=7)


class Stopped(Exception):
    """The job was cancelled, or another worker holds it."""


class Blocked(Exception):
    """The person may not have this any more: the decision changed while the file was made."""


class Page(msgspec.Struct):
    entry: list[dict[str, msgspec.Raw]] = msgspec.field(default_factory=list)
    link: list[dict[str, str]] = msgspec.field(default_factory=list)


def run(job_id: UUID) -> None:
    """Carry an export on from where it stands."""
    if not _take(job_id):
        return
    job = ExportJob.objects.select_related("patient", "requested_by").get(pk=job_id)
    files.make_folder(job.id)
    gaps: list[str] = []
    try:
        for resource_type in job.resource_types:
            if resource_type not in job.position.get("types", []):
                _export_type(job, resource_type, gaps)
        _package(job, gaps)
    except Stopped:
        files.destroy(job.id)
    except Blocked:
        commands.block(job)


def _take(job_id: UUID) -> bool:
    """Hold the job for a while; False if it is over or somebody else holds it."""
    now = timezone.now()
    with transaction.atomic():
        job = ExportJob.objects.select_for_update().filter(pk=job_id).first()
        if job is None or job.status not in states.LIVING:
            return False
        if job.lease_until and job.lease_until > now:
            return False
        job.status, job.lease_until = Status.RUNNING, now + LEASE
        job.save(update_fields=["status", "lease_until"])
    return True


def _export_type(job: ExportJob, resource_type: str, gaps: list[str]) -> None:
    path = files.folder(job.id) / f"{resource_type}.ndjson"
    digest, count, size = hashlib.sha256(), 0, 0
    try:
        with files.create(path) as out:
            for page in _pages(job, resource_type):
                _renew(job)
                for entry in page.entry:
                    line = bytes(entry["resource"]).replace(b"\n", b" ") + b"\n"
                    digest.update(line)
                    size += out.write(line)
                    count += 1
            out.flush()
            os.fsync(out.fileno())
    except Refusal as refusal:
        path.unlink(missing_ok=True)
        if refusal.status < 500:
            raise Blocked from refusal
        gaps.append(resource_type)
        return
    with transaction.atomic():
        ExportFile.objects.update_or_create(
            job=job,
            kind=ExportFile.Kind.OUTPUT,
            resource_type=resource_type,
            defaults={"count": count, "size": size, "sha256": digest.hexdigest()},
        )
        job.position = {"types": [*job.position.get("types", []), resource_type]}
        job.progress = {"done": job.progress.get("done", 0) + count}
        job.save(update_fields=["position", "progress"])


def _pages(job: ExportJob, resource_type: str) -> Any:
    """Pages of one type through the gate, each decided with the authority of its moment."""
    interaction = interactions.search(resource_type, [("_count", "200")])
    while True:
        answer = gate.serve(_requester(job), interaction, event=EventType.EXPORT_READ)
        page = msgspec.json.decode(answer.body, type=Page)
        if any(b'"outcome"' in bytes(entry.get("search", b"")) for entry in page.entry):
            raise EhrFailure(502, "The EHR gave a part only, and a part is no copy of a record.")
        yield page
        following = next((x["url"] for x in page.link if x["relation"] == "next"), "")
        if not following:
            return
        cursor = following.split("_cursor=", 1)[1]
        interaction = Interaction("search-type", resource_type, cursor=cursor)


def _requester(job: ExportJob) -> Requester:
    """The person's own authority, cut down to what they chose for this file."""
    if job.whose.user_id != job.requested_by_id:
        return _helper(job)
    own = authority.for_own_record(job.who, job.whose, timezone.now())
    if not own.provisions:
        return own
    chosen = Provision(
        "own-record-chosen",
        ProvisionType.PERMIT,
        categories=frozenset(job.categories),
        every_label=job.include_sensitive,
    )
    return replace(own, provisions=(chosen,))


def _helper(job: ExportJob) -> Requester:
    """A helper's, as of this moment: nothing once they may not save copies any more."""
    helper = authority.for_helper(job.who, job.whose)
    shares = job.whose.helpers.filter(user=job.who, status__in=HELPING, may_share=True).exists()
    chosen = frozenset(job.categories)
    provisions = tuple(
        replace(p, categories=p.categories & chosen) if p.type is ProvisionType.PERMIT else p
        for p in helper.provisions
        if p.type is not ProvisionType.PERMIT or p.categories & chosen
    )
    return replace(helper, provisions=provisions if shares else ())


def _renew(job: ExportJob) -> None:
    """Keep the lease, unless the job was cancelled meanwhile: then stop here."""
    living = ExportJob.objects.filter(pk=job.pk, status=Status.RUNNING)
    if not living.update(lease_until=timezone.now() + LEASE):
        raise Stopped


def _package(job: ExportJob, gaps: list[str]) -> None:
    now = timezone.now()
    manifest = _manifest(job, gaps)
    path = files.archive(job.id)
    part = path.with_suffix(".part")
    with files.create(part) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", readme.text(job, gaps))
        archive.writestr("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False))
        for file in job.files.order_by("resource_type"):
            name = f"{file.resource_type}.ndjson"
            archive.write(files.folder(job.id) / name, name)
    part.replace(path)
    with transaction.atomic():
        job = ExportJob.objects.select_for_update(of=("self",)).select_related("requested_by").get(pk=job.pk)
        if job.status != Status.RUNNING:
            raise Stopped
        job.status = Status.COMPLETED_WITH_GAPS if gaps else Status.COMPLETED
        job.manifest, job.finished_at, job.expires_at = manifest, now, now + KEPT
        job.lease_until = None
        job.save()
        commands.log(EventType.EXPORT_COMPLETE, job, by=None)
        user = job.who
        notices.enqueue(
            "export_ready",
            recipient=f"User/{user.pk}",
            email=user.email,
            language=user.language,
            context={},
        )
    files.leave_only_archive(job.id)  # not before: a run that is killed until then resumes from them


def _manifest(job: ExportJob, gaps: list[str]) -> dict[str, Any]:
    """In the words of Bulk Data Access 2.0.0 where it has one; the rest in `extension`, as it asks."""
    return {
        "transactionTime": job.created_at.isoformat(),
        "request": f"{settings.BASE_URL}/downloads/{job.id}/",
        "requiresAccessToken": True,
        "output": [
            {
                "type": file.resource_type,
                "url": f"{file.resource_type}.ndjson",
                "count": file.count,
                "extension": {"sha256": file.sha256, "size": file.size},
            }
            for file in job.files.order_by("resource_type")
        ],
        "error": [],
        "extension": {
            "expires": (timezone.now() + KEPT).isoformat(),
            "includes_private_topics": job.include_sensitive,
            "missing": gaps,
        },
    }
