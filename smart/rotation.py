"""When a refresh token comes a second time: an answer that was lost, or a theft (RFC 9700, 4.14.2)."""

from datetime import timedelta

from django.utils import timezone
from oauth2_provider.settings import oauth2_settings

from smart.models import AccessToken, RefreshToken

ARRIVED = "smart.arrived"  # where META keeps when a request was read; no header of HTTP has this name
RETRY = timedelta(seconds=60)  # in which a client whose answer was lost may refresh once more


def is_idle(token: RefreshToken) -> bool:
    """Whether it was not used for so long that it has ended: each use gives a new one."""
    longest = timedelta(seconds=oauth2_settings.REFRESH_TOKEN_EXPIRE_SECONDS)
    return token.access_token_id is None or token.created + longest <= timezone.now()


def retries(token: RefreshToken) -> bool:
    """Whether an answer was lost, and this is the client asking once more; the unused successor ends.

    Only the token just before, within RETRY, once, and only while its successor was not used. If
    it was a thief who asked, the successor comes back from its owner, and that ends the family.
    """
    if token.revoked is None or token.retried_at is not None or timezone.now() > token.revoked + RETRY:
        return False
    family = RefreshToken.objects.select_for_update().filter(token_family=token.token_family)
    successors = list(family.filter(pk__gt=token.pk))
    if len(successors) != 1 or successors[0].revoked is not None:
        return False
    now = timezone.now()
    RefreshToken.objects.filter(pk=token.pk).update(retried_at=now, updated=now)
    # Its successor was never used and gets no second use: if it comes back, two of them ask.
    RefreshToken.objects.filter(pk=successors[0].pk).update(revoked=now, retried_at=now, updated=now)
    AccessToken.objects.filter(source_refresh_token=token).delete()
    return True


def was_rotated(token: RefreshToken) -> bool:
    """One that was ended on purpose has no successor, and coming back is no theft."""
    successors = RefreshToken.objects.filter(token_family=token.token_family, pk__gt=token.pk)
    return token.revoked is not None and successors.exists()
