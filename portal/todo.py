"""What there is to do, out of what each room knows: the things that Home orders by `next_action`. Pure."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import npgettext, pgettext, pgettext_lazy

from consent.emergency_models import EmergencyAccess
from consent.models import Consent
from exports.models import ExportJob
from fhirproxy import reading as fhir
from fhirproxy.dates import date_words, time_words
from fhirproxy.models import WriteCommand
from fhirproxy.reading import Moment
from portal.models import Draft
from portal.next_action import Action, Rule
from portal.observations import Result
from portal.rows import Row


@dataclass(frozen=True, slots=True)
class Form:
    """What a draft is of, and the address that goes on with it, which takes its id."""

    name: Promise
    url_name: str


GO_ON = "portal:add-go-on"
FORMS: Mapping[str, Form] = {
    Draft.Form.SHARE: Form(
        pgettext_lazy("share.title", "Share with a doctor, clinic or person"), "portal:share-go-on"
    ),
    Draft.Form.WRONG: Form(pgettext_lazy("wrong.title", "Something looks wrong"), GO_ON),
    Draft.Form.DISAGREE: Form(pgettext_lazy("disagree.title", "Your statement"), GO_ON),
    Draft.Form.READING: Form(pgettext_lazy("add.bp", "Send a blood pressure"), GO_ON),
    Draft.Form.MESSAGE: Form(pgettext_lazy("sent.message", "Message to the care team"), GO_ON),
    Draft.Form.VISIT: Form(pgettext_lazy("sent.visit", "Request for a visit"), GO_ON),
    Draft.Form.ANSWERS: Form(pgettext_lazy("sent.answers", "Answers to a form"), GO_ON),
    Draft.Form.CONTACT: Form(pgettext_lazy("sent.contact", "Change of contact details"), GO_ON),
    Draft.Form.DOCUMENT: Form(pgettext_lazy("add.document", "Send a photo or a letter"), GO_ON),
}
NEW = timedelta(days=14)
SOON = timedelta(days=7)
READY = (ExportJob.Status.COMPLETED, ExportJob.Status.COMPLETED_WITH_GAPS)


def from_results(results: Iterable[Result], now: datetime) -> list[Action]:
    """Results of the last 14 days: those to look at soon one by one, the others by day."""
    recent = [(r, r.when) for r in results if r.when and now - NEW <= r.when.at <= now]
    actions = [_urgent(result, when) for result, when in recent if result.is_urgent]
    calm = [result for result, _ in recent if not result.is_urgent]
    for _, group in groupby(calm, key=lambda result: date_words(result.when)):
        actions.append(_new(list(group)))
    return actions


def _urgent(result: Result, when: Moment) -> Action:
    return Action(
        rule=Rule.SAFETY,
        at=when.at,
        heading=pgettext("home.urgent", "Call your clinic today"),
        text=pgettext(
            "home.urgent.text", "{name}, from {date}. The lab marked this one to look at soon."
        ).format(name=result.name, date=date_words(when)),
        url=reverse("portal:result", args=[result.id]),
        link=pgettext("home.urgent.link", "See the result"),
        chip=pgettext("home.urgent.chip", "Look soon"),
        chip_kind="bad",
        calls_clinic=True,
    )


def _new(results: list[Result]) -> Action:
    count, first = len(results), results[0]
    outside = sum(result.is_outside for result in results)
    said = pgettext("home.new.from", "From {date}.").format(date=date_words(first.when))
    if outside:
        said += " " + npgettext(
            "home.new.outside",
            "{count} is outside the usual range at the lab.",
            "{count} are outside the usual range at the lab.",
            outside,
        ).format(count=outside)
    return Action(
        rule=Rule.OUTSIDE if outside else Rule.NEW_RESULT,
        at=first.when.at if first.when else fhir.LONG_AGO,
        heading=npgettext(
            "home.new",
            "{count} test result in the last 2 weeks",
            "{count} test results in the last 2 weeks",
            count,
        ).format(count=count),
        text=said,
        url=reverse("portal:result", args=[first.id]) if count == 1 else reverse("portal:results"),
        link=npgettext("home.new.link", "See the result", "See the results", count),
        chip=pgettext("home.new.chip", "Last 2 weeks"),
        chip_kind="info",
    )


def from_emergencies(views: Iterable[EmergencyAccess]) -> list[Action]:
    """Each time a doctor opened the record in an emergency."""
    return [
        Action(
            rule=Rule.SAFETY,
            at=view.opened_at,
            heading=pgettext("home.reason", "A doctor who treats you opened your record and said why")
            if view.is_treating
            else pgettext("home.emergency", "A doctor opened your record in an emergency"),
            text=pgettext(
                "home.emergency.text", "It was on {date}. The clinic checks each time this happens."
            ).format(date=time_words(Moment(view.opened_at, "time"))),
            url=reverse("portal:activity"),
            link=pgettext("home.emergency.link", "See who looked"),
            chip=pgettext("home.reason.chip", "With a reason")
            if view.is_treating
            else pgettext("home.emergency.chip", "Emergency"),
            chip_kind="warn",
        )
        for view in views
    ]


def from_consents(consents: Iterable[Consent], now: datetime) -> list[Action]:
    """Sharing with an app that ends within 7 days."""
    ends = ((consent, consent.period_end) for consent in consents)
    return [
        Action(
            rule=Rule.DEADLINE,
            at=end,
            heading=pgettext("home.ends", "{app} stops seeing your records soon").format(
                app=consent.client.name
            ),
            text=pgettext("home.ends.text", "Your sharing ends on {date}.").format(
                date=date_words(Moment(end, "time"))
            ),
            url=reverse("portal:app", args=[consent.id]),
            link=pgettext("home.ends.link", "See what it can see"),
            chip=pgettext("chip.ends_soon", "Ends soon"),
            chip_kind="warn",
        )
        for consent, end in ends
        if consent.client and end and now < end <= now + SOON
    ]


def from_jobs(jobs: Iterable[ExportJob], now: datetime, saved: Container[str]) -> list[Action]:
    """Files that are ready and will be deleted within 7 days; not those in `saved` ("ExportJob/<uuid>")."""
    return [
        Action(
            rule=Rule.DEADLINE,
            at=job.expires_at,
            heading=pgettext("home.file", "Your file is ready"),
            text=pgettext("home.file.text", "You can save it until {date}. Then we delete it.").format(
                date=date_words(Moment(job.expires_at, "time"))
            ),
            url=reverse("portal:download", args=[job.id]),
            link=pgettext("home.file.link", "Save your file"),
            chip=pgettext("chip.ready", "Ready"),
            chip_kind="good",
        )
        for job in jobs
        if job.status in READY
        and f"ExportJob/{job.id}" not in saved
        and job.expires_at
        and now < job.expires_at <= now + SOON
    ]


def from_commands(commands: Iterable[WriteCommand]) -> list[Action]:
    """Readings that the clinic sent back."""
    return [
        Action(
            rule=Rule.DEADLINE,
            at=command.created_at,
            heading=pgettext("home.back", "Your clinic did not add what you sent"),
            text=pgettext("home.back.text", "They sent it back to you."),
            url=reverse("portal:add-sent", args=[command.id]),
            link=pgettext("home.back.link", "See what they say"),
            chip=pgettext("chip.needs_you", "Needs you"),
            chip_kind="warn",
        )
        for command in commands
        if command.status == WriteCommand.Status.SENT_BACK
    ]


def from_drafts(waiting: Iterable[Draft]) -> list[Action]:
    """What somebody began and did not finish, oldest first."""
    return [
        Action(
            rule=Rule.DRAFT,
            at=draft.saved_at,
            heading=pgettext("home.draft", "You did not finish this"),
            text=pgettext("home.draft.saved", "{what}. Saved on {date}. Not sent yet.").format(
                what=FORMS[draft.form].name, date=date_words(Moment(draft.saved_at, "time"))
            ),
            url=reverse(FORMS[draft.form].url_name, args=[draft.id]),
            link=pgettext("home.draft.link", "Go on"),
            chip=pgettext("home.draft.chip", "Not finished"),
            chip_kind="info",
        )
        for draft in waiting
    ]


def from_appointments(appointments: Iterable[Row]) -> list[Action]:
    """The next visit alone: the ones after it have their time."""
    coming = fhir.newest_first(row for row in appointments if row.is_current and row.when)[-1:]
    return [
        Action(
            rule=Rule.VISIT,
            at=row.when.at if row.when else fhir.LONG_AGO,
            heading=pgettext("home.visit", "Your next visit"),
            text=pgettext("home.visit.text", "{what}, on {date}.").format(
                what=row.name, date=time_words(row.when)
            ),
            url=reverse("portal:appointment", args=[row.id]) if row.id else reverse("portal:visits"),
            link=pgettext("home.visit.ready", "Get ready"),
            chip=pgettext("home.visit.chip", "Coming up"),
        )
        for row in coming
    ]
