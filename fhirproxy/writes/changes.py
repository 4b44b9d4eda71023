"""Who changed the chart since a proposal was made, as far as the EHR or our own commands tell."""

from dataclasses import dataclass
from datetime import datetime

from fhirproxy import asking, reading
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import EhrFailure
from fhirproxy.writes import bodies


@dataclass(frozen=True, slots=True)
class Change:
    """`who` is a name; empty where nobody says. `command`: it came through us."""

    at: datetime | None
    who: str
    command: WriteCommand | None = None


def newest(command: WriteCommand, body: str, version: str) -> Change:
    """Of the change that made the chart's version of a command's target. Raises nothing."""
    chart = bodies.read(body)
    said = reading.moment(reading.first(chart, "meta").get("lastUpdated"))
    at = said.at if said else None
    ours = WriteCommand.objects.filter(
        source=command.source_id, patient=command.patient_id, result=f"{command.target}/_history/{version}"
    ).select_related("author")
    if own := ours.first():
        return Change(at, own.author.name, own)
    return Change(at, _of_provenance(command) or reading.text(chart, "meta", "source"))


def _of_provenance(command: WriteCommand) -> str:
    """The first agent of the newest Provenance (FHIR R4, 6.3) that has a name."""
    try:
        found = asking.page(command.source, "Provenance", (("target", command.target),)).bodies
    except EhrFailure:
        return ""
    newest_first = sorted(map(asking.decode, found), key=lambda p: str(p.get("recorded", "")), reverse=True)
    names = (reading.display(a.get("who")) for p in newest_first[:1] for a in reading.objects(p, "agent"))
    return next(filter(None, names), "")
