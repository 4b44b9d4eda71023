"""What a client signs: assertions and proofs, right or wrong as a test wants them."""

import base64
import hashlib
import json
import time
import uuid
from typing import Any

from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

TOKEN_ENDPOINT = "http://testserver/o/token/"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def ec(kid: str = "key-1", crv: str = "P-384") -> JWK:
    return JWK.generate(kty="EC", crv=crv, kid=kid)


def public(*keys: JWK) -> dict[str, Any]:
    return {"keys": [json.loads(key.export_public()) for key in keys]}


def signed(key: JWK, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """None takes a member away."""
    token = JWS(json.dumps({k: v for k, v in claims.items() if v is not None}))
    kept = {k: v for k, v in header.items() if v is not None}
    token.allowed_algs = [kept["alg"]]
    token.add_signature(key, protected=json.dumps(kept))
    return str(token.serialize(compact=True))


def assertion(key: JWK, client_id: str, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    algorithm = "RS384" if key["kty"] == "RSA" else "ES384"
    now = int(time.time())
    said = {
        "iss": client_id,
        "sub": client_id,
        "aud": TOKEN_ENDPOINT,
        "exp": now + 240,
        "iat": now,
        "jti": uuid.uuid4().hex,
    }
    return signed(key, {"alg": algorithm, "typ": "JWT", "kid": key["kid"]} | (header or {}), said | claims)


def asserted(key: JWK, client_id: str, **claims: Any) -> dict[str, str]:
    return {"client_assertion_type": TYPE, "client_assertion": assertion(key, client_id, **claims)}


def proof(
    key: JWK,
    method: str = "POST",
    url: str = TOKEN_ENDPOINT,
    *,
    token: str = "",
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    said = {"htm": method, "htu": url, "iat": int(time.time()), "jti": uuid.uuid4().hex}
    if token:
        digest = hashlib.sha256(token.encode()).digest()
        said["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    shown = json.loads(key.export_public())
    return signed(key, {"typ": "dpop+jwt", "alg": "ES256", "jwk": shown} | (header or {}), said | claims)
