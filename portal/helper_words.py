"""What pages say about helpers: levels, states, reasons, birthdays. Whole sentences."""

from collections.abc import Mapping
from datetime import date

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import pgettext, pgettext_lazy

from accounts.models import Patient, RelatedPerson, RelatedPersonChange
from accounts.relation_states import Why
from consent import ages, birthdays, helper_rights
from consent.decision import Reason
from consent.vocabulary import TOPICS, Category
from consent.words import CATEGORY, TOPIC

LEVELS: Mapping[str, tuple[Promise, Promise]] = {
    "visits": (
        pgettext_lazy("helper.level.visits", "Visits only"),
        pgettext_lazy("helper.level.visits.what", "Visits, when they are, and who takes care of you."),
    ),
    "daily": (
        pgettext_lazy("helper.level.daily", "Day-to-day care"),
        pgettext_lazy("helper.level.daily.what", "Visits, medicines, allergies, vaccines and care plans."),
    ),
    "most": (
        pgettext_lazy("helper.level.most", "Most records"),
        pgettext_lazy("helper.level.most.what", "All of that, and test results, notes and the rest."),
    ),
    "own": (
        pgettext_lazy("helper.level.own", "Let me choose"),
        pgettext_lazy("helper.level.own.what", "You choose each kind of record."),
    ),
}
RELATIONSHIPS: Mapping[str, Promise] = {
    "PRN": pgettext_lazy("helper.is.parent", "Parent"),
    "SPS": pgettext_lazy("helper.is.spouse", "Husband, wife or partner"),
    "CHILD": pgettext_lazy("helper.is.child", "Grown child"),
    "GUARD": pgettext_lazy("helper.is.guardian", "Guardian"),
    "FRND": pgettext_lazy("helper.is.friend", "Friend or other person"),
}
BASES: Mapping[str, Promise] = {
    "choice": pgettext_lazy("helper.basis.choice", "You chose them."),
    "parent": pgettext_lazy("helper.basis.parent", "They are a parent."),
    "guardian": pgettext_lazy("helper.basis.guardian", "A court made them guardian."),
    "attorney": pgettext_lazy("helper.basis.attorney", "There is a signed paper that lets them decide."),
    "capacity": pgettext_lazy("helper.basis.capacity", "A doctor and a court said that they decide."),
    "estate": pgettext_lazy("helper.basis.estate", "They settle what a person who died left."),
}
# The chip of a state, and its look.
CHIPS: Mapping[str, tuple[Promise, str]] = {
    "asked": (pgettext_lazy("chip.waiting", "Waiting"), "info"),
    "confirmed": (pgettext_lazy("chip.on", "On"), "good"),
    "narrowed": (pgettext_lazy("helper.chip.narrowed", "Sees less"), "good"),
    "denied": (pgettext_lazy("chip.refused", "Not agreed"), "off"),
    "ended": (pgettext_lazy("chip.ended", "Ended"), "off"),
    "expired": (pgettext_lazy("chip.ended", "Ended"), "off"),
    "revoked": (pgettext_lazy("chip.stopped", "Stopped"), "off"),
}
STEPS: Mapping[Why, Promise] = {
    Why.REQUESTED: pgettext_lazy("helper.step.requested", "They asked to help."),
    Why.CODE_TAKEN: pgettext_lazy("helper.step.code-taken", "They used the code and can help."),
    Why.MORE_EVIDENCE: pgettext_lazy("helper.step.more-evidence", "Your clinic asked to see more."),
    Why.EVIDENCE_SEEN: pgettext_lazy("helper.step.evidence-seen", "Your clinic checked it and said yes."),
    Why.EVIDENCE_REFUSED: pgettext_lazy("helper.step.evidence-refused", "Your clinic said no."),
    Why.WITHDRAWN: pgettext_lazy("helper.step.withdrawn", "They took the request back."),
    Why.NOT_ANSWERED: pgettext_lazy("helper.step.not-answered", "Nobody answered in time."),
    Why.PATIENT_NARROWED: pgettext_lazy("helper.step.patient-narrowed", "You changed what they see."),
    Why.PATIENT_WIDENED: pgettext_lazy("helper.step.patient-widened", "You let them see more."),
    Why.TEEN_ASSENT: pgettext_lazy("helper.step.teen-assent", "You gave back some kinds of record."),
    Why.TEEN_AGE: pgettext_lazy("helper.step.teen-age", "Your age made some records private."),
    Why.RENEWED: pgettext_lazy("helper.step.renewed", "You said that they can go on."),
    Why.PATIENT_STOPPED: pgettext_lazy("helper.step.patient-stopped", "You stopped it."),
    Why.STAFF_STOPPED: pgettext_lazy("helper.step.staff-stopped", "Your clinic stopped it."),
    Why.HELPER_STOPPED: pgettext_lazy("helper.step.helper-stopped", "They stopped it."),
    Why.OF_AGE: pgettext_lazy("helper.step.of-age", "You became an adult."),
    Why.EMANCIPATED: pgettext_lazy("helper.step.emancipated", "The law treats you as an adult."),
    Why.MERGED: pgettext_lazy("helper.step.merged", "Two records of yours became one."),
    Why.TIME_OVER: pgettext_lazy("helper.step.time-over", "The time was over."),
    Why.PATIENT_DIED: pgettext_lazy("helper.step.patient-died", "The clinic noted a death."),
    Why.CAN_DECIDE: pgettext_lazy("helper.step.can-decide", "Your clinic says that you decide for yourself."),
    Why.HELPER_LEFT: pgettext_lazy("helper.step.helper-left", "Their account was closed."),
}
CHECK = (pgettext_lazy("helper.chip.check", "Needs a check"), "warn")
# Why a command was refused (`accounts.relations.Refused`). Total over what it raises: a test.
REFUSED: Mapping[str, Promise] = {
    "helper.code": pgettext_lazy(
        "helper.no.code", "This code is not right, or it is too old. Ask for a new one."
    ),
    "helper.attempts": pgettext_lazy("helper.no.attempts", "Too many wrong codes. Wait 15 minutes."),
    "helper.self": pgettext_lazy("helper.no.self", "You cannot be your own helper."),
    "helper.duplicate": pgettext_lazy("helper.no.duplicate", "You are already a helper of this person."),
    "helper.circular": pgettext_lazy(
        "helper.no.circular", "This person already decides for you. So you cannot decide for them."
    ),
    "helper.staff": pgettext_lazy(
        "helper.no.staff", "You treat this person. So you cannot be their helper too."
    ),
    "helper.age": pgettext_lazy("helper.no.age", "The age of one of you does not allow this."),
    "helper.basis": pgettext_lazy("helper.no.basis", "This reason does not fit who you are to each other."),
    "helper.past": pgettext_lazy("helper.no.past", "Choose an end that is still to come."),
    "helper.nothing": pgettext_lazy("helper.no.nothing", "Choose at least one kind of record."),
    "helper.many": pgettext_lazy(
        "helper.no.many", "You have 5 codes that wait. Take one back before you make a new one."
    ),
    "helper.changed": pgettext_lazy(
        "helper.no.changed", "This helper was changed in another window. Look again, then choose."
    ),
    "helper.over": pgettext_lazy("helper.no.over", "This help has ended. Nothing was changed."),
    "helper.state": pgettext_lazy("helper.no.state", "This cannot be done now. Nothing was changed."),
    "helper.evidence": pgettext_lazy("helper.no.evidence", "Some of what must be shown is missing."),
    "helper.law": pgettext_lazy(
        "helper.no.law", "The law lets them help you. Only your clinic can change this. Call them."
    ),
    "evidence.type": pgettext_lazy(
        "helper.no.evidence-type", "This file is not a photo (JPEG or PNG) or a PDF, or it is cut off."
    ),
    "evidence.size": pgettext_lazy(
        "helper.no.evidence-size", "This file is too big. Send one of 5 MB or less."
    ),
    "evidence.count": pgettext_lazy(
        "helper.no.evidence-count", "You sent as many files as we can take. Take one back to send another."
    ),
    "evidence.state": pgettext_lazy(
        "helper.no.evidence-state", "Your request was answered. Nothing was changed."
    ),
    "evidence.gone": pgettext_lazy("helper.no.evidence-gone", "This file was destroyed."),
    "role.not-allowed": pgettext_lazy("helper.no.role", "You cannot decide this."),
}


def refused(code: str) -> str:
    return str(REFUSED.get(code, REFUSED["helper.state"]))


def why_over(standing: helper_rights.Standing) -> SafeString:
    """Why somebody can no longer, or not yet, act: one sentence for the helper."""
    name, day = standing.relation.patient.name, _day(standing)
    match standing.reason:
        case Reason.HOLD:
            text = pgettext("acting.check", "Your clinic must check this first. Then you can act for {name}.")
        case Reason.OF_AGE:
            text = pgettext(
                "acting.of_age", "{name} is an adult now. So your help ended. {name} can choose you again."
            )
        case Reason.NO_CONSENT:
            text = pgettext("acting.denied", "The answer was no. You cannot act for {name}.")
        case _ if day:
            text = pgettext(
                "acting.ended", "Your help for {name} ended on {date}. You can no longer see this record."
            )
        case _:
            text = pgettext("acting.ended.undated", "Your help for {name} has ended.")
    return format_html(text, name=format_html("<bdi>{}</bdi>", name), date=day)


def state_words(standing: helper_rights.Standing) -> SafeString:
    """The state of one relationship, for its helper."""
    if standing.reason is not None:
        return why_over(standing)
    relation = standing.relation
    if relation.status == RelatedPerson.Status.NARROWED:
        changed = relation.changes.order_by("-number").first()
        day = date_format(timezone.localtime(changed.made_at).date(), "DATE_FORMAT") if changed else ""
        if relation.reason == Why.TEEN_AGE:
            text = pgettext(
                "acting.narrowed.teen", "You see less since {date}. Some records are private for teens."
            )
        else:
            text = pgettext("acting.narrowed", "What you see changed on {date}.")
        return format_html(text, date=day) if day else SafeString("")
    if relation.period_end:
        end = date_format(timezone.localtime(relation.period_end).date(), "DATE_FORMAT")
        return format_html(pgettext("acting.state.until", "You can help until {date}."), date=end)
    return SafeString("")


def birthday_soon(relation: RelatedPerson) -> SafeString | str:
    """What a birthday in the next 30 days will change for this helper; empty where there is none."""
    kind = birthdays.coming(relation.patient)
    if not kind or helper_rights.is_past_teen_rules(relation):
        return ""
    law = ages.law_of(relation.patient)
    age = law.teen_from if kind == "teen_soon" else law.minor_until
    day = date_format(birthdays.birthday(relation.patient, age), "DATE_FORMAT")
    if kind == "teen_soon":
        text = pgettext(
            "acting.teen",
            "On {date}, {name} turns {age}. Then you will see less. "
            "The law gives teens some privacy, so they can talk freely with their doctor.",
        )
    elif relation.basis == RelatedPerson.Basis.PARENT:
        text = pgettext("acting.adult", "On {date}, {name} turns {age}. Then your help ends.")
    else:
        return ""
    return format_html(text, date=day, name=format_html("<bdi>{}</bdi>", relation.patient.name), age=age)


def own_birthday_soon(patient: Patient) -> str:
    """What a birthday in the next 30 days will change for the patient; empty where there is none."""
    kind, law = birthdays.coming(patient), ages.law_of(patient)
    if not kind:
        return ""
    age = law.teen_from if kind == "teen_soon" else law.minor_until
    text = (
        pgettext("helpers.soon.teen", "On {date}, you turn {age}. Then your helpers will see less.")
        if kind == "teen_soon"
        else pgettext("helpers.soon.adult", "On {date}, you turn {age}. Then you choose who helps you.")
    )
    return text.format(date=date_format(birthdays.birthday(patient, age), "DATE_FORMAT"), age=age)


def sees(relation: RelatedPerson) -> list[Promise]:
    """The kinds of record that this helper can see now, after every rule."""
    now = helper_rights.visible(relation, timezone.now())
    return [CATEGORY[category] for category in Category if category in now]


def hides(relation: RelatedPerson) -> list[Promise]:
    """The kinds that their age takes from a helper who was given them."""
    _, kinds = helper_rights.hidden(relation, timezone.now())
    taken = helper_rights.categories_now(relation) & set(kinds)
    return [CATEGORY[category] for category in Category if category in taken]


def steps(relation: RelatedPerson) -> list[tuple[RelatedPersonChange, Promise]]:
    """What became of it, the newest first."""
    return [(step, STEPS[Why(step.reason)]) for step in relation.changes.order_by("-number")[:20]]


def private_topics() -> list[Promise]:
    return [TOPIC[topic.code] for topic in TOPICS]


def chip(relation: RelatedPerson) -> tuple[Promise, str]:
    """By what holds now, not only by what was written down."""
    reason = helper_rights.standing(relation).reason
    if reason is Reason.HOLD and relation.status != RelatedPerson.Status.ASKED:
        return CHECK
    if reason in (Reason.EXPIRED, Reason.OF_AGE):
        return CHIPS["expired"]
    return CHIPS[relation.status]


def _day(standing: helper_rights.Standing) -> str:
    moment = standing.since
    day: date | None = timezone.localtime(moment).date() if moment else None
    return date_format(day, "DATE_FORMAT") if day else ""
