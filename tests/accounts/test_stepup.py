"""Step-up: which proof an action takes, for how long, and whose."""

import uuid

import pytest
from django.core.cache import cache

from accounts import stepup
from accounts.factors import Factor
from accounts.stepup import POLICIES, STAFF, Action, StepUpNeeded
from tests import factories, proving

FOR_PATIENTS = sorted(action for action in Action if POLICIES[action] is not STAFF)
FOR_STAFF = sorted(action for action in Action if POLICIES[action] is STAFF)


@pytest.fixture
def alice(db):
    cache.clear()
    return factories.alice().user


@pytest.fixture
def here(rf, client, alice):
    """A request in the session of Alice, who has just signed in."""
    client.force_login(alice)

    def make(method="get"):
        request = getattr(rf, method)("/downloads/new/", {"what": "all"} if method == "post" else {})
        request.session, request.user = client.session, alice
        return request

    return make


def wait(request, action=Action.EXPORT):
    """The action as it waits after it was asked for."""
    with pytest.raises(StepUpNeeded) as needed:
        stepup.require(request, action)
    return stepup.waiting(request, uuid.UUID(needed.value.response.url.strip("/").split("/")[-1]))


def test_every_action_has_a_policy():
    assert set(POLICIES) == set(Action)
    assert all(policy.accepted and policy.max_age == 300 for policy in POLICIES.values())


@pytest.mark.parametrize("action", FOR_PATIENTS)
def test_a_fresh_sign_in_is_proof_enough(here, action):
    assert stepup.require(here(), action).method is Factor.PASSWORD


@pytest.mark.parametrize("action", FOR_STAFF)
def test_a_fresh_sign_in_is_no_proof_for_what_staff_do(here, alice, action):
    proving.has_codes(alice)

    assert stepup.proof_of(here(), action) is None


@pytest.mark.parametrize("action", Action)
def test_an_old_sign_in_is_no_proof(here, client, action):
    proving.minutes_pass(client, 6)

    assert stepup.proof_of(here(), action) is None


def test_a_proof_is_for_its_action_only(here, client):
    proving.minutes_pass(client, 6)
    request = here()
    stepup.passed(request, wait(request, Action.EXPORT), Factor.PASSWORD)

    assert stepup.require(request, Action.EXPORT).action is Action.EXPORT
    assert all(stepup.proof_of(request, other) is None for other in Action if other is not Action.EXPORT)


@pytest.mark.parametrize(("minutes", "holds"), [(4.9, True), (5.1, False)])
def test_a_proof_holds_for_five_minutes(here, client, minutes, holds):
    proving.minutes_pass(client, 60)
    request = here()
    stepup.passed(request, wait(request), Factor.PASSWORD)
    request.session.save()
    client.cookies["session"] = request.session.session_key  # a proof changes it
    proving.minutes_pass(client, minutes)

    assert (stepup.proof_of(here(), Action.EXPORT) is not None) is holds


def test_A15_a_proof_from_the_future_is_none(here, client):
    proving.minutes_pass(client, -10)

    assert stepup.proof_of(here(), Action.EXPORT) is None


def test_a_password_is_no_proof_where_there_is_a_second_factor(here, alice):
    proving.has_codes(alice)

    assert stepup.proof_of(here(), Action.EXPORT) is None
    assert stepup.accepted_of(alice, Action.EXPORT) == (Factor.CODE,)


def test_the_best_factor_comes_first(alice):
    proving.has_codes(alice)
    proving.has_backup_codes(alice)
    proving.has_passkey(alice)

    assert stepup.accepted_of(alice, Action.SECURITY) == (Factor.PASSKEY, Factor.CODE, Factor.BACKUP_CODE)
    assert stepup.accepted_of(alice, Action.BREAK_GLASS) == (Factor.PASSKEY, Factor.CODE)


def test_who_has_nothing_that_counts_cannot_go_on(alice):
    assert stepup.accepted_of(alice, Action.ELEVATION) == ()


def test_A15_a_proof_of_somebody_else_in_the_same_session_does_not_count(here, client):
    proving.minutes_pass(client, 6)
    request = here()
    one = wait(request)
    stepup.passed(request, one, Factor.PASSWORD)
    request.user = factories.create_user("Mallory Quinn")

    assert stepup.proof_of(request, Action.EXPORT) is None
    assert stepup.waiting(request, uuid.UUID(one.id)) is None


def test_tabs_wait_apart_and_not_without_end(here, client):
    proving.minutes_pass(client, 6)
    request = here("post")
    ids = [uuid.UUID(wait(request).id) for _ in range(stepup.MOST_WAITING + 1)]

    assert [bool(stepup.waiting(request, id)) for id in ids] == [False] + [True] * stepup.MOST_WAITING


def test_what_waits_is_over_after_half_an_hour(here, client):
    proving.minutes_pass(client, 6)
    request = here()
    one = wait(request)
    request.session[stepup.WAITING][one.id]["since"] -= stepup.WAITS + 1

    assert stepup.waiting(request, uuid.UUID(one.id)) is None


def test_a_form_that_waits_cannot_be_read_in_the_database(here, client):
    proving.minutes_pass(client, 6)
    one = wait(here("post"))

    assert one.form
    assert "what" not in one.form
