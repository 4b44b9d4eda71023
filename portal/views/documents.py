"""Letters, scans and notes: the list, one document as text, and its file."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET

from portal import records, rows
from portal.combining import Shown
from portal.guards import PatientRequest, record_required
from portal.loading import Wanted, load, needs_records, state_of_item
from portal.pages import page
from portal.states import Kind

DOCUMENTS = pgettext_lazy("records.documents", "Letters and notes")
LARGEST = 20 * 1024 * 1024
PLAIN, PDF = "text/plain", "application/pdf"


@page("documents", reads=("DocumentReference",), states=(Kind.FRESH, Kind.STALE, Kind.EMPTY, Kind.ERROR))
@require_GET
@record_required
def documents(request: PatientRequest) -> HttpResponse:
    loaded = load(request, Wanted("DocumentReference", DOCUMENTS))
    found = rows.rows_of(loaded.found[0], rows.document)
    looked_in = [told.source.name for told in loaded.told]
    context = {"title": DOCUMENTS, "state": loaded.state, "rows": found, "looked_in": looked_in}
    return render(request, "portal/documents.html", context, status=loaded.status)


@page("document", reads=("DocumentReference", "Binary"))
@require_GET
@record_required
@needs_records
def document(request: PatientRequest, document_id: str) -> HttpResponse:
    """One document; a plain text is read here, a PDF is saved and opened by the device."""
    one, at = records.item(request, "DocumentReference", document_id)
    row = next(iter(rows.rows_of([Shown(one)], rows.document)), None)
    if row is None:
        raise Http404
    data, kind, is_there = _file_if_there(request, document_id)
    context = {
        "row": row,
        "text": _text(data) if kind == PLAIN else "",
        "is_pdf": kind == PDF,
        "size": len(data),
        "is_there": is_there,
        "state": state_of_item(request, one, at),
    }
    return render(request, "portal/document.html", context)


@require_GET
@record_required
@needs_records
def document_file(request: PatientRequest, document_id: str) -> HttpResponse:
    """The file itself, which no browser may run: fixed types, no sniffing, a sandbox without scripts."""
    data, kind = _file(request, document_id)
    if not kind:
        raise Http404
    is_text = kind == PLAIN
    response = HttpResponse(data, content_type=f"{PLAIN}; charset=utf-8" if is_text else PDF)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = f'attachment; filename="document.{"txt" if is_text else "pdf"}"'
    return response


def _file_if_there(request: PatientRequest, document_id: str) -> tuple[bytes, str, bool]:
    """The file, and whether its EHR answered: files are not copied."""
    try:
        return *_file(request, document_id), True
    except records.Unavailable as unavailable:
        if not unavailable.of_ehr:
            raise
        return b"", "", False


def _file(request: PatientRequest, document_id: str) -> tuple[bytes, str]:
    """(bytes, type); (b"", "") for what we do not open: other types, too large, or not there.

    The type is what the bytes are, not only what the record calls them.
    """
    try:
        data, declared = records.attachment(request, document_id)
    except Http404:
        return b"", ""
    declared = declared.partition(";")[0].strip().lower()
    if len(data) > LARGEST:
        return b"", ""
    if declared == PDF and data.startswith(b"%PDF-"):
        return data, PDF
    return (data, PLAIN) if declared == PLAIN else (b"", "")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
