"""Why a change is there, in whole sentences: who sent it, where the fact comes from, and who looks at it."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from fhirproxy.dates import time_words
from fhirproxy.models import WriteCommand
from fhirproxy.reading import Moment
from fhirproxy.writes import kinds

Origin = WriteCommand.Origin
SAYS: Mapping[Origin, Promise] = {
    Origin.MEASURED: pgettext_lazy("write.why.measured", "It was measured."),
    Origin.REMEMBERED: pgettext_lazy("write.why.remembered", "It was told from memory."),
    Origin.DOCUMENT: pgettext_lazy("write.why.document", "It is from a paper or a photo."),
    Origin.DEVICE: pgettext_lazy("write.why.device", "A device measured it."),
    Origin.SOFTWARE: pgettext_lazy("write.why.software", "An app worked it out from other data."),
}


def sentences(command: WriteCommand) -> list[str]:
    """In the reader's language. They name people and the app, and no fact of health."""
    return [_who(command), str(SAYS[Origin(command.origin)]), *_how(command), _checked(command)]


def _who(command: WriteCommand) -> str:
    date = time_words(Moment(command.noted_at or command.created_at, "time"))
    name, patient = command.author.name, command.patient.name
    if command.client:
        text = pgettext("write.why.app", "{app} sent this for {patient} on {date}.")
        return text.format(app=command.client.name, patient=patient, date=date)
    if command.on_behalf_of:
        text = pgettext("write.why.helper", "{name} sent this for {patient} on {date}.")
        return text.format(name=name, patient=patient, date=date)
    return pgettext("write.why.self", "{patient} sent this on {date}.").format(patient=patient, date=date)


def _how(command: WriteCommand) -> list[str]:
    if command.undoes_id:
        return [pgettext("write.why.undo", "It takes back what was added before.")]
    if command.target:
        return [pgettext("write.why.update", "It changes what the record says now.")]
    return []


def _checked(command: WriteCommand) -> str:
    kind = kinds.named(command.kind)
    looks = kind.looks if kind else 1
    if looks == 0:
        return pgettext("write.why.straight", "It goes to the clinic system as it is.")
    if looks == 1:
        return pgettext("write.why.one", "A clinician checks it first.")
    return pgettext("write.why.two", "Two clinicians check it first.")
