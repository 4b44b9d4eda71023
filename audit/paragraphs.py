"""One event as a paragraph for the auditor: references and codes, nothing left out. Plain text."""

from collections.abc import Mapping
from datetime import UTC
from html import unescape

from django.utils.html import strip_tags
from django.utils.translation import pgettext_lazy

from audit.events import Outcome
from audit.sentences import Event

HAPPENED = pgettext_lazy(
    "auditor.happened", "At {at}, {actor} (role {role}) made the event {type} about {patient}."
)
FOR = pgettext_lazy("auditor.for", "It was done on behalf of {on_behalf_of}.")
THROUGH = pgettext_lazy("auditor.through", "The client was {client}.")
ASKED = pgettext_lazy(
    "auditor.asked",
    "It asked for {interaction} on {types}, in the categories {categories}, with the purpose {purpose}.",
)
ENDED = pgettext_lazy("auditor.ended", "The outcome was {outcome}.")
BECAUSE = pgettext_lazy("auditor.because", "The rules that spoke were {reasons}.")
NOTHING = pgettext_lazy("auditor.nothing", "No record content was returned.")
RETURNED = pgettext_lazy("auditor.returned", "The number of resources was {count}.")
CONSENT = pgettext_lazy("auditor.consent", "The consent was {consent}, version {number}.")
BY = pgettext_lazy(
    "auditor.by",
    "It came from a {device} in the network {network}, let in by {shown} with the assurance {assurance} "
    "({methods}), and took {milliseconds} ms.",
)
TARGET = pgettext_lazy("auditor.target", "The object was {target}.")
DETAIL = pgettext_lazy("auditor.detail", "Details: {detail}.")
TRACE = pgettext_lazy(
    "auditor.trace", "The event is {id}, its correlation is {correlation_id}, and its hash is {leaf}."
)
ENTRY = pgettext_lazy("auditor.entry", "It is entry {seq} of the log.")
SHOWN = pgettext_lazy("auditor.shown", 'The patient reads: "{sentence}"')


def paragraph(event: Event, *, seq: int | None = None, shown: str = "") -> str:
    """All that the event says. `seq` is its entry in the log, once it has one; `shown` the
    sentence that the patient reads."""
    told = [
        _happened(event),
        event.interaction and _asked(event),
        *_ended(event),
        event.consent and str(CONSENT).format(consent=event.consent, number=event.consent_number or "-"),
        event.target and str(TARGET).format(target=event.target),
        (context := getattr(event, "context", None)) and _by(context),
        event.detail and str(DETAIL).format(detail=_details(event)),
        str(TRACE).format(
            id=event.id, correlation_id=event.correlation_id or "-", leaf=bytes(event.leaf).hex()
        ),
        str(ENTRY).format(seq=seq) if seq is not None else "",
        shown and str(SHOWN).format(sentence=unescape(strip_tags(shown))),
    ]
    return " ".join(text for text in told if text)


def _happened(event: Event) -> str:
    told = [
        str(HAPPENED).format(
            at=event.recorded_at.astimezone(UTC).isoformat(timespec="milliseconds"),
            actor=event.actor,
            role=event.role or "-",
            type=event.type,
            patient=event.patient or "-",
        ),
        event.on_behalf_of and str(FOR).format(on_behalf_of=event.on_behalf_of),
        event.client and str(THROUGH).format(client=event.client),
    ]
    return " ".join(text for text in told if text)


def _asked(event: Event) -> str:
    return str(ASKED).format(
        interaction=event.interaction,
        types=", ".join(event.resource_types) or "-",
        categories=", ".join(event.categories) or "-",
        purpose=event.purpose or "-",
    )


def _ended(event: Event) -> list[str]:
    told = [str(ENDED).format(outcome=event.outcome)]
    if event.reasons:
        told.append(str(BECAUSE).format(reasons=", ".join(event.reasons)))
    if event.outcome == Outcome.DENY:
        told.append(str(NOTHING))
    elif event.count is not None:
        told.append(str(RETURNED).format(count=event.count))
    return told


def _by(context: Mapping[str, str | int]) -> str:
    names = ("device", "network", "assurance", "methods", "milliseconds")
    shown = next((f"{name} {context[name]}" for name in ("token", "session") if name in context), "-")
    return str(BY).format(shown=shown, **{name: context.get(name, "-") for name in names})


def _details(event: Event) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(event.detail.items()))
