"""Every wrong parameter at every endpoint of OAuth, and the answer that its RFC asks for.

One table: `test_error_codes` asks each row of the server, and docs/oauth-errors.md is made from it
(`python -m tests.smart.error_codes`, in the root of the project).
"""

# ruff: noqa: E501  one row, one line
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "oauth-errors.md"
TO_APP, TO_PERSON, JSON = "redirect to the app", "a page", "JSON"
Changes = Mapping[str, object]  # a list stands there as often as it is long; None takes one away


@dataclass(frozen=True, slots=True)
class Row:
    """`who` is the client that asks: see `test_error_codes.CLIENTS`."""

    endpoint: str
    wrong: str
    changes: Changes
    status: int
    code: str
    rfc: str
    who: str = "app"
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: str = JSON


def app(wrong: str, changes: Changes, code: str, rfc: str) -> Row:
    return Row("authorize", wrong, changes, 302, code, rfc, answer=TO_APP)


def person(wrong: str, changes: Changes, rfc: str, who: str = "app") -> Row:
    return Row("authorize", wrong, changes, 400, "", rfc, who=who, answer=TO_PERSON)


REDIRECT, AUTHORIZE, TOKEN = "RFC 6749 4.1.2.1", "RFC 6749 4.1.2.1", "RFC 6749 5.2"
SMART, OIDC = "SMART 2.2, Obtain authorization code", "OIDC Core 3.1.2.6"
PKCE, PUSHED, DPOP = "RFC 7636 4.4.1", "RFC 9126 2.3", "RFC 9449 5"
TWICE = "RFC 6749 3.1"

ROWS: tuple[Row, ...] = (
    # Nobody is sent to an address that is not known
    person("client_id is missing", {"client_id": None}, REDIRECT),
    person("client_id is unknown", {"client_id": "nobody"}, REDIRECT),
    person("client_id stands there twice", {"client_id": ["a", "b"]}, TWICE),
    person("redirect_uri is missing", {"redirect_uri": None}, "SMART 2.2; RFC 9700 2.1"),
    person("redirect_uri is not registered", {"redirect_uri": "https://evil.example/"}, REDIRECT),
    person("redirect_uri stands there twice", {"redirect_uri": ["a", "b"]}, TWICE),
    person("state stands there twice", {"state": ["a", "b"]}, TWICE),
    person("the client is suspended", {}, REDIRECT, "suspended"),
    person("a NUL in a parameter", {"scope": "\x00"}, "RFC 6749 A.4"),
    person("request_uri was never pushed", {"request_uri": "urn:ietf:params:oauth:request_uri:x"}, PUSHED),
    person("the client must push, and did not", {}, "RFC 9126 5", "pushing"),
    # The app hears it at its own address
    app("response_type is missing", {"response_type": None}, "invalid_request", AUTHORIZE),
    app("response_type is token", {"response_type": "token"}, "unsupported_response_type", AUTHORIZE),
    app("response_type is id_token", {"response_type": "id_token"}, "unsupported_response_type", OIDC),
    app("response_type is nonsense", {"response_type": "x"}, "unsupported_response_type", AUTHORIZE),
    app("response_mode is fragment", {"response_mode": "fragment"}, "invalid_request", "OAuth Response Types 2.1"),
    app("state is missing", {"state": None}, "invalid_request", SMART),
    app("aud is missing", {"aud": None}, "invalid_request", SMART),
    app("aud is another server", {"aud": "https://other.example"}, "invalid_request", SMART),
    app("aud stands there twice", {"aud": ["a", "b"]}, "invalid_request", TWICE),
    app("scope is missing", {"scope": None}, "invalid_scope", AUTHORIZE),
    app("scope names nothing that we know", {"scope": "x y"}, "invalid_scope", AUTHORIZE),
    app("scope is for systems only", {"scope": "system/*.rs"}, "invalid_scope", AUTHORIZE),
    app("code_challenge is missing", {"code_challenge": None}, "invalid_request", PKCE),
    app("code_challenge is no SHA-256", {"code_challenge": "x"}, "invalid_request", PKCE),
    app("code_challenge_method is plain", {"code_challenge_method": "plain"}, "invalid_request", PKCE),
    app("code_challenge_method is missing", {"code_challenge_method": None}, "invalid_request", PKCE),
    app("request (a signed one) is not offered", {"request": "eyJ"}, "request_not_supported", OIDC),
    app("request_uri is an address", {"request_uri": "https://a.example"}, "request_uri_not_supported", OIDC),
    app("resource is another server", {"resource": "https://a.example"}, "invalid_target", "RFC 8707 2"),
    app("prompt=none, nobody consented", {"prompt": "none"}, "consent_required", OIDC),
    app("prompt=none with login", {"prompt": "none login"}, "invalid_request", "OIDC Core 3.1.2.1"),
    app("max_age is no number", {"max_age": "soon"}, "invalid_request", OIDC),
    app("nonce is longer than 255", {"nonce": "n" * 256}, "invalid_request", OIDC),
    app("launch was never given", {"launch": "x"}, "invalid_request", "SMART 2.2, EHR launch"),
    # Code for tokens
    Row("token", "grant_type is missing", {"grant_type": None}, 400, "invalid_request", TOKEN),
    Row("token", "grant_type is password", {"grant_type": "password"}, 400, "unsupported_grant_type", TOKEN),
    Row("token", "grant_type is unknown", {"grant_type": "x"}, 400, "unsupported_grant_type", TOKEN),
    Row("token", "code is missing", {"code": None}, 400, "invalid_request", TOKEN),
    Row("token", "code is unknown", {"code": "x"}, 400, "invalid_grant", TOKEN),
    Row("token", "code stands there twice", {"code": ["a", "b"]}, 400, "invalid_request", "RFC 6749 3.2"),
    Row("token", "redirect_uri is another", {"redirect_uri": "https://a.example"}, 400, "invalid_grant", TOKEN),
    Row("token", "redirect_uri is missing", {"redirect_uri": None}, 400, "invalid_grant", TOKEN),
    Row("token", "code_verifier is missing", {"code_verifier": None}, 400, "invalid_request", TOKEN),
    Row("token", "code_verifier is another", {"code_verifier": "x" * 43}, 400, "invalid_grant", "RFC 7636 4.6"),
    Row("token", "code_verifier is too short", {"code_verifier": "x"}, 400, "invalid_grant", "RFC 7636 4.6"),
    Row("token", "client_id is missing", {"client_id": None}, 401, "invalid_client", TOKEN),
    Row("token", "client_id is unknown", {"client_id": "nobody"}, 401, "invalid_client", TOKEN),
    Row("token", "the code is another client's", {}, 400, "invalid_grant", TOKEN, who="other"),
    Row("token", "the client is suspended", {}, 401, "invalid_client", TOKEN, who="suspended"),
    Row("token", "no secret", {}, 401, "invalid_client", TOKEN, who="secret"),
    Row("token", "a wrong secret", {"client_secret": "x"}, 401, "invalid_client", TOKEN, who="secret"),
    Row(
        "token", "a wrong secret in the header", {}, 401, "invalid_client", TOKEN, who="secret",
        headers={"Authorization": "Basic eDp5"},
    ),
    Row(
        "token", "an assertion that is none", {"client_assertion": "x", "client_assertion_type": "jwt"},
        401, "invalid_client", "RFC 7521 4.2.1", who="key",
    ),
    Row("token", "resource is another server", {"resource": "https://a.example"}, 400, "invalid_target", "RFC 8707 2.2"),
    Row("token", "a proof that is none", {}, 400, "invalid_dpop_proof", DPOP, headers={"DPoP": "x"}),
    Row("token", "no proof, and one is needed", {}, 400, "invalid_dpop_proof", DPOP, who="dpop"),
    Row("token", "a NUL in a parameter", {"code": "\x00"}, 400, "invalid_request", "RFC 6749 A.11"),
    # Refresh
    Row("refresh", "refresh_token is missing", {"refresh_token": None}, 400, "invalid_request", TOKEN),
    Row("refresh", "refresh_token is unknown", {"refresh_token": "x"}, 400, "invalid_grant", TOKEN),
    Row("refresh", "refresh_token is another client's", {}, 400, "invalid_grant", TOKEN, who="other"),
    Row("refresh", "scope is wider than granted", {"scope": "patient/*.cruds"}, 400, "invalid_scope", "RFC 6749 6"),
    # Backend services
    Row("service", "scope is missing", {"scope": None}, 400, "invalid_scope", TOKEN, who="service"),
    Row("service", "scope is not for systems", {"scope": "patient/*.rs"}, 400, "invalid_scope", TOKEN, who="service"),
    Row("service", "nobody approved it", {}, 400, "unauthorized_client", TOKEN, who="unapproved"),
    Row("service", "the client acts for people", {}, 400, "unauthorized_client", TOKEN, who="key"),
    Row("service", "a public client", {}, 401, "invalid_client", TOKEN),
    # Token exchange
    Row("exchange", "the client is no service of ours", {}, 400, "unauthorized_client", TOKEN, who="key"),
    Row("exchange", "subject_token is missing", {"subject_token": None}, 400, "invalid_request", "RFC 8693 2.2.2", who="internal"),
    Row("exchange", "subject_token is unknown", {"subject_token": "x"}, 400, "invalid_request", "RFC 8693 2.2.2", who="internal"),
    Row("exchange", "subject_token_type is missing", {"subject_token_type": None}, 400, "invalid_request", "RFC 8693 2.2.2", who="internal"),
    Row("exchange", "audience is another server", {"audience": "https://a.example"}, 400, "invalid_target", "RFC 8693 2.2.2", who="internal"),
    # Pushed requests
    Row("par", "client_id is unknown", {"client_id": "nobody"}, 401, "invalid_client", PUSHED),
    Row("par", "a wrong secret", {"client_secret": "x"}, 401, "invalid_client", PUSHED, who="secret"),
    Row("par", "request_uri is pushed", {"request_uri": "urn:x"}, 400, "invalid_request", "RFC 9126 2.1"),
    Row("par", "redirect_uri is missing", {"redirect_uri": None}, 400, "invalid_request", PUSHED),
    Row("par", "redirect_uri is not registered", {"redirect_uri": "https://a.example"}, 400, "invalid_request", PUSHED),
    Row("par", "response_type is token", {"response_type": "token"}, 400, "unsupported_response_type", PUSHED),
    Row("par", "scope names nothing that we know", {"scope": "x"}, 400, "invalid_scope", PUSHED),
    Row("par", "code_challenge is missing", {"code_challenge": None}, 400, "invalid_request", PUSHED),
    Row("par", "aud is another server", {"aud": "https://a.example"}, 400, "invalid_request", PUSHED),
    Row("par", "state stands there twice", {"state": ["a", "b"]}, 400, "invalid_request", PUSHED),
    Row("par", "a proof that is none", {}, 400, "invalid_dpop_proof", "RFC 9449 10.1", headers={"DPoP": "x"}),
    # Revocation and introspection
    Row("revoke", "token is missing", {"token": None}, 400, "invalid_request", "RFC 7009 2.1"),
    Row("revoke", "client_id is unknown", {"client_id": "nobody"}, 401, "invalid_client", "RFC 7009 2.2.1"),
    Row("revoke", "a wrong secret", {"client_secret": "x"}, 401, "invalid_client", "RFC 7009 2.2.1", who="secret"),
    Row("revoke", "a token that never was", {"token": "x"}, 200, "", "RFC 7009 2.2"),
    Row("revoke", "token_type_hint is unknown", {"token_type_hint": "x"}, 200, "", "RFC 7009 2.1"),
    Row("introspect", "token is missing", {"token": None}, 400, "invalid_request", "RFC 7662 2.3", who="proved"),
    Row("introspect", "a public client", {}, 401, "invalid_client", "RFC 7662 2.3"),
    Row("introspect", "a wrong secret", {"client_secret": "x"}, 401, "invalid_client", "RFC 7662 2.3", who="secret"),
    # Registration
    Row("register", "no initial access token", {}, 401, "invalid_token", "RFC 7591 3; RFC 6750 3.1", who="nobody"),
    Row("register", "redirect_uris are missing", {"redirect_uris": None}, 400, "invalid_redirect_uri", "RFC 7591 3.2.2"),
    Row("register", "a redirect URI with #", {"redirect_uris": ["https://a.example/#x"]}, 400, "invalid_redirect_uri", "RFC 7591 3.2.2"),
    Row("register", "client_name is missing", {"client_name": None}, 400, "invalid_client_metadata", "RFC 7591 3.2.2"),
    Row("register", "grant_types has implicit", {"grant_types": ["implicit"]}, 400, "invalid_client_metadata", "RFC 7591 3.2.2"),
    Row("register", "response_types do not fit", {"response_types": ["token"]}, 400, "invalid_client_metadata", "RFC 7591 3.2.2"),
    Row("register", "jwks and jwks_uri", {"jwks": {"keys": [{}]}, "jwks_uri": "https://a.example"}, 400, "invalid_client_metadata", "RFC 7591 2"),
    Row("register", "a software statement that is none", {"software_statement": "x"}, 400, "invalid_software_statement", "RFC 7591 3.2.2", who="stated"),
)  # fmt: skip


def lines() -> Iterator[str]:
    yield "# Errors of the OAuth endpoints"
    yield ""
    yield "Made from `tests/smart/error_codes.py`, which asks every row of the server. An error that goes to the app comes with"
    yield "`state` and `iss`. A page says, in English and Spanish, that nothing was shared; nobody is sent anywhere from it."
    for endpoint in dict.fromkeys(row.endpoint for row in ROWS):
        yield from [
            "",
            f"## {endpoint}",
            "",
            "| Wrong | Answer | Code | Where it stands |",
            "|---|---|---|---|",
        ]
        for row in ROWS:
            if row.endpoint == endpoint:
                where = f"{row.status}, {row.answer}"
                yield f"| {row.wrong} | {where} | {f'`{row.code}`' if row.code else '(none)'} | {row.rfc} |"


def text() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text())
