"""How often somebody may enter a code that is not right: the try is counted before the code is looked at, so
that many at the same moment are not more than one after the other."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import CodeAttempt, User


@transaction.atomic
def spend(user: User, *, most: int, within: timedelta) -> CodeAttempt | None:
    """One try; None where there were `most` already. Who was right gives it back: `delete` it."""
    User.objects.select_for_update().get(pk=user.pk)
    if CodeAttempt.objects.filter(user=user, at__gt=timezone.now() - within).count() >= most:
        return None
    return CodeAttempt.objects.create(user=user)
