"""Where something stands that was sent to the clinic, in the words of its author."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

from fhirproxy import reading as fhir
from fhirproxy.models import WriteCommand
from fhirproxy.writes import bodies, kinds
from portal import proposed
from portal.outgoing import FAULT
from portal.readings import pressures_of

S = WriteCommand.Status


class Stage(StrEnum):
    SENT = "sent"
    CHECKED = "checked"
    NEEDS_YOU = "needs-you"
    ADDED = "added"
    NOT_ADDED = "not-added"
    TAKEN_BACK = "taken-back"


CHIPS: Mapping[Stage, tuple[Promise, str]] = {
    Stage.SENT: (pgettext_lazy("stage.sent", "Sent"), "info"),
    Stage.CHECKED: (pgettext_lazy("chip.checking", "Being checked"), ""),
    Stage.NEEDS_YOU: (pgettext_lazy("chip.needs_you", "Needs you"), "warn"),
    Stage.ADDED: (pgettext_lazy("chip.added", "Added"), "good"),
    Stage.NOT_ADDED: (pgettext_lazy("chip.not_added", "Not added"), "off"),
    Stage.TAKEN_BACK: (pgettext_lazy("stage.taken_back", "Taken back"), "off"),
}
# Why something is not in the record, by the reason that a command has. What is not here has no words of
# its own: the clinic is asked.
WHY: Mapping[str, Promise] = {
    "value.unlikely": pgettext_lazy(
        "add.why_unlikely", "The number looks wrong. Measure again and send the new one."
    ),
    "value.unclear": pgettext_lazy(
        "add.why_unclear", "It was not clear how it was measured. Call your clinic."
    ),
    "chart.has-it": pgettext_lazy("add.why_has_it", "It is in your record already."),
    "amendment.accurate": pgettext_lazy(
        "sent.why.accurate", "The clinic looked at it. It says that the record is right and complete."
    ),
    "amendment.not-ours": pgettext_lazy(
        "sent.why.not_ours", "Another clinic wrote this. Ask the clinic that wrote it."
    ),
    "amendment.not-part": pgettext_lazy(
        "sent.why.not_part", "This is not part of the record that can be corrected."
    ),
    "amendment.not-open": pgettext_lazy(
        "sent.why.not_open", "The law does not let people see this part, so it cannot be corrected."
    ),
    "consent.revoked": pgettext_lazy("sent.why.revoked", "What allowed it has ended. We did not send it."),
    "consent.expired": pgettext_lazy("sent.why.revoked", "What allowed it has ended. We did not send it."),
    "consent.changed": pgettext_lazy("sent.why.changed", "What allowed it was changed. We did not send it."),
    "consent.paused": pgettext_lazy("sent.why.paused", "Sharing was paused. We did not send it."),
    "ehr.refused": pgettext_lazy(
        "sent.why.refused", "The clinic's system did not take it. Call your clinic."
    ),
}
ASK = pgettext_lazy("sent.why.ask", "We have no more words for why. Call your clinic.")
FAULTS: Mapping[str, Promise] = {
    "value": pgettext_lazy("wrong.fault.value", "A word or a number is wrong"),
    "old": pgettext_lazy("wrong.fault.old", "It is not true any more"),
    "not-mine": pgettext_lazy("wrong.fault.not_mine", "This is not about me"),
    "never": pgettext_lazy("wrong.fault.never", "It never happened"),
    "missing": pgettext_lazy("wrong.fault.missing", "Something is missing"),
    "other": pgettext_lazy("wrong.fault.other", "Something else"),
}
TOPICS: Mapping[str, Promise] = {
    "medicine": pgettext_lazy("ask.topic.medicine", "A medicine"),
    "result": pgettext_lazy("ask.topic.result", "A test result"),
    "symptom": pgettext_lazy("ask.topic.symptom", "How I feel"),
    "visit": pgettext_lazy("ask.topic.visit", "A visit"),
    "bill": pgettext_lazy("ask.topic.bill", "A bill or my insurance"),
    "other": pgettext_lazy("ask.topic.other", "Something else"),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One thing that was sent. `lines` is what it says: (label, text)."""

    command: WriteCommand
    resource: Mapping[str, Any]
    what: str
    stage: Stage
    why: str | Promise
    lines: tuple[tuple[str, str], ...]
    systolic: int | None = None
    diastolic: int | None = None

    @property
    def chip(self) -> tuple[Promise, str]:
        return CHIPS[self.stage]

    @property
    def is_open(self) -> bool:
        """Whether its author can still take it back."""
        return self.command.status in (S.AWAITING_REVIEW, S.SENT_BACK, S.APPROVED, S.CONFLICT, S.FAILED)


def sent(command: WriteCommand) -> Sent:
    resource = bodies.read(command.resource)
    systolic, diastolic = pressures_of(resource) if command.resource_type == "Observation" else (None, None)
    stage = stage_of(command)
    why = WHY.get(command.reason, ASK) if stage in (Stage.NOT_ADDED, Stage.NEEDS_YOU) else ""
    lines = tuple(_lines(command.kind, resource))
    return Sent(command, resource, what(command, resource), stage, why, lines, systolic, diastolic)


def stage_of(command: WriteCommand) -> Stage:
    """A clinician who does not decide yet, and a chart that moved on, both are: being checked."""
    if command.status == S.APPLIED:
        return Stage.ADDED
    if command.status == S.SENT_BACK:
        return Stage.NEEDS_YOU
    if command.status in (S.REJECTED, S.BLOCKED, S.FAILED):
        return Stage.NOT_ADDED
    if command.status == S.CANCELLED:
        return Stage.TAKEN_BACK
    kind = kinds.named(command.kind)
    return Stage.SENT if kind and not kind.looks else Stage.CHECKED


def what(command: WriteCommand, resource: Mapping[str, Any]) -> str:
    """As a heading. A name out of the record stands in it as the record has it."""
    about = fhir.display(fhir.first(resource, "about"))
    words: Mapping[str, str] = {
        "messages": pgettext("sent.message", "Message to the care team"),
        "visit-requests": pgettext("sent.visit", "Request for a visit"),
        "contact": pgettext("sent.contact", "Change of contact details"),
        "corrections": pgettext("sent.correction", "Something looks wrong: {name}").format(name=about),
        "disagreements": pgettext("sent.disagreement", "Your statement: {name}").format(name=about),
        "answers": fhir.text(fhir.first(resource, "_questionnaire", "extension"), "valueString")
        or pgettext("sent.answers", "Answers to a form"),
        "documents": fhir.text(resource, "description"),
    }
    return words.get(command.kind) or proposed.name_of(resource)


def _lines(kind: str, resource: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = [fhir.text(each, "contentString") for each in fhir.objects(resource, "payload")]
    if kind == "corrections":
        code = next(iter(fhir.codes(resource.get("reasonCode"), FAULT)), "")
        fault = str(FAULTS.get(code, ""))
        labels = [LABEL_WRONG, LABEL_RIGHT]
        pairs = zip(labels, said, strict=False)
        return [(str(LABEL_FAULT), fault), *((str(label), text) for label, text in pairs)]
    if kind in ("messages", "disagreements"):
        return [(str(LABEL_WORDS), text) for text in said[:1]]
    if kind == "visit-requests":
        found = ((LABEL_WHY, "reasonCode", "text"), (LABEL_TIMES, "comment"))
        return [(str(label), text) for label, *path in found if (text := fhir.text(resource, *path))]
    if kind == "answers":
        return list(_answers(resource))
    return []


def _answers(node: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for item in fhir.objects(node, "item"):
        values = [text for answer in fhir.objects(item, "answer") if (text := answer_text(answer))]
        if values:
            found.append((fhir.text(item, "text"), ", ".join(values)))
        found += _answers(item)
    return found


def answer_text(answer: Mapping[str, Any]) -> str:
    """One answer of a QuestionnaireResponse, as people read it."""
    name = next((name for name in answer if name.startswith("value")), "")
    value = answer.get(name)
    if isinstance(value, bool):
        return str(YES if value else NO)
    if isinstance(value, Mapping):
        if name == "valueQuantity":
            return f"{value.get('value', '')} {value.get('unit', '')}".strip()
        return fhir.text(value, "display") or fhir.text(value, "code")
    return "" if value is None else str(value)


# The page that makes each kind; corrections and forms have one for each item.
NEW_AGAIN: Mapping[str, str] = {
    "vital-signs": "portal:add-blood-pressure",
    "messages": "portal:ask-message",
    "visit-requests": "portal:ask-visit",
    "documents": "portal:add-document",
    "contact": "portal:contact",
}
REASONS_FOR_MORE: Mapping[str, Promise] = {
    "amendment.asks-others": pgettext_lazy("sent.more.others", "The clinic has to ask others about it."),
    "amendment.old-papers": pgettext_lazy("sent.more.papers", "The clinic has to look for old papers."),
    "amendment.many-requests": pgettext_lazy("sent.more.many", "The clinic has many requests just now."),
}
YES, NO = pgettext_lazy("value.yes", "Yes"), pgettext_lazy("value.no", "No")
LABEL_FAULT = pgettext_lazy("wrong.fault", "What kind of mistake is it?")
LABEL_WRONG = pgettext_lazy("wrong.wrong", "What is wrong?")
LABEL_RIGHT = pgettext_lazy("wrong.right", "What is right?")
LABEL_WORDS = pgettext_lazy("sent.words", "What was written")
LABEL_WHY = pgettext_lazy("ask.visit.why", "What is the visit for?")
LABEL_TIMES = pgettext_lazy("ask.visit.times", "When can you come?")
