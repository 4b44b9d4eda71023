"""Somebody opens a link: may it be opened, by this passcode, at this moment; what it shows; who says so.

The use is taken and the wrong passcode counted under the patient's lock, so that parallel requests are one
after the other. What leaves is recorded in the statement that looks at the consent for the last time, as
the gate does it.
"""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from audit.events import EventType
from audit.log import ANONYMOUS, Entry, Outcome, record
from consent import commands as consents
from consent import versions
from consent.requester import Requester
from consent.vocabulary import Purpose
from exports.link_models import HealthLink, HealthLinkFile, HealthLinkOpening
from exports.shl import content, payload
from exports.shl.payload import Secret
from fhirproxy import budgets
from fhirproxy.outcomes import EhrFailure, Refusal

AT_ADDRESS = timedelta(minutes=15)  # the specification: one hour at most


class Why(StrEnum):
    """Values are kept in the log: never rename one."""

    UNKNOWN = "link.unknown"
    ENDED = "link.ended"
    PASSCODE = "link.passcode"


@dataclass(frozen=True, slots=True)
class Asked:
    """What came with the request. `recipient` is anybody's text."""

    recipient: str
    passcode: str = ""
    embedded_max: int | None = None
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One file: itself, or the address at which it stands for a while."""

    link: HealthLink
    body: str
    made_at: datetime
    address: str = ""


class Gone(Exception):
    """There is no such link, or it has ended: nobody learns which."""


@dataclass
class WrongPasscode(Exception):
    remaining: int = field(default=0)


def answer(address: str, asked: Asked) -> Shown:
    """Raises Gone, WrongPasscode, and Refusal: 429, or 503 where no EHR answers now."""
    link = _link(address)
    if link is None:
        _record(Why.UNKNOWN)
        raise Gone
    budgets.admit_link(link.pk)
    is_right = not link.passcode_hash or check_password(asked.passcode, link.passcode_hash)  # takes a while
    opening = HealthLinkOpening(link=link, recipient=asked.recipient, opened=False)
    if why := _take(link, opening, asked, is_right=is_right):
        raise WrongPasscode(link.attempts_left) if why is Why.PASSCODE else Gone
    requester = content.requester_of(link)
    try:
        file = _file(link, requester)
    except Refusal as refusal:
        _give_back(link)
        if isinstance(refusal, EhrFailure) or refusal.status >= 500:
            raise Refusal(503, refusal.diagnostics, {"Retry-After": "60"}) from refusal
        raise Gone from refusal
    shown = _let_out(link, opening, file, requester, asked)
    if shown is None:
        raise Gone
    return shown


def at_address(address: str) -> str:
    """The file that stands at an address of its own. Raises Gone."""
    found = HealthLinkFile.objects.select_related("link__consent", "link__made_by", "link__helper", "opening")
    file = found.filter(address_hash=payload.digest(address), ends_at__gt=timezone.now()).first()
    if file is None:
        _record(Why.UNKNOWN)
        raise Gone
    budgets.admit_link(file.link.pk)
    requester = content.requester_of(file.link)
    stands = file.link.stands and content.basis_of(requester) == file.basis
    if not stands or not _record_permit(file.link, file.opening, requester):
        _record(Why.ENDED, file.link, file.opening)
        raise Gone
    return file.body


def _link(address: str) -> HealthLink | None:
    found = HealthLink.objects.select_related("consent", "made_by", "helper")
    return found.filter(address_hash=payload.digest(address)).first()


@transaction.atomic
def _take(link: HealthLink, opening: HealthLinkOpening, asked: Asked, *, is_right: bool) -> Why | None:
    """Count one use, or one wrong passcode. Nothing at all was tried where no passcode came."""
    versions.lock(link.consent.patient_id)
    link.refresh_from_db()
    link.consent.refresh_from_db()
    if not link.can_be_opened or link.is_direct != asked.direct:
        _refuse(opening, Why.ENDED)
        return Why.ENDED
    if not is_right:
        if asked.passcode:
            link.attempts_left -= 1
            link.save(update_fields=["attempts_left"])
        _refuse(opening, Why.PASSCODE)
        if not link.attempts_left:
            consents.lapse(link.consent)
        return Why.PASSCODE
    if link.opens_left is not None:
        link.opens_left -= 1
        link.save(update_fields=["opens_left"])
    return None


def _give_back(link: HealthLink) -> None:
    """A use that came to nothing."""
    HealthLink.objects.filter(pk=link.pk, opens_left__isnull=False).update(opens_left=F("opens_left") + 1)


def _file(link: HealthLink, requester: Requester) -> HealthLinkFile:
    """What the link shows now, as a row that is not kept yet. Raises Refusal.

    A live one is read afresh. Of any other it is asked whether it would be decided in the same way today.
    """
    basis = content.basis_of(requester)
    if link.is_live:
        key = Secret.unsealed(link.sealed).key
        body = payload.encrypted(content.document(link, requester), key)
        return HealthLinkFile(link=link, body=body, basis=basis)
    kept = link.files.filter(address_hash="", basis=basis).first()
    if kept is None:
        consents.lapse(link.consent)
        raise Refusal(404, "It was decided by rules that have changed.")
    return kept


@transaction.atomic
def _let_out(
    link: HealthLink, opening: HealthLinkOpening, file: HealthLinkFile, requester: Requester, asked: Asked
) -> Shown | None:
    """The last look and the record; None where it has ended in the meantime."""
    versions.lock(link.consent.patient_id)
    opening.opened = True
    opening.save()
    if not _record_permit(link, opening, requester):
        opening.opened = False
        _refuse(opening, Why.ENDED)
        return None
    shown = Shown(link, file.body, file.made_at)
    fits = asked.embedded_max is None or len(file.body) <= asked.embedded_max
    if not fits and not asked.direct:
        shown = replace(shown, address=_keep_at_address(link, opening, file))
    elif link.opens_left == 0:
        consents.lapse(link.consent)
    return shown


def _keep_at_address(link: HealthLink, opening: HealthLinkOpening, file: HealthLinkFile) -> str:
    address = secrets.token_urlsafe(32)
    HealthLinkFile.objects.create(
        link=link,
        opening=opening,
        address_hash=payload.digest(address),
        body=file.body,
        basis=file.basis,
        made_at=file.made_at,
        ends_at=timezone.now() + AT_ADDRESS,
    )
    return address


def _refuse(opening: HealthLinkOpening, why: Why) -> None:
    opening.save()
    _record(why, opening.link, opening)


def _record_permit(link: HealthLink, opening: HealthLinkOpening | None, requester: Requester) -> bool:
    """False where the consent has ended in the meantime: then nothing may leave."""
    if requester.missing:
        return False
    entry = _entry(Outcome.PERMIT, link, opening)
    return record(entry, only_if=requester.still_in_force()) is not None


def _record(why: Why, link: HealthLink | None = None, opening: HealthLinkOpening | None = None) -> None:
    record(replace(_entry(Outcome.DENY, link, opening), reasons=(why.value,)))


def _entry(outcome: Outcome, link: HealthLink | None, opening: HealthLinkOpening | None) -> Entry:
    """The words of who opened it are in `HealthLinkOpening`: the log takes no free text."""
    plain = Entry(
        type=EventType.LINK_OPEN,
        outcome=outcome,
        actor=f"HealthLinkOpening/{opening.pk}" if opening else ANONYMOUS,
        purpose=Purpose.PATRQT,
    )
    if link is None:
        return plain
    return replace(
        plain,
        patient=f"Patient/{link.consent.patient_id}",
        consent=f"Consent/{link.consent_id}",
        consent_number=link.consent.current_number,
        categories=tuple(sorted(link.consent.current.permit.categories)),
        target=f"HealthLink/{link.pk}",
    )
