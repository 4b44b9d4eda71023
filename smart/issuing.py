"""The rows of what is given: one INSERT each, and one statement that ends a refresh token by its use.

The toolkit writes each row twice, and reads again what is at hand.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from oauth2_provider.models import set_token_value
from oauthlib.common import Request

from smart.models import AccessToken, Client, Grant, IDToken, RefreshToken

# The old access token goes with it; one that comes again after a lost answer keeps its first end.
USED = """
WITH used AS (
    UPDATE smart_refreshtoken SET revoked = %(now)s, updated = %(now)s, access_token_id = NULL
    WHERE id = %(id)s AND revoked IS NULL
)
DELETE FROM smart_accesstoken WHERE id = %(access)s
"""


def access_token(
    request: Request,
    token: Mapping[str, Any],
    *,
    source: Grant | AccessToken | RefreshToken | None,
    jkt: str,
    act: Mapping[str, Any] | None = None,
) -> AccessToken:
    """Write the access token of an answer. `source` is what it comes from, where that is no system itself."""
    id_token = getattr(request, "id_token", None)
    row = AccessToken(
        user=request.user,
        application=request.client,
        id_token=id_token if isinstance(id_token, IDToken) else None,
        source_refresh_token=source if isinstance(source, RefreshToken) else None,
        scope=token["scope"],
        expires=timezone.now() + timedelta(seconds=token["expires_in"]),
        jkt=jkt,
        act=dict(act or {}),
        **_carried(source),
    )
    set_token_value(row, token["access_token"])
    row.save(force_insert=True)
    return row


def refresh_token(
    request: Request, token: Mapping[str, Any], access: AccessToken, source: Grant | RefreshToken, jkt: str
) -> None:
    """Write the refresh token of an answer, and end the one that was used for it."""
    row = RefreshToken(
        user=request.user,
        application=request.client,
        access_token=access,
        scope=source.scope,
        expires_at=source.ends_at if isinstance(source, Grant) else source.expires_at,
        # Others prove themselves anyway (RFC 9449, 5).
        jkt=jkt if request.client.client_type == Client.CLIENT_PUBLIC else "",
        **_carried(source),
    )
    set_token_value(row, token["refresh_token"])
    row.save(force_insert=True)


def use(token: RefreshToken) -> None:
    """End a refresh token because a new one takes its place."""
    told: dict[str, Any] = {"now": timezone.now(), "id": token.pk, "access": token.access_token_id}
    with connection.cursor() as cursor:
        cursor.execute(USED, told)


def _carried(source: Grant | AccessToken | RefreshToken | None) -> dict[str, Any]:
    names = ("authorization_id", "patient", "launch", "authenticated_at", "token_family")
    return {name: getattr(source, name) for name in names} if source else {}
