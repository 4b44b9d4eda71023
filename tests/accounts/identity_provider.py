"""A small OpenID provider with real keys, in a thread: it checks PKCE, its client and each code, once."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from jwcrypto import jwk, jwt

CLIENT, SECRET = "chartkey", "a secret of the test's provider, long enough for any algorithm"
PLACE = {"street_address": "12 Elm Street", "locality": "Riverside"}


@dataclass
class Provider:
    """`changes` are made to each ID token before it is signed: what an attacker, or a mistake, would say."""

    issuer: str
    key: jwk.JWK = field(default_factory=lambda: jwk.JWK.generate(kty="RSA", size=2048, kid="one", use="sig"))
    signs_with: jwk.JWK | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    userinfo: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    is_down: bool = False

    def consent(self, location: str, sub: str, **claims: Any) -> str:
        """What the person does there: signs in as `sub`, and is sent back to this address."""
        query = dict(parse_qsl(urlsplit(location).query))
        self.asked.append(query)
        code = secrets.token_urlsafe()
        self.codes[code] = {"query": query, "sub": sub, "claims": claims}
        parts = urlsplit(query["redirect_uri"])
        sent = urlencode({"code": code, "state": query["state"], "iss": self.issuer})
        return f"{parts.path}?{sent}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        kept = self.codes.pop(form.get("code", ""), None)
        if kept is None or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return None
        query = kept["query"]
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(challenge).decode().rstrip("=") != query["code_challenge"]:
            return None
        if query["code_challenge_method"] != "S256" or form.get("redirect_uri") != query["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": kept["sub"], "nonce": query["nonce"]}
        claims |= {"iat": now, "exp": now + 300, "auth_time": now} | kept["claims"] | self.changes
        access = secrets.token_urlsafe()
        self.userinfo[access] = {"sub": claims["sub"], **kept["claims"]}
        return {"access_token": access, "token_type": "Bearer", "id_token": self.signed(claims)}

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.signs_with or self.key
        token = jwt.JWT(header={"alg": "RS256", "kid": "one"}, claims=claims)
        token.make_signed_token(key)
        return str(token.serialize())

    def metadata(self) -> dict[str, Any]:
        ends = {
            f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")
        }
        return (
            {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"}
            | ends
            | {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        )


@contextmanager
def running() -> Iterator[Provider]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    provider = server.provider = Provider(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        access = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.answer(
            {
                "/.well-known/openid-configuration": provider.metadata(),
                "/jwks": {"keys": [json.loads(provider.key.export_public())]},
                "/userinfo": provider.userinfo.get(access),
            }.get(self.path)
        )

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        self.answer(provider.token(form) if self.path == "/token" else None)

    def answer(self, body: dict[str, Any] | None) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        status = 503 if provider.is_down else 200 if body is not None else 400
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body or {}).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass
