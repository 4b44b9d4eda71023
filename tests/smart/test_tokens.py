"""From code to tokens, refresh, and the ends of both."""

import hashlib
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands as consents
from consent.models import Consent
from smart import tokens
from smart.models import AccessToken, Client, Grant, RefreshToken
from tests import factories
from tests.smart.app import LABORATORY, App, reasons


def test_the_whole_flow(app, alice):
    answer = app.connect()

    assert answer["token_type"] == "Bearer"
    assert 0 < answer["expires_in"] <= 900
    assert answer["patient"] == factories.fhir_id(alice)
    assert answer["need_patient_banner"] is True
    assert set(answer["scope"].split()) == set(app.scope.split())

    again = app.refresh(answer["refresh_token"]).json()
    assert again["patient"] == answer["patient"]
    assert again["scope"] == answer["scope"]
    assert again["refresh_token"] != answer["refresh_token"]
    assert app.userinfo(again["access_token"]).status_code == 200
    assert app.userinfo(answer["access_token"]).status_code == 401


def test_answers_with_tokens_are_not_cached(app):
    response = app.redeem(app.code())

    assert response["Cache-Control"] == "no-store"
    assert response["Pragma"] == "no-cache"


def test_tokens_carry_what_stands_behind_them(app, alice):
    answer = app.connect()

    consent = Consent.objects.get()
    access = tokens.find(answer["access_token"])
    refresh = tokens.find_refresh(answer["refresh_token"])
    assert {access.authorization_id, refresh.authorization_id} == {consent.id}
    assert {access.patient, refresh.patient} == {alice}
    assert refresh.expires_at == consent.period_end
    assert access.token_family == refresh.token_family == Grant.objects.get().token_family


def test_tokens_are_hashed_at_rest(app):
    answer = app.connect()

    access, refresh = AccessToken.objects.get(), RefreshToken.objects.get()
    assert (access.token, refresh.token) == ("", "")
    assert access.token_checksum == hashlib.sha256(answer["access_token"].encode()).hexdigest()
    assert refresh.token_checksum == hashlib.sha256(answer["refresh_token"].encode()).hexdigest()


def test_find_is_one_statement(app, django_assert_num_queries):
    answer = app.connect()

    with django_assert_num_queries(1):
        found = tokens.find(answer["access_token"])
        assert [found.application.name, found.user.name] == ["Acme", found.patient.name]


def test_issue_and_refresh_stand_in_the_patients_log(app, alice):
    answer = app.connect()
    app.refresh(answer["refresh_token"])

    for kind in ("token:issue", "token:refresh"):
        event = AuditEvent.objects.get(type=kind)
        assert event.patient == f"Patient/{alice.pk}"
        assert event.client == f"Client/{app.client.client_id}"
        assert event.consent == f"Consent/{Consent.objects.get().pk}"
        assert event.resource_types == ["Observation", "Patient"]


# The code


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"code_verifier": "é" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:8001/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"code": "a\x00b"}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "invalid_client"),
        ({"grant_type": "nonsense"}, "unsupported_grant_type"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_A1_A2_a_code_is_refused(app, changes, error):
    response = app.redeem(app.code(), **changes)

    assert response.json()["error"] == error
    assert response.status_code in (400, 401)
    assert not AccessToken.objects.exists()


def test_A2_a_short_verifier_is_refused_even_where_it_fits(app):
    app.verifier = "abc"

    assert app.redeem(app.code()).json()["error"] == "invalid_grant"
    assert reasons() == ["pkce.mismatch"]


def test_A1_a_code_is_for_the_client_that_asked(app):
    other = factories.acme_client()

    assert app.redeem(app.code(), client_id=other.client_id).json()["error"] == "invalid_grant"


def test_A1_a_code_lives_a_minute(app):
    code = app.code()
    Grant.objects.update(expires=timezone.now())

    assert app.redeem(code).json()["error"] == "invalid_grant"
    assert reasons() == ["code.expired"]


def test_G5_A1_a_code_that_comes_back_ends_all_that_it_gave(app):
    code = app.code()
    answer = app.redeem(code).json()
    again = app.refresh(answer["refresh_token"]).json()

    assert app.redeem(code).json()["error"] == "invalid_grant"
    assert app.userinfo(again["access_token"]).status_code == 401
    assert app.refresh(again["refresh_token"]).json()["error"] == "invalid_grant"
    assert reasons()[0] == "token.replayed"


def test_G5_a_code_that_comes_back_ends_an_access_token_without_refresh_token(app):
    app.scope = "openid patient/Patient.rs"
    code = app.code()
    answer = app.redeem(code).json()
    assert "refresh_token" not in answer
    assert app.userinfo(answer["access_token"]).status_code == 200

    app.redeem(code)
    assert app.userinfo(answer["access_token"]).status_code == 401


def test_A1_a_stolen_code_in_the_wrong_hands_ends_nothing(app):
    """Only the client it was made for can replay a code, so nobody else can end its tokens."""
    code = app.code()
    answer = app.redeem(code).json()

    app.redeem(code, client_id=factories.acme_client().client_id)

    assert app.refresh(answer["refresh_token"]).status_code == 200


def at_once(times: int, act) -> list[int]:
    """Statuses of the same request, sent by so many threads together."""
    start, statuses = threading.Barrier(times), []

    def run() -> None:
        start.wait()
        try:
            statuses.append(act().status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_G4_A1_a_code_redeemed_side_by_side_gives_one_set_of_tokens_at_most(racing_app):
    code = racing_app.code()

    assert at_once(6, lambda: racing_app.redeem(code)) == [200, 400, 400, 400, 400, 400]
    # All but the first are replays, so what the first got has ended too.
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()


def test_G3_A5_refreshes_side_by_side_one_wins_and_keeps_its_tokens(racing_app, monkeypatch):
    refresh_token = racing_app.connect()["refresh_token"]
    here, lock = threading.Barrier(6), tokens.lock_refresh

    def lock_together(value: str, client: Client) -> RefreshToken | None:
        here.wait(30)  # each has arrived before any goes on
        return lock(value, client)

    monkeypatch.setattr(tokens, "lock_refresh", lock_together)
    statuses = at_once(6, lambda: racing_app.refresh(refresh_token))

    assert statuses == [200, 400, 400, 400, 400, 400]
    assert AccessToken.objects.count() == 1
    assert RefreshToken.objects.filter(revoked=None).count() == 1
    assert reasons() == ["token.raced"] * 5


# Refresh


def test_G3_A5_a_refresh_token_that_comes_back_ends_its_family(app):
    first = app.connect()
    second = app.refresh(first["refresh_token"]).json()
    third = app.refresh(second["refresh_token"]).json()

    replay = app.refresh(first["refresh_token"])

    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert app.userinfo(third["access_token"]).status_code == 401
    assert app.refresh(third["refresh_token"]).json()["error"] == "invalid_grant"
    assert reasons()[0] == "token.replayed"


def test_A5_a_lost_answer_is_made_good_once(app):
    first = app.connect()
    lost = app.refresh(first["refresh_token"]).json()

    again = app.refresh(first["refresh_token"]).json()

    assert app.userinfo(lost["access_token"]).status_code == 401
    assert app.userinfo(again["access_token"]).status_code == 200
    assert app.refresh(again["refresh_token"]).status_code == 200
    assert reasons() == []


def test_A5_a_thief_who_asks_once_more_is_found_out_by_the_owner(app):
    first = app.connect()
    owners = app.refresh(first["refresh_token"]).json()
    thiefs = app.refresh(first["refresh_token"]).json()

    assert app.refresh(owners["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.userinfo(thiefs["access_token"]).status_code == 401
    assert app.refresh(thiefs["refresh_token"]).json()["error"] == "invalid_grant"
    assert reasons()[0] == "token.replayed"


def test_A5_a_third_use_ends_the_family(app):
    first = app.connect()
    app.refresh(first["refresh_token"])
    again = app.refresh(first["refresh_token"]).json()

    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(again["refresh_token"]).json()["error"] == "invalid_grant"


def test_A5_after_a_minute_nothing_is_made_good(app):
    first = app.connect()
    second = app.refresh(first["refresh_token"]).json()
    RefreshToken.objects.exclude(revoked=None).update(revoked=timezone.now() - timedelta(seconds=61))

    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"


def test_A5_a_token_that_was_revoked_is_not_made_good(app):
    first = app.connect()
    app.refresh(first["refresh_token"])
    consents.revoke(Consent.objects.get(), by=Consent.objects.get().patient.user)

    assert app.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert not AccessToken.objects.filter(expires__gt=timezone.now()).exists()


def test_A5_a_refresh_token_is_for_its_own_client(app):
    answer = app.connect()
    other = factories.acme_client()

    response = app.refresh(answer["refresh_token"], client_id=other.client_id)

    assert response.json()["error"] == "invalid_grant"
    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_A6_a_refresh_can_narrow_and_the_next_has_all_again(app):
    answer = app.connect()

    narrow = app.refresh(answer["refresh_token"], scope=f"patient/Observation.r?category={LABORATORY}").json()
    assert narrow["scope"] == f"patient/Observation.r?category={LABORATORY}"

    assert app.refresh(narrow["refresh_token"]).json()["scope"] == answer["scope"]


@pytest.mark.parametrize(
    "scope", ["patient/Observation.cruds", "patient/*.rs", "patient/Condition.rs", "nonsense"]
)
def test_A6_a_refresh_cannot_widen(app, scope):
    answer = app.connect()

    assert app.refresh(answer["refresh_token"], scope=scope).json()["error"] == "invalid_scope"


def test_no_offline_access_no_refresh_token(app):
    app.scope = "patient/Patient.rs"

    assert "refresh_token" not in app.connect()
    assert not RefreshToken.objects.exists()


def test_G10_A5_a_refresh_token_ends_with_the_consent_that_gave_it(app):
    answer = app.connect()
    RefreshToken.objects.update(expires_at=timezone.now())

    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert reasons() == ["authorization.ended"]


def test_G10_no_access_token_outlives_the_consent(app):
    refresh_token = app.connect()["refresh_token"]
    RefreshToken.objects.update(expires_at=timezone.now() + timedelta(seconds=100))

    answer = app.refresh(refresh_token).json()

    assert 0 < answer["expires_in"] <= 100
    assert tokens.find(answer["access_token"]).expires <= timezone.now() + timedelta(seconds=100)


def test_A5_a_refresh_after_the_person_stopped_it_is_refused_and_is_no_theft(app, alice):
    answer = app.connect()
    consents.revoke(Consent.objects.get(), by=alice.user)

    assert app.userinfo(answer["access_token"]).status_code == 401
    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert reasons() == ["token.refused"]


def test_a_code_after_the_person_stopped_it_is_refused(app, alice):
    code = app.code()
    consents.revoke(Consent.objects.get(), by=alice.user)

    assert app.redeem(code).json()["error"] == "invalid_grant"


def test_revoke_all_counts_and_leaves_other_authorizations_alone(app, alice):
    app.connect()
    other = App(app.browser, factories.acme_client())
    kept = other.connect()

    assert tokens.revoke_all(Consent.objects.get(client=app.client).id) == 2
    assert tokens.revoke_all(Consent.objects.get(client=app.client).id) == 0
    assert other.refresh(kept["refresh_token"]).status_code == 200


@pytest.mark.parametrize("status", [Client.Status.SUSPENDED, Client.Status.BLOCKED])
def test_a_client_that_is_out_gets_no_more_tokens(app, status):
    answer = app.connect()
    Client.objects.update(status=status)

    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_client"
    assert app.userinfo(answer["access_token"]).status_code == 401


def test_a_closed_account_gives_no_more_tokens(app, alice):
    answer = app.connect()
    alice.user.is_active = False
    alice.user.save()

    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert app.userinfo(answer["access_token"]).status_code == 401


# The endpoint itself


@pytest.mark.parametrize("path", ["/o/token/", "/o/revoke_token/", "/o/introspect/"])
def test_G11_nothing_is_taken_from_a_url(app, path):
    assert app.machine.get(path, {"token": "x"}).status_code == 405
    assert app.machine.post(f"{path}?token=x&client_id={app.client.client_id}").status_code in (400, 401)
    assert app.machine.post(f"{path}?x=%zz").status_code == 400


def test_G11_the_device_grant_is_not_served(app):
    response = app.post("/o/token/", {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"})

    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")
