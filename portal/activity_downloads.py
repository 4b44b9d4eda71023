"""The activity list as a file: CSV that no spreadsheet can be made to run, JSON lines with proofs, PDF."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import unescape
from itertools import islice
from typing import TypeVar

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import strip_tags
from django.utils.translation import get_language, pgettext

from audit import evidence, sentences
from audit.models import AuditEvent
from audit.sentences import what
from compliance.disclosures import Disclosure
from compliance.names import names_of
from exports import spreadsheet
from portal import pdf

MOST_EVENTS = 100_000  # in one CSV or JSON file
MOST_PRINTED = 2_000  # in one PDF, or on the page to print
BATCH = 500
Row = Sequence[str]
Response = TypeVar("Response", HttpResponse, StreamingHttpResponse)


def csv_file(name: str, rows: Iterable[Row]) -> HttpResponse:
    """A file of whole rows (RFC 4180), in UTF-8 with the mark by which spreadsheets know it."""
    text = "".join(spreadsheet.lines(rows))
    return _attached(HttpResponse(text, content_type="text/csv; charset=utf-8"), name)


def ndjson_file(name: str, events: Iterable[AuditEvent]) -> StreamingHttpResponse:
    """JSON lines with a checkpoint and proofs, as `audit/verifier/chartkey_verify.py` reads them."""
    lines = evidence.bundle(events)
    return _attached(StreamingHttpResponse(lines, content_type="application/x-ndjson"), name)


def pdf_file(name: str, title: str, lines: Iterable[str]) -> HttpResponse:
    made = pdf.document(title, lines, get_language() or "en")
    return _attached(HttpResponse(made, content_type="application/pdf"), name)


def event_rows(events: Iterable[AuditEvent], viewer: str) -> Iterator[Row]:
    """(e)(1)(ii): the action, when, who, and to whom; and what ties a row to its proof."""
    yield (
        pgettext("activity.csv.time", "Time"),
        pgettext("activity.csv.text", "What happened"),
        pgettext("activity.csv.who", "Who"),
        pgettext("activity.csv.app", "App"),
        pgettext("activity.csv.what", "Kinds of record"),
        pgettext("activity.csv.result", "Result"),
        pgettext("activity.csv.reasons", "Reason codes"),
        pgettext("activity.csv.reference", "Reference"),
    )
    for event, sentence, names in told(events, viewer):
        yield (
            timezone.localtime(event.recorded_at).isoformat(timespec="seconds"),
            sentence,
            names.get(event.actor) or event.actor,
            names.get(event.client, ""),
            what(event.categories) if event.categories else "",
            event.outcome,
            " ".join(event.reasons),
            str(event.id),
        )


def printed_lines(events: Iterable[AuditEvent], viewer: str) -> Iterator[str]:
    for event, sentence, _ in told(events, viewer):
        yield f"{_moment(event.recorded_at)}   {sentence}"


def told(events: Iterable[AuditEvent], viewer: str) -> Iterator[tuple[AuditEvent, str, Mapping[str, str]]]:
    """Each event with its sentence as plain text, and the names in it; names are looked up by the batch."""
    waiting = iter(events)
    while some := list(islice(waiting, BATCH)):
        names = names_of(some)
        for event in some:
            yield event, unescape(strip_tags(sentences.sentence(event, names, viewer))), names


def disclosure_rows(lines: Iterable[Disclosure]) -> Iterator[Row]:
    yield (
        pgettext("disclosure.csv.to", "To whom"),
        pgettext("disclosure.csv.what", "What"),
        pgettext("disclosure.csv.why", "Why"),
        pgettext("disclosure.csv.first", "First time"),
        pgettext("disclosure.csv.last", "Last time"),
        pgettext("disclosure.csv.count", "How many times"),
    )
    for line in lines:
        first, last = (timezone.localtime(at).date().isoformat() for at in (line.first_at, line.last_at))
        yield (line.recipient, what(sorted(line.categories)), str(line.purpose), first, last, str(line.count))


def _moment(at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{date_format(local, 'DATE_FORMAT')}, {date_format(local, 'TIME_FORMAT')}"


def _attached(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
