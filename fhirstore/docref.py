"""DocumentReference/$docref (US Core 6.1, which wants it of every server): a patient's documents."""

from fhirstore.dates import instant
from fhirstore.outcome import JSON, Answer, Refused
from fhirstore.requests import Request
from fhirstore.search import query, run, values

_KNOWN = {"patient", "start", "end", "type", "on-demand", "profile", "_format", "_pretty"}


def docref(request: Request, kind: str) -> Answer:
    """Documents whose clinical period touches start..end; nothing is made on demand here.
    Raises Refused (400)."""
    asked = request.parameters()
    if (unknown := asked.keys() - _KNOWN) and request.is_strict:
        raise Refused(400, "not-supported", f"$docref has no parameter `{min(unknown)}` here.")
    if not asked.get("patient"):
        raise Refused(400, "required", "$docref needs the parameter `patient`.")
    if asked.get("on-demand") == "true" or "profile" in asked:
        raise Refused(400, "not-supported", "No documents are made on demand here, nor for a profile.")
    pairs = [("patient", asked["patient"])]
    pairs += [("type", asked["type"])] if "type" in asked else []
    pairs += [("status", "current")] if not {"start", "end"} & asked.keys() else []
    # Anything that ends after the start, and starts before the end.
    if "start" in asked:
        pairs.append(("period", f"ge{_moment('start', asked['start'])}"))
    if "end" in asked:
        pairs.append(("period", f"le{asked['end']}"))
    search = query.read(kind, pairs, strict=True)
    search.count = query.MAX_COUNT
    return 200, {"Content-Type": JSON}, run.answer(search)


def _moment(name: str, text: str) -> str:
    return instant(values.date(name, text)[1][0])
