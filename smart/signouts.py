"""An app signs its person out here as well: OpenID Connect RP-Initiated Logout 1.0.

The endpoint only checks and hands on: what it checked travels in one signed value, without the
id_token, to the page where the person's own cookie counts. So a form of any site may post here, and
nobody is signed out by it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.core import signing
from django.http import QueryDict
from django.utils.crypto import constant_time_compare, salted_hmac
from jwcrypto.jwk import JWK
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import add_params_to_uri

from smart import identity, jwts
from smart.jwts import BadToken
from smart.models import Client

HOLDS = 300  # seconds between the endpoint and the answer on the page
SALT = "smart.signouts"
TAKEN = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")  # of other parameters nothing
LONGEST = 2000  # characters of `state`


class NotAsked(ValueError):
    """Not a request that can be followed: nobody is signed out, and nothing is redirected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """What an app asked for, checked. `sub` and `sid` are of its id_token, empty without one."""

    client_id: str = ""
    back: str = ""  # where to go afterwards, registered; empty: nowhere
    sub: str = ""
    sid: str = ""

    def needs_a_yes(self, *, user_id: str, session_key: str) -> bool:
        """Whether the person must be asked: unless the app shows the id_token of this very session (2)."""
        own = self.sub == user_id and constant_time_compare(self.sid, sid_of(session_key))
        return not (self.sub and self.sid and own)


def sid_of(session_key: str) -> str:
    """The name of a session in id_tokens (`sid`): nobody can tell the session's key from it."""
    return salted_hmac("smart.sid", session_key, algorithm="sha256").hexdigest()[:32]


def receive(said: QueryDict) -> str:
    """Check a request, and keep it in a value for `read`. Raises NotAsked."""
    if any(len(said.getlist(name)) > 1 for name in TAKEN):
        raise NotAsked("a parameter stands there twice")
    given = {name: said.get(name, "") for name in TAKEN}
    if "\x00" in "".join(given.values()) or len(given["state"]) > LONGEST:
        raise NotAsked("a parameter cannot be read")
    claims = _claims(given["id_token_hint"]) if given["id_token_hint"] else {}
    client_id = given["client_id"] or str(claims.get("aud", ""))
    if claims and not jwts.one_of(claims.get("aud"), {client_id}):
        raise NotAsked("the id_token is of another client")
    client = Client.objects.filter(client_id=client_id).first() if client_id else None
    if client_id and client is None:
        raise NotAsked("there is no such client")
    back = given["post_logout_redirect_uri"]
    if back and not (client and client.is_usable(None) and back in client.post_logout_redirect_uris.split()):
        raise NotAsked("this client has not registered the address")
    if back and given["state"]:
        back = str(add_params_to_uri(back, [("state", given["state"])]))
    asked = SignOut(
        client_id=client_id, back=back, sub=str(claims.get("sub", "")), sid=str(claims.get("sid", ""))
    )
    return signing.dumps(asdict(asked), salt=SALT, compress=True)


def read(value: str) -> SignOut:
    """What `receive` kept. Raises NotAsked where it is not ours, or too old."""
    try:
        return SignOut(**signing.loads(value, salt=SALT, max_age=HOLDS))
    except (signing.BadSignature, TypeError, ValueError) as error:
        raise NotAsked("it is not ours, or too old") from error


def _claims(hint: str) -> Mapping[str, object]:
    """Of an id_token that we signed, by whichever key; also of one that has run out (2.)."""
    try:
        header, claims = jwts.parts_of(hint)
        found = [k for k in identity.published_keys() if k["kid"] == header.get("kid")]
        if len(found) != 1 or header.get("alg") != found[0]["alg"]:
            raise BadToken("there is no one key with this kid")
        jwts.verify(hint, JWK.from_json(json.dumps(found[0])), found[0]["alg"])
    except BadToken as error:
        raise NotAsked(str(error)) from error
    if claims.get("iss") != str(oauth2_settings.OIDC_ISS_ENDPOINT) or header.get("typ", "JWT") != "JWT":
        raise NotAsked("it is no id_token of ours")
    return claims
