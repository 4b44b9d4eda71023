"""What the page of one proposal shows a clinician: what would change, and whether it may be accepted."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts.models import User
from consent.requester import Requester
from fhirproxy import treating
from fhirproxy.models import WriteCommand
from fhirproxy.outcomes import EhrFailure
from fhirproxy.writes import changes, commands, reviews, targets, together, why
from fhirproxy.writes.differences import Difference
from fhirproxy.writes.steps import why_ended
from portal import element_words, proposed, records, review_queue, sent
from portal.readings import pressures_of
from portal.review_forms import AcceptForm, ConflictForm, PassOnForm, SendBackForm

SAID = ("valueQuantity", "valueCodeableConcept", "component", "note")  # of one in a list
Status = WriteCommand.Status
BLOOD_PRESSURE = "http://loinc.org|85354-9"
ENDED: Mapping[str, Promise] = {
    "consent.revoked": pgettext_lazy("review.ended.revoked", "The patient stopped sharing with this app."),
    "consent.paused": pgettext_lazy("review.ended.paused", "The patient paused sharing."),
    "consent.expired": pgettext_lazy("review.ended.expired", "The time that the patient allowed is over."),
    "consent.changed": pgettext_lazy(
        "review.ended.changed", "The patient changed what is shared since this was sent."
    ),
    "app.suspended": pgettext_lazy("review.ended.suspended", "The app is suspended."),
    "account.closed": pgettext_lazy("review.ended.closed", "The account of its author is closed."),
}
ANY_ENDED = pgettext_lazy("review.ended.any", "What let this in has ended.")


def of(command: WriteCommand, requester: Requester, user: User, **forms: Any) -> dict[str, Any]:
    """The page of one proposal, with forms that came back."""
    parts, open_ = reviews.parts(command), command.status in review_queue.OPEN
    ended = (why_ended(command) if open_ else "") or (
        command.reason if command.status == Status.BLOCKED else ""
    )
    chart = _chart(command) if command.target and open_ else {}
    context = {
        "row": row(command, user) | {"parts": [_part(part) for part in parts]},
        "waiting": command.status == Status.AWAITING_REVIEW,
        "open": open_,
        "accept": AcceptForm(command, parts),
        "back": SendBackForm(command),
        "passing": PassOnForm(command, colleagues(command, user)) if open_ else None,
        "ended": ENDED.get(ended, ANY_ENDED) if ended else "",
        **_in_chart(requester, command),
        **chart,
        **forms,
    }
    context["form"] = next(iter(forms.values()), None)
    context["may_accept"] = context["waiting"] and not (
        ended or context.get("chart_down") or context.get("moved") or context["row"]["said_yes"]
    )
    return context


def _chart(command: WriteCommand) -> dict[str, Any]:
    """Base, chart and proposal side by side, where the chart is not as it was seen."""
    try:
        body, version = targets.now(command.source, command.target)
    except EhrFailure:
        return {"chart_down": True}
    except commands.NoTarget:
        return {"gone": True, "moved": True}
    if version == command.base_version and command.status != Status.CONFLICT:
        return {"moved": False}
    found, merged = reviews.against(command, body)
    return {
        "moved": True,
        "change": changes.newest(command, body, version),
        "differences": [_part(difference) for difference in found],
        "settles": merged is not None,
        "conflict": ConflictForm(command, found),
    }


def _part(difference: Difference) -> dict[str, Any]:
    sides = {side: element_words.said(getattr(difference, side)) for side in ("base", "now", "proposed")}
    return {"name": element_words.words_of(difference.name), "difference": difference, **sides}


def row(command: WriteCommand, user: User) -> dict[str, Any]:
    resource = json.loads(command.resource)
    systolic, diastolic = pressures_of(resource)
    said_yes = reviews.yeses(command)
    return {
        "command": command,
        "patient": command.patient,
        "systolic": systolic,
        "diastolic": diastolic,
        "taken_at": _when(resource),
        "what": sent.what(command, resource),
        "said": element_words.said({name: resource[name] for name in SAID if name in resource}),
        "lines": proposed.lines(resource, json.loads(command.base) if command.base else None),
        "also": [
            (proposed.name_of(each["resource"]), proposed.lines(each["resource"]))
            for each in together.entries(command)
        ],
        "why": why.sentences(command),
        "record_number": proposed.owner_of(resource),
        "age": command.patient.age_on(timezone.localdate()),
        "risk": review_queue.RISK_WORDS[command.risk],
        "second": bool(said_yes) and command.status == Status.AWAITING_REVIEW,
        "said_yes": user.pk in said_yes,
        "bulk": review_queue.may_go_in_bulk(command),
        "is_mine": command.passed_to_id == user.pk,
    }


def colleagues(command: WriteCommand, user: User) -> QuerySet[User]:
    return treating.colleagues(command.patient).exclude(pk=user.pk).order_by("name")


def ended(command: WriteCommand) -> str | Promise:
    """Why it was not sent; empty where that is not so."""
    return ENDED.get(command.reason, ANY_ENDED) if command.status == Status.BLOCKED else ""


def _in_chart(requester: Requester, command: WriteCommand) -> dict[str, Any]:
    """The newest blood pressure in the chart, for the column "now"; `chart_down` where the EHR is."""
    if command.resource_type != "Observation":
        return {"now": None, "chart_down": False}
    try:
        found = records.search_as(requester, "Observation", ("code", BLOOD_PRESSURE))
    except records.Unavailable:
        return {"now": None, "chart_down": True}
    newest = max(found, key=lambda r: str(r.get("effectiveDateTime", "")), default=None)
    if newest is None:
        return {"now": None, "chart_down": False}
    systolic, diastolic = pressures_of(newest)
    now = {"systolic": systolic, "diastolic": diastolic, "taken_at": _when(newest)}
    return {"now": now, "chart_down": False}


def _when(resource: dict[str, Any]) -> datetime | None:
    try:
        return parse_datetime(str(resource.get("effectiveDateTime", "")))
    except ValueError:
        return None
