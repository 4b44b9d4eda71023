"""Why another installation cannot sign people in by us: /o/ gives no sign-in without a record."""

import pytest

from accounts import providers
from config.providers import IdentityProvider
from tests.smart.app import answer_of

pytestmark = pytest.mark.django_db
SIGN_IN_ONLY = {"scope": " ".join(providers.SCOPES), "nonce": "n-1"}


def ours(app):
    """Us, as the other installation would have us in its environment."""
    return IdentityProvider("other", "Other clinic", "http://testserver", app.client.client_id, "s", ())


def test_a_sign_in_without_a_record_is_refused_and_says_why(app):
    without_base = answer_of(app.ask(**SIGN_IN_ONLY, aud=None))
    without_record = answer_of(app.ask(**SIGN_IN_ONLY))

    assert without_base["error_description"] == "aud is not a FHIR base of ours"
    assert without_record["error"] == "invalid_scope"
    assert "no scope for a record" in without_record["error_description"]


def test_what_it_would_check_of_our_tokens_holds(app):
    """The metadata is of the issuer, and its check takes an id_token of ours: nothing else is in the way."""
    metadata = app.machine.get("/.well-known/openid-configuration").json()
    keys = app.machine.get("/.well-known/jwks.json").content.decode()
    tokens = app.redeem(app.code(asked={"nonce": "n-1"})).json()

    claims = providers._verified(tokens["id_token"], keys, ours(app), "n-1")

    assert metadata["issuer"] == ours(app).issuer
    assert set(metadata["id_token_signing_alg_values_supported"]) <= set(providers.ALGORITHMS)
    providers._check_fresh(claims, claims["iat"])
