"""Signing in by an identity provider, real keys and all: who gets in, how sure we are, and who does not."""

import base64
import re
import time
from datetime import date

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import cache
from django.test import Client
from jwcrypto import jwk, jwt

from accounts import activation
from accounts.models import User
from audit.models import AuditEvent
from config.providers import IdentityProvider
from notices.models import Notice
from tests import factories, proving
from tests.accounts import identity_provider
from tests.accounts.identity_provider import CLIENT, PLACE, SECRET
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
ASSURANCE = (("acr", "https://example.org/aal2", "mfa"), ("ial", "2", "identified"))
BORN = date(1979, 4, 17)
IDENTIFIED = {"ial": "2", "name": "Alice Moreno", "birthdate": BORN.isoformat(), "address": PLACE}


@pytest.fixture(autouse=True)
def _nobody_tried_before():
    cache.clear()


@pytest.fixture
def provider(settings):
    with identity_provider.running() as running:
        ours = IdentityProvider("state", "State ID", running.issuer, CLIENT, SECRET, ASSURANCE)
        settings.IDENTITY_PROVIDERS = {"state": ours}
        yield running


@pytest.fixture
def alice(provider):
    """Alice, whose account at the provider is linked."""
    user = factories.alice().user
    SocialAccount.objects.create(user=user, provider="state", uid="alice-there")
    return user


def sign_in(client, provider, sub="alice-there", *, form=None, **claims):
    there = client.post("/sign-in/state/", form or {})
    return client.get(provider.consent(there.url, sub, **claims))


def is_signed_in(client, user):
    return client.session.get("_auth_user_id") == str(user.pk)


def newest(type):
    return AuditEvent.objects.filter(type=type).order_by("-id").first()


def whys():
    failed = AuditEvent.objects.filter(type="session:fail").order_by("id")
    return [event.detail["why"] for event in failed]


def mail_code():
    return re.search(r"\b\d{8}\b", mail.outbox[-1].body)[0]


def test_none_is_offered_where_none_is_configured(db, client):
    page = client.get("/accounts/login/").text

    assert "/sign-in/" not in page
    assert client.post("/sign-in/state/").status_code == 404


def test_sign_in_page_offers_it_and_leads_there_with_state_nonce_and_pkce(alice, provider, client):
    assert "State ID" in client.get("/accounts/login/").text

    sign_in(client, provider)

    asked = provider.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 24
    assert asked["state"]
    assert asked["acr_values"] == "https://example.org/aal2"
    assert "email" not in asked["scope"]
    assert is_signed_in(client, alice)


def test_page_that_was_asked_for_comes_after_the_sign_in_and_no_other_site(alice, provider, client):
    assert sign_in(client, provider, form={"next": "/apps/"}).url == "/apps/"
    client.post("/accounts/logout/")
    assert sign_in(client, provider, form={"next": "https://evil.example/"}).url == "/"


@pytest.mark.parametrize(
    ("claims", "assurance", "methods"),
    [
        ({}, "sfa", "fed"),
        ({"acr": "https://example.org/aal2"}, "mfa", "fed|mfa"),
        ({"acr": "https://example.org/aal9"}, "sfa", "fed"),
    ],
)
def test_assurance_of_the_provider_is_kept_and_stands_in_the_log(
    alice, provider, client, claims, assurance, methods
):
    sign_in(client, provider, **claims)

    event = newest("session:start")
    assert (event.context["assurance"], event.context["methods"]) == (assurance, methods)
    assert event.detail == {"provider": "state"}


def test_shared_computer_that_was_ticked_here_is_kept_through_the_way_there(alice, provider, client):
    sign_in(client, provider, form={"shared": "on"})

    assert client.session["session.kind"] == "shared"


def test_second_factor_that_they_have_here_is_asked_for_as_well(alice, provider, client):
    proving.has_codes(alice)

    assert sign_in(client, provider).url.startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(client, alice)


def test_closed_account_stays_closed(alice, provider, client):
    User.objects.filter(pk=alice.pk).update(is_active=False)

    sign_in(client, provider)

    assert not is_signed_in(client, alice)


# Who does not get in


def test_provider_account_with_somebody_elses_email_gets_nowhere(alice, provider, client):
    answer = sign_in(client, provider, "mallory-there", email=alice.email, email_verified=True)

    assert answer.url == "/sign-in/new/"
    assert "_auth_user_id" not in client.session
    assert whys() == ["provider.unknown"]
    assert SocialAccount.objects.count() == 1
    assert "Find my record" not in client.get("/sign-in/new/").text


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"sub": ""},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_token_that_is_not_for_this_sign_in_lets_nobody_in(alice, provider, client, changes):
    provider.changes = changes

    answer = sign_in(client, provider)

    assert answer.status_code == 422
    assert "_auth_user_id" not in client.session
    assert whys() == ["provider.token"]


def test_token_of_another_key_lets_nobody_in(alice, provider, client):
    provider.signs_with = jwk.JWK.generate(kty="RSA", size=2048, kid="one")

    assert sign_in(client, provider).status_code == 422
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_token_that_our_secret_or_nothing_signed_lets_nobody_in(alice, provider, client, algorithm):
    def forged(claims):
        token = jwt.JWT(header={"alg": "HS256", "kid": "one"}, claims=claims)
        token.make_signed_token(jwk.JWK.from_password(SECRET))
        head, body, signature = token.serialize().split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        return f"{none}.{body}." if algorithm == "none" else f"{head}.{body}.{signature}"

    provider.signed = forged

    assert sign_in(client, provider).status_code == 422
    assert "_auth_user_id" not in client.session


def test_answer_is_taken_once_and_in_the_browser_that_asked(alice, provider, client):
    there = client.post("/sign-in/state/")
    address = provider.consent(there.url, "alice-there")

    assert Client().get(address).status_code == 422  # as in the browser of somebody who was sent the link
    client.get(address)
    assert is_signed_in(client, alice)
    client.post("/accounts/logout/")
    assert client.get(address).status_code == 422
    assert "_auth_user_id" not in client.session


def test_answer_that_names_another_issuer_is_refused(alice, provider, client):
    address = provider.consent(client.post("/sign-in/state/").url, "alice-there")

    answer = client.get(re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fevil.example", address))

    assert answer.status_code == 422
    assert whys() == ["provider.issuer"]


def test_no_is_no_error_of_ours(alice, provider, client):
    there = client.post("/sign-in/state/")
    state = re.search(r"state=([^&]*)", there.url)[1]

    answer = client.get(f"/accounts/oidc/state/login/callback/?error=access_denied&state={state}")

    assert "You came back without signing in" in answer.text
    assert whys() == ["provider.cancelled"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_provider_that_is_down_leaves_the_other_ways(alice, provider, client, moment):
    there = client.post("/sign-in/state/") if moment == "after" else None
    provider.is_down = True

    answer = client.get(provider.consent(there.url, "x")) if there else client.post("/sign-in/state/")

    assert "They do not answer just now" in answer.text or whys() == ["provider.token"]
    assert client.post("/accounts/login/", {"login": alice.email, "password": PASSWORD}).status_code == 302


def test_pages_of_the_library_are_closed(alice, provider, client):
    for way in ("3rdparty/", "3rdparty/signup/", "social/connections/", "oidc/state/login/"):
        assert client.get(f"/accounts/{way}").status_code == 404
        assert client.post(f"/accounts/{way}").status_code == 404


# A link


@pytest.fixture
def bea(provider, client):
    """Bea, who has just signed in by password and has no link."""
    user = factories.create_patient("Bea Example").user
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return user


def link(client, provider, sub="bea-there"):
    there = client.post("/settings/security/providers/state/", {"do": "link"})
    return client.get(provider.consent(there.url, sub))


def test_owner_links_it_and_is_told(bea, provider, client):
    link(client, provider)

    assert SocialAccount.objects.get(user=bea).uid == "bea-there"
    assert SocialAccount.objects.get(user=bea).extra_data == {}
    assert Notice.objects.filter(kind="provider_changed", email=bea.email).exists()
    assert newest("account:change").detail["change"] == "provider-linked"
    client.post("/accounts/logout/")
    sign_in(client, provider, "bea-there")
    assert is_signed_in(client, bea)


def test_link_wants_a_fresh_proof(bea, provider, client):
    proving.minutes_pass(client)

    answer = client.post("/settings/security/providers/state/", {"do": "link"})

    assert answer.url.startswith("/check/")


def test_account_of_a_provider_belongs_to_one_person(alice, bea, provider, client):
    answer = link(client, provider, "alice-there")

    assert answer.status_code == 422
    assert whys() == ["provider.taken"]
    assert not SocialAccount.objects.filter(user=bea).exists()


def test_link_that_begins_in_one_session_does_not_end_in_another_persons(bea, provider, client):
    there = client.post("/settings/security/providers/state/", {"do": "link"})
    address = provider.consent(there.url, "mallory-there")
    client.post("/accounts/logout/")
    other = factories.create_user("Cem Example")
    client.post("/accounts/login/", {"login": other.email, "password": PASSWORD})

    assert client.get(address).status_code == 422
    assert not SocialAccount.objects.exists()


def test_last_way_in_is_not_taken_off(alice, provider, client):
    alice.set_unusable_password()
    alice.save()
    sign_in(client, provider)

    refused = client.post("/settings/security/providers/state/", {"do": "unlink"})

    assert "This is your only way to sign in" in refused.text
    assert SocialAccount.objects.filter(user=alice).exists()


def test_link_that_is_off_signs_nobody_in(bea, provider, client):
    link(client, provider)
    client.post("/settings/security/providers/state/", {"do": "unlink"})
    client.post("/accounts/logout/")

    sign_in(client, provider, "bea-there")

    assert "_auth_user_id" not in client.session
    assert newest("account:change").detail["change"] == "provider-unlinked"


# Step-up


@pytest.fixture
def only_there(alice, provider, client):
    """Alice, who has no password, signed in by the provider some time ago."""
    alice.set_unusable_password()
    alice.save()
    sign_in(client, provider)
    proving.minutes_pass(client)
    return alice


def step_up(client, provider, sub="alice-there", **claims):
    check = client.post("/settings/security/providers/state/", {"do": "link"}).url
    there = client.post(f"{check}state/")
    assert provider.asked == [] or "prompt=login" in there.url
    return check, client.get(provider.consent(there.url, sub, **claims))


def test_provider_proves_again_who_it_is_and_the_form_goes_on(only_there, provider, client):
    _, answer = step_up(client, provider)

    assert answer.url.startswith(provider.issuer)  # the link that was asked for, sent again
    proof = newest("stepup:pass")
    assert proof.detail["method"] == "provider"


def test_session_that_was_left_open_there_proves_nothing(only_there, provider, client):
    _, answer = step_up(client, provider, auth_time=int(time.time()) - 3600)

    assert answer.status_code == 422
    assert newest("stepup:pass") is None
    assert whys() == ["provider.old"]


def test_somebody_elses_account_there_proves_nothing(only_there, provider, client):
    check, answer = step_up(client, provider, "mallory-there")

    assert answer.url == check
    assert newest("stepup:fail").detail["method"] == "provider"


def test_one_factor_there_is_too_weak_for_who_has_codes_here(only_there, provider, client):
    proving.has_codes(only_there)
    check, answer = step_up(client, provider)

    assert answer.url == check
    assert newest("stepup:pass") is None
    assert "State ID" in client.get(check).text
    _, answer = step_up(client, provider, acr="https://example.org/aal2")
    assert newest("stepup:pass").detail["method"] == "provider-mfa"


# A new account


@pytest.fixture
def new_alice(provider):
    """Alice's record with an address in it, and no account."""
    patient = factories.create_patient("Alice Moreno", birth_date=BORN, signs_in=False)
    place = {"line": [PLACE["street_address"]], "city": PLACE["locality"]}
    factories.load_records(factories.patient_record(patient) | {"address": [place]})
    return patient


def make_account(client):
    client.post("/activate/account/", {"email": "alice@new.example"})
    return client.post("/activate/confirm/", {"code": mail_code()})


def test_clinics_code_and_the_provider_make_an_account_without_a_password(new_alice, provider, client):
    sign_in(client, provider, name="Alice Moreno")
    code = activation.issue(new_alice, by=None)
    client.get("/activate/?with=provider")
    client.post("/activate/", {"code": code, "name": "Alice Moreno", "birth_date": BORN.isoformat()})
    assert "State ID" in client.get("/activate/account/").text
    make_account(client)

    new_alice.refresh_from_db()
    assert is_signed_in(client, new_alice.user)
    assert not new_alice.user.has_usable_password()
    assert SocialAccount.objects.get(user=new_alice.user).uid == "alice-there"


def test_who_leaves_the_way_takes_no_provider_along(new_alice, provider, client):
    sign_in(client, provider, "somebody-before")
    client.get("/activate/")
    code = activation.issue(new_alice, by=None)
    client.post("/activate/", {"code": code, "name": "Alice Moreno", "birth_date": BORN.isoformat()})

    assert (
        "New password" in client.get("/activate/account/").text
        or "password" in client.get("/activate/account/").text
    )
    assert "State ID" not in client.get("/activate/account/").text


def test_code_of_somebody_born_on_another_day_is_not_taken(new_alice, provider, client):
    sign_in(client, provider, **IDENTIFIED | {"birthdate": "2001-01-01"})
    code = activation.issue(new_alice, by=None)
    client.get("/activate/?with=provider")
    told = {"code": code, "name": "Alice Moreno", "birth_date": BORN.isoformat()}

    assert client.post("/activate/", told).status_code == 422
    assert newest("activation:fail").patient == f"Patient/{new_alice.pk}"


def test_verified_facts_find_the_record(new_alice, provider, client):
    sign_in(client, provider, **IDENTIFIED)
    assert client.post("/sign-in/new/").url == "/activate/account/"
    make_account(client)

    new_alice.refresh_from_db()
    assert is_signed_in(client, new_alice.user)
    assert newest("identity:find").target == "Provider/state"


@pytest.mark.parametrize(
    "changes",
    [
        {"ial": "1"},
        {"name": "Alicia Moreno"},
        {"birthdate": "1979-04-18"},
        {"birthdate": "1979"},
        {"address": PLACE | {"street_address": "13 Elm Street"}},
        {"address": {}},
        {"address": {}, "phone_number": "+1 555 010 0101"},  # that nobody verified
    ],
    ids=lambda changes: ",".join(changes.values()) if "ial" in changes else ",".join(map(str, changes)),
)
def test_facts_that_are_not_verified_or_differ_find_nothing(new_alice, provider, client, changes):
    sign_in(client, provider, **IDENTIFIED | changes)

    answer = client.post("/sign-in/new/")

    assert getattr(answer, "url", "") != "/activate/account/"
    assert client.get("/activate/account/").url == "/activate/"


def test_two_who_could_be_meant_are_nobody(new_alice, provider, client):
    twin = factories.create_patient("Alice Moreno", birth_date=BORN, signs_in=False)
    factories.load_records(factories.patient_record(twin))
    sign_in(client, provider, **IDENTIFIED)

    assert "We could not be sure" in client.post("/sign-in/new/").text


def test_one_patient_has_one_account(new_alice, provider, client):
    new_alice.user = factories.create_user("Alice Moreno")
    new_alice.save()
    sign_in(client, provider, **IDENTIFIED)

    assert "You have an account here already" in client.post("/sign-in/new/").text
    assert whys()[-1] == "provider.has-account"
    assert newest("session:fail").patient == f"Patient/{new_alice.pk}"
