"""`consent.explain` in words: who it is, whether they can see it, why in one sentence, where to change it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import pgettext_lazy

from consent.decision import Reason
from consent.explain import Kind, Viewer
from consent.merging import is_new_records
from consent.models import Consent
from fhirproxy.dates import date_words
from fhirproxy.reading import Moment
from portal import consent_facts

CAN_SEE = pgettext_lazy("viewer.can", "Can see it")
CANNOT_SEE = pgettext_lazy("viewer.cannot", "Cannot see it")
YOU = pgettext_lazy("viewer.you", "You")

ALWAYS = pgettext_lazy("viewer.why.always", "You can always see your own records.")
SHARED = pgettext_lazy("viewer.why.shared", "You shared this with {name}.")
SHARED_UNTIL = pgettext_lazy("viewer.why.shared_until", "You shared this with {name} until {date}.")
SHARING = pgettext_lazy("viewer.why.sharing", "You share with {name}.")
SHARING_UNTIL = pgettext_lazy("viewer.why.sharing_until", "You share with {name} until {date}.")
USUAL_SHARE = pgettext_lazy("viewer.why.usual_share", "{name} can see this to care for you.")
PAUSED_SHARE = pgettext_lazy(
    "viewer.why.paused_share", "You paused this. If they treat you, they see what your care team sees."
)
JOINED_SHARE = pgettext_lazy(
    "viewer.why.joined_share",
    "We paused this when more records came to yours. If they treat you, they see what your care team sees.",
)
JOINED = pgettext_lazy("viewer.no.joined", "We paused this when more records came to yours.")
CHOSEN = pgettext_lazy("viewer.why.chosen", "You said yes to this.")
SAID_NO = pgettext_lazy("viewer.why.said_no", "You said no to this.")
USUAL = pgettext_lazy("viewer.why.usual", "This is the usual rule. You chose nothing else.")

# Why somebody who has a consent, or a use that has a rule, does not see it. Total over Reason.
WHY_NOT: Mapping[Reason, Promise] = {
    Reason.SCOPE: pgettext_lazy("viewer.no.scope", "{name} did not ask to see this."),
    Reason.NO_CONSENT: pgettext_lazy("viewer.no.none", "Nobody sees this unless you say yes."),
    Reason.PROPOSED: pgettext_lazy("viewer.no.proposed", "You did not agree to this yet."),
    Reason.PAUSED: pgettext_lazy("viewer.no.paused", "You paused all sharing."),
    Reason.REVOKED: pgettext_lazy("viewer.no.revoked", "You stopped sharing with {name}."),
    Reason.EXPIRED: pgettext_lazy("viewer.no.expired", "Your sharing with {name} has ended."),
    Reason.CHANGED: pgettext_lazy("viewer.no.changed", "Your choices changed just now. Look again."),
    Reason.CATEGORY: pgettext_lazy(
        "viewer.no.category", "You did not share this kind of record with {name}."
    ),
    Reason.PURPOSE: pgettext_lazy("viewer.no.purpose", "You did not share this for that use."),
    Reason.WRITE: pgettext_lazy("viewer.no.write", "You did not let {name} send new things."),
    Reason.DENIED: pgettext_lazy("viewer.no.denied", "You asked to keep this from them."),
    Reason.SENSITIVE: pgettext_lazy("viewer.no.sensitive", "This is private and needs a clear yes from you."),
    Reason.TEEN: pgettext_lazy("viewer.no.teen", "This is private for teens."),
    Reason.OF_AGE: pgettext_lazy("viewer.no.of_age", "You are an adult now, and you choose who helps you."),
    Reason.HOLD: pgettext_lazy("viewer.no.hold", "Your clinic must check this first."),
    Reason.ROLE: pgettext_lazy("viewer.no.role", "This is not part of their work."),
    Reason.MINIMUM: pgettext_lazy("viewer.no.minimum", "Their work does not need this kind of record."),
    Reason.WATCHED: pgettext_lazy("viewer.no.watched", "They see this only after they say why."),
    Reason.CLIENT_SUSPENDED: pgettext_lazy(
        "viewer.no.suspended", "We are checking this app. It sees nothing until then."
    ),
    Reason.CLIENT_ON_TRIAL: pgettext_lazy(
        "viewer.no.on_trial", "Nobody here has checked this app yet. It sees nothing until then."
    ),
    Reason.ACCOUNT_CLOSED: pgettext_lazy("viewer.no.closed", "The account is closed."),
    Reason.TOKEN: pgettext_lazy("viewer.no.token", "The access has ended."),
    Reason.SIGN_IN: pgettext_lazy("viewer.no.sign_in", "You have to sign in to it again first."),
    Reason.NOT_YOURS: pgettext_lazy("viewer.no.not_yours", "This is not in your record."),
    Reason.POLICY_DOWN: pgettext_lazy(
        "viewer.no.policy_down", "We cannot check the rules just now, so the answer is no."
    ),
}


@dataclass(frozen=True, slots=True)
class Use:
    """One use of records that holds, or not, by default: what it is called and what it means."""

    name: Promise
    what: Promise
    no: Promise  # what a no means


USES: Mapping[str, Use] = {
    "treatment": Use(
        pgettext_lazy("use.treatment", "Your care team"),
        pgettext_lazy("use.treatment.what", "Doctors and nurses who treat you see your records."),
        pgettext_lazy(
            "use.treatment.no",
            "They will not see your records here, even when they treat you. This can make your care harder.",
        ),
    ),
    "emergency": Use(
        pgettext_lazy("use.emergency", "Emergency care"),
        pgettext_lazy("use.emergency.what", "Those who treat you in an emergency see your records."),
        pgettext_lazy(
            "use.emergency.no",
            "They will not see your records, even if you cannot speak for yourself. This can harm you.",
        ),
    ),
    "payment": Use(
        pgettext_lazy("use.payment", "Paying for your care"),
        pgettext_lazy("use.payment.what", "Your clinic and your health plan use your records for bills."),
        pgettext_lazy("use.payment.no", "Your health plan may then not pay. You may have to pay yourself."),
    ),
    "operations": Use(
        pgettext_lazy("use.operations", "Running the clinic"),
        pgettext_lazy("use.operations.what", "Your clinic uses records to check its work and train staff."),
        pgettext_lazy("use.operations.no", "Your clinic will not use your records for this."),
    ),
    "research": Use(
        pgettext_lazy("use.research", "Research"),
        pgettext_lazy("use.research.what", "Researchers use records to learn how to treat people."),
        pgettext_lazy("use.research.no", "Researchers will not use your records."),
    ),
}
OTHER_USE = Use(
    pgettext_lazy("use.other", "Another use of your records"),
    pgettext_lazy("use.other.what", "Your clinic can tell you what this use is."),
    pgettext_lazy("use.other.no", "Your records will not be used for this."),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    kind: Kind
    name: str | Promise
    permitted: bool
    why: SafeString
    url: str = ""  # where it is changed
    what: str | Promise = ""  # what a use is, which kinds of record are shared
    paused: bool = False
    joined: bool = False  # paused by us, since records were joined

    @property
    def chip(self) -> tuple[Promise, str]:
        return (CAN_SEE, "good") if self.permitted else (CANNOT_SEE, "off")


def use(directive: str) -> Use:
    return USES.get(directive, OTHER_USE)


def row(viewer: Viewer, names: Mapping[str, str], *, whole: bool = False) -> Row:
    """`names` maps FHIR references of organisations and practitioners to names.

    `whole`: it is about all of the records, not one of them.
    """
    name = _name(viewer, names)
    paused = viewer.consent is not None and viewer.consent.status == Consent.Status.PAUSED
    joined = paused and viewer.consent is not None and is_new_records(viewer.consent)
    return Row(
        kind=viewer.kind,
        name=name,
        permitted=viewer.permitted,
        why=_why(viewer, name, whole=whole, paused=paused, joined=joined),
        url=_url(viewer),
        what=_what(viewer) if whole else "",
        paused=paused,
        joined=joined,
    )


def _what(viewer: Viewer) -> str | Promise:
    """What a use is; of a sharing, the kinds of record that it is about."""
    if viewer.kind in (Kind.CARE_TEAM, Kind.USE):
        return use(viewer.reference).what
    if viewer.kind is Kind.PATIENT or viewer.consent is None:
        return ""
    return ", ".join(str(kind) for kind in consent_facts.facts(viewer.consent).can_see)


def _name(viewer: Viewer, names: Mapping[str, str]) -> str | Promise:
    match viewer.kind:
        case Kind.PATIENT:
            return YOU
        case Kind.CARE_TEAM | Kind.USE:
            return use(viewer.reference).name
        case Kind.SHARE if viewer.consent:
            return names.get(viewer.reference) or consent_facts.name_of(viewer.consent)
    return viewer.name


def _why(viewer: Viewer, name: str | Promise, *, whole: bool, paused: bool, joined: bool) -> SafeString:
    """One sentence. A choice of the patient's own is what speaks, where there is one."""
    until = date_words(Moment(viewer.until, "time")) if viewer.until else ""
    text: str | Promise
    values = {"name": format_html("<bdi>{}</bdi>", name), "date": until}
    if viewer.kind is Kind.PATIENT and viewer.permitted:
        text = ALWAYS
    elif viewer.reason is Reason.DENIED and viewer.chosen is False:
        text = SAID_NO
    elif viewer.reason is Reason.PAUSED and joined:
        text = JOINED
    elif viewer.reason is not None:
        text = WHY_NOT[viewer.reason]
    elif viewer.kind in (Kind.CARE_TEAM, Kind.USE):
        text = CHOSEN if viewer.chosen else USUAL
    elif paused:
        text = JOINED_SHARE if joined else PAUSED_SHARE
    elif whole:
        text = SHARING_UNTIL if until else SHARING
    elif viewer.kind is Kind.SHARE and viewer.by_default:
        text = USUAL_SHARE
    else:
        text = SHARED_UNTIL if until else SHARED
    return format_html(str(text), **values)


def _url(viewer: Viewer) -> str:
    if viewer.kind is Kind.APP and viewer.consent:
        return reverse("portal:app", args=[viewer.consent.pk])
    if viewer.kind in (Kind.HELPER, Kind.SHARE) and viewer.consent:
        return reverse("portal:share", args=[viewer.consent.pk])
    if viewer.kind in (Kind.CARE_TEAM, Kind.USE):
        return reverse("portal:sharing-use", args=[viewer.reference])
    return ""
