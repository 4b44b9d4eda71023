"""What notices are about, and how soon a person hears of each: at once, once a day, or only after sign-in."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum

from django.utils import timezone


class Topic(StrEnum):
    """Values are kept in preferences: never rename one."""

    SAFETY = "safety"  # who gets in, and to what: always at once
    SHARING = "sharing"
    HELPERS = "helpers"
    ANSWERS = "answers"
    FILES = "files"


class Delivery(StrEnum):
    NOW = "now"
    DAILY = "daily"
    PORTAL = "portal"  # no e-mail


# Of whom nothing was chosen. Many messages a day are among what people complain of most (ux.md, 1.2), so
# what does not wait for the person comes once a day.
DEFAULTS: Mapping[Topic, Delivery] = {
    Topic.SHARING: Delivery.DAILY,
    Topic.HELPERS: Delivery.DAILY,
    Topic.ANSWERS: Delivery.DAILY,
    Topic.FILES: Delivery.NOW,
}
DIGEST_AT = time(17, 0)  # by the clinic's clock


def next_digest(now: datetime) -> datetime:
    """The moment of the next daily e-mail after `now`."""
    local = timezone.localtime(now, timezone.get_default_timezone())
    today = timezone.make_aware(datetime.combine(local.date(), DIGEST_AT), timezone.get_default_timezone())
    return today if today > now else today + timedelta(days=1)
