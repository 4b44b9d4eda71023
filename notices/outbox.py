"""Sending what is due: at least once, by any number of workers. Notices go by e-mail.

A worker first takes a row by moving its due time ahead, in a short transaction, and then
sends without one. A second worker does not see it; if the first dies it comes due again.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import pgettext

from notices.kinds import KINDS
from notices.models import Notice, Outgoing

MOST_ATTEMPTS = 8  # over about four hours
FIRST_PAUSE = timedelta(minutes=1)  # doubles with each attempt; longer than a send may take
MOST_IN_ONE = 50  # notices in one daily e-mail
SEND_TIMEOUT = 20  # seconds for one answer of the mail server

Row = TypeVar("Row", bound=Outgoing)
log = structlog.get_logger("chartkey.notices")


def send_due(*, limit: int = 500) -> int:
    """Send what is due, oldest first, and say how many went out. One bad notice holds up no other."""
    sent_count = 0
    for _ in range(limit):
        notice = take_next()
        if notice is None:
            break
        sent_count += send(notice, with_others=take_of_the_day(notice) if notice.is_daily else ())
    return sent_count


def take_next() -> Notice | None:
    """The oldest notice that is due, ours alone until its next due time."""
    return take(Notice.objects.exclude(email=""), most=MOST_ATTEMPTS)


def take_of_the_day(first: Notice) -> list[Notice]:
    """All others that go with it in one e-mail, ours alone too."""
    same = Notice.objects.filter(
        is_daily=True, recipient=first.recipient, email=first.email, language=first.language
    )
    found: list[Notice] = []
    while len(found) < MOST_IN_ONE and (notice := take(same, most=MOST_ATTEMPTS)):
        found.append(notice)
    return found


def take(rows: QuerySet[Row], *, most: int) -> Row | None:
    """Of an outbox the oldest row that is due, and was tried less often than `most`, ours alone until
    its next due time."""
    with transaction.atomic():
        due = rows.filter(sent_at=None, due_at__lte=timezone.now(), attempts__lt=most)
        row = due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at").first()
        if row is not None:
            row.due_at = timezone.now() + FIRST_PAUSE * 2**row.attempts
            row.attempts += 1
            row.save(update_fields=["due_at", "attempts"])
    return row


def send(notice: Notice, with_others: Sequence[Notice] = ()) -> bool:
    """Send one e-mail now. A failure of any kind is logged, and tried again when it is due."""
    try:
        (digest([notice, *with_others]) if with_others else message(notice)).send()
    except Exception as error:  # a mail server, an address or a text may be at fault; the others go on
        log.warning("notice-not-sent", reason=type(error).__name__, count=notice.attempts)
        return False
    Notice.objects.filter(id__in=[each.id for each in (notice, *with_others)]).update(sent_at=timezone.now())
    return True


def message(notice: Notice) -> EmailMessage:
    """The notice as plain text in its reader's language."""
    kind = KINDS[notice.kind]
    with translation.override(notice.language):
        return _email(notice, str(kind.subject), [str(kind.body), _where(kind.path)])


def digest(notices: Sequence[Notice]) -> EmailMessage:
    """Several in one, each said once, in the order in which they came up."""
    kinds = dict.fromkeys(KINDS[n.kind] for n in sorted(notices, key=lambda n: n.created_at))
    with translation.override(notices[0].language):
        subject = pgettext("notice.digest.subject", "News about your records")
        said = [f"{kind.subject}.\n{kind.body}\n{_where(kind.path)}" for kind in kinds]
        return _email(notices[0], subject, said)


def _where(path: str) -> str:
    return pgettext("notice.link", "See more: %(link)s") % {"link": f"{settings.BASE_URL}{path}"}


def _email(notice: Notice, subject: str, parts: Sequence[str]) -> EmailMessage:
    """Its Message-ID is the notice's own, so that a mail server or reader can drop a second copy."""
    from_whom = pgettext(
        "notice.signature",
        "%(clinic)s, %(phone)s\nThis message has no health facts. You must sign in to see more.",
    ) % {"clinic": settings.CLINIC_NAME, "phone": settings.CLINIC_PHONE}
    return EmailMessage(
        subject,
        "\n\n".join([*parts, from_whom]),
        to=[notice.email],
        headers={"Message-ID": f"<{notice.id}@{urlsplit(settings.BASE_URL).hostname}>"},
        connection=get_connection(timeout=SEND_TIMEOUT),
    )


def line(notice: Notice) -> str:
    """What the portal shows for a notice, in the language that is active."""
    return str(KINDS[notice.kind].line) % notice.context
