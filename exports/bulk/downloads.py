"""The bytes of one file, opened segment by segment as they leave: memory does not grow with the file."""

import zlib
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from audit.events import EventType
from exports import commands, writing
from exports.bulk import ranges
from exports.bulk.ranges import Unsatisfiable
from exports.models import ExportFile, ExportJob
from exports.sealing import Destroyed
from fhirproxy.outcomes import Refusal

NDJSON = "application/fhir+ndjson"
PIECE = 64 * 1024
GONE = "The files of this export were destroyed."


def answer(request: HttpRequest, job: ExportJob, file: ExportFile) -> HttpResponseBase:
    """The file, or the range that was asked for, with its event in the log before. Raises Refusal."""
    headers = {"ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes", "Vary": "Accept-Encoding"}
    try:
        part = _range(request, file)
    except Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{file.size}"})
    start, end = part or (0, file.size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    zipped = part is None and "gzip" in request.headers.get("Accept-Encoding", "")
    if zipped:
        headers |= {"Content-Encoding": "gzip", "ETag": f'"{file.sha256}-gzip"'}
    else:
        headers["Content-Length"] = str(end - start)
    code = 206 if part else 200
    if request.method == "HEAD":
        return HttpResponse(status=code, headers=headers, content_type=NDJSON)
    try:
        content = _pieces(writing.Reader(file, job.wrapped_key), start, end)
    except Destroyed:
        raise Refusal(410, GONE) from None
    detail: dict[str, str | int] = {"file": str(file.pk), "type": file.resource_type}
    detail |= {"count": file.count, "from": start, "to": end}
    commands.log(EventType.EXPORT_DOWNLOAD, job, by=job.client, detail=detail)
    body = _gzip(content) if zipped else content
    return StreamingHttpResponse(body, status=code, headers=headers, content_type=NDJSON)


def _range(request: HttpRequest, file: ExportFile) -> tuple[int, int] | None:
    """If-Range (RFC 9110, 13.1.5): a client that has the beginning of another file gets the whole."""
    only_if = request.headers.get("If-Range")
    if "Range" not in request.headers or (only_if and only_if != f'"{file.sha256}"'):
        return None
    return ranges.parse(request.headers["Range"], file.size)


def _pieces(content: writing.Reader, start: int, end: int) -> Iterator[bytes]:
    with content:
        content.seek(start)
        left = end - start
        while left and (piece := content.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=5, wbits=31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
