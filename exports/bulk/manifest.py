"""The answer to a status request, once an export is complete (Bulk Data Access 2.0.0, "Response - Complete
Status")."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import reverse

from exports.models import ExportFile, ExportJob

Kind = ExportFile.Kind
NAME = re.compile(r"(?:(deleted|error)\.)?([A-Z][A-Za-z]{1,39})\.([1-9]\d{0,8})\.ndjson")


def of(job: ExportJob) -> dict[str, Any]:
    """Files are listed with their hash and size, so that a client can tell that it has all of each."""
    return {
        "transactionTime": job.created_at.isoformat(timespec="milliseconds"),
        "request": job.request,
        "requiresAccessToken": True,
        **{kind.value: list(_items(job, kind)) for kind in (Kind.OUTPUT, Kind.DELETED, Kind.ERROR)},
    }


def _items(job: ExportJob, kind: Kind) -> Iterator[dict[str, Any]]:
    for file in job.files.filter(kind=kind).exclude(sha256="").order_by("resource_type", "number"):
        yield {
            "type": file.resource_type,
            "url": settings.BASE_URL + reverse("exports:bulk-file", args=[job.pk, name_of(file)]),
            "count": file.count,
            "extension": {"sha256": file.sha256, "size": file.size},
        }


def name_of(file: ExportFile) -> str:
    before = "" if file.kind == Kind.OUTPUT else f"{file.kind}."
    return f"{before}{file.resource_type}.{file.number}.ndjson"


def named(job: ExportJob, name: str) -> ExportFile | None:
    """The file that an address names, if it is whole and one of this export."""
    match = NAME.fullmatch(name)
    if match is None:
        return None
    kind = match[1] or Kind.OUTPUT
    files = job.files.filter(kind=kind, resource_type=match[2], number=int(match[3])).exclude(sha256="")
    return files.first()
