"""OpenID Connect: the id_token, userinfo, and that neither opens a record."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.test import RequestFactory
from jwcrypto import jwk, jwt

from accounts.models import StaffRole
from consent.models import Consent
from smart import identity
from smart.models import AccessToken, Grant
from smart.server import core
from tests import factories
from tests.smart.app import answer_of


def claims_of(app, id_token: str) -> dict[str, object]:
    keys = jwk.JWKSet.from_json(app.machine.get("/.well-known/jwks.json").content)
    return json.loads(jwt.JWT(jwt=id_token, key=keys, algs=["RS256", "ES384"]).claims)


def test_the_id_token_tells_who_signed_in(app, alice):
    answer = app.redeem(app.code(asked={"nonce": "a-nonce"})).json()

    claims = claims_of(app, answer["id_token"])
    assert claims["iss"] == "http://testserver"
    assert claims["aud"] == app.client.client_id
    assert claims["sub"] == str(alice.user.pk)
    assert claims["nonce"] == "a-nonce"
    assert claims["fhirUser"] == f"http://testserver/fhir/r4/Patient/{factories.fhir_id(alice)}"
    assert "name" not in claims


def test_auth_time_is_of_this_session(app, alice):
    code = app.code()
    at = Grant.objects.get().authenticated_at
    alice.user.last_login = datetime(2040, 1, 1, tzinfo=UTC)  # somewhere else, later
    alice.user.save()

    claims = claims_of(app, app.redeem(code).json()["id_token"])

    assert claims["auth_time"] == int(at.timestamp())


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {"sub"}),
        ("openid fhirUser", {"sub", "fhirUser"}),
        ("openid profile", {"sub", "name"}),
    ],
)
def test_each_claim_has_its_scope(app, scope, claims):
    app.scope = f"{scope} patient/Patient.rs"
    answer = app.connect()

    assert set(app.userinfo(answer["access_token"]).json()) == claims
    assert claims <= set(claims_of(app, answer["id_token"]))
    assert not ({"fhirUser", "name"} - claims) & set(claims_of(app, answer["id_token"]))


def test_no_openid_no_id_token(app):
    app.scope = "patient/Patient.rs"
    answer = app.connect()

    assert "id_token" not in answer
    assert app.userinfo(answer["access_token"]).status_code == 401


def opens(token: str) -> bool:
    """Whether the toolkit's own check of protected resources lets it in."""
    request = RequestFactory().get("/anything", headers={"Authorization": f"Bearer {token}"})
    return core().verify_request(request, scopes=[])[0]


def test_G1_A7_an_id_token_opens_nothing(app):
    answer = app.connect()

    assert opens(answer["access_token"])
    assert not opens(answer["id_token"])
    assert not opens(answer["refresh_token"])
    assert app.userinfo(answer["id_token"]).status_code == 401
    assert (
        app.machine.get(
            "/fhir/r4/Patient/x", headers={"Authorization": f"Bearer {answer['id_token']}"}
        ).status_code
        == 401
    )


def test_A7_a_token_opens_nothing_outside_its_header(app):
    token = {"access_token": app.connect()["access_token"]}

    assert app.machine.get("/o/userinfo/", token).status_code == 400
    assert app.machine.post("/o/userinfo/", token).status_code == 401
    assert app.machine.get("/o/userinfo/").status_code == 401


def test_G9_an_access_token_shows_scopes_that_have_a_grammar(app):
    app.connect()

    assert set(AccessToken.objects.get().scopes) == set(app.scope.split())


def test_a_refresh_gives_no_second_id_token(app):
    assert "id_token" not in app.refresh(app.connect()["refresh_token"]).json()


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_the_id_token_is_signed_as_the_client_chose(app, algorithm):
    app.client.algorithm = algorithm
    app.client.save()
    answer = app.redeem(app.code(asked={"nonce": "a-nonce"})).json()

    header = json.loads(jws_header(answer["id_token"]))
    assert header["alg"] == algorithm
    published = {key["kid"]: key for key in app.machine.get("/.well-known/jwks.json").json()["keys"]}
    assert published[header["kid"]]["alg"] == algorithm
    claims = claims_of(app, answer["id_token"])
    assert claims["nonce"] == "a-nonce"
    assert {"iss", "sub", "aud", "exp", "iat", "auth_time", "at_hash"} <= set(claims)


def jws_header(token: str) -> bytes:
    head = token.split(".")[0]
    return base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))


def test_A7_no_client_gets_tokens_that_are_signed_with_a_shared_secret(app):
    app.client.algorithm = "HS256"
    app.client.save()

    assert json.loads(jws_header(app.connect()["id_token"]))["alg"] == "RS256"


PASSWORD, CODE = {"method": "password"}, {"method": "mfa", "type": "totp"}
PASSKEY = {"method": "mfa", "type": "webauthn", "passwordless": True}


@pytest.mark.parametrize(
    ("records", "amr", "acr"),
    [
        ([], [], ""),
        ([PASSWORD], ["pwd"], identity.ONE_FACTOR),
        ([PASSWORD, CODE], ["mfa", "otp", "pwd"], identity.TWO_FACTORS),
        ([PASSKEY], ["hwk", "mfa"], identity.TWO_FACTORS),
        ([{"method": "something new"}], [], ""),
    ],
)
def test_how_they_signed_in_is_told_in_words_of_RFC_8176(app, alice, records, amr, acr):
    signed_in_by(app.browser, records)
    claims = claims_of(app, app.connect()["id_token"])

    assert claims.get("amr", []) == amr
    assert claims.get("acr", "") == acr


def signed_in_by(browser, records, at: float = 0) -> None:
    session = browser.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{**each, "at": at or time.time()} for each in records]
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = session["_auth_user_id"]
    session.save()


@pytest.mark.parametrize(
    ("records", "wanted", "goes_on"),
    [
        ([PASSWORD], identity.TWO_FACTORS, False),
        ([PASSWORD, CODE], identity.TWO_FACTORS, True),
        ([PASSKEY], identity.ONE_FACTOR, True),
        ([PASSWORD], f"{identity.TWO_FACTORS} {identity.ONE_FACTOR}", True),
        ([PASSWORD], "urn:of:somebody:else", True),
    ],
)
def test_acr_values_that_cannot_be_met_go_back_as_an_error(app, records, wanted, goes_on):
    page = app.page(acr_values=wanted)
    signed_in_by(app.browser, records, time.time() + 5)  # since the app asked

    if goes_on:
        assert app.browser.get(page).status_code == 200
    else:
        assert answer_of(app.browser.get(page))["error"] == "unmet_authentication_requirements"
        assert app.browser.get(page).status_code == 410
        assert not Consent.objects.exists()


def test_acr_values_ask_for_a_new_sign_in_first(app):
    signed_in_by(app.browser, [PASSWORD], time.time() - 60)
    page = app.page(acr_values=identity.TWO_FACTORS)

    assert app.browser.get(page)["Location"] == page
    assert "Sign in" in app.browser.get(page).content.decode()


def test_fhirUser_of_a_helper_is_a_related_person(db):
    alice = factories.alice()
    amir = factories.amir(alice)
    relation = alice.helpers.get()

    assert identity.fhir_user_of(amir, alice) == f"http://testserver/fhir/r4/RelatedPerson/{relation.pk}"
    relation.status = "ended"
    relation.save()
    assert identity.fhir_user_of(amir, alice) == f"http://testserver/fhir/r4/Person/{amir.pk}"


def test_a_clinician_is_a_patient_in_their_own_record(db):
    own = factories.create_patient("Ngozi Osei")
    StaffRole.objects.create(user=own.user, role="clinician", practitioner="Practitioner/dr-osei")

    assert identity.fhir_user_of(own.user, own).endswith(f"/Patient/{factories.fhir_id(own)}")
    assert identity.fhir_user_of(own.user, factories.mallory()).endswith("/Practitioner/dr-osei")
