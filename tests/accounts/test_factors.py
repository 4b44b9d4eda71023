"""What we take for granted of allauth's records (stack.md, section 2), and how we read them."""

import pytest
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.core.cache import cache
from django.urls import reverse

from accounts import factors
from accounts.factors import Factor
from tests import factories, proving
from tests.factories import PASSWORD


@pytest.fixture
def alice(db):
    cache.clear()
    return factories.alice().user


@pytest.fixture
def request_of(rf, client):
    """A request in the client's session."""

    def make(user):
        request = rf.get("/")
        request.session, request.user = client.session, user
        return request

    return make


def sign_in(client, user):
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})


def test_a_sign_in_leaves_a_record_with_its_method_and_moment(alice, client, request_of):
    sign_in(client, alice)

    (record,) = get_authentication_records(request_of(alice), alice)
    assert record["method"] == "password"
    assert proving.now() - record["at"] < 60


def test_to_allauth_a_sign_in_is_no_proof_and_to_us_it_is(alice, client, request_of):
    sign_in(client, alice)

    assert not did_recently_reauthenticate(request_of(alice))
    assert [p.at_sign_in for p in factors.proven(request_of(alice))] == [True]


def test_to_allauth_a_password_is_enough_where_there_are_codes(alice, client, request_of):
    client.force_login(alice)
    proving.has_codes(alice)
    request = request_of(alice)
    factors.check_password(request, alice, PASSWORD)

    assert did_recently_reauthenticate(request)  # which is why step-up asks for itself


def test_to_allauth_who_has_no_way_to_prove_it_passes(db, client, request_of):
    nobody = factories.create_user("No Way")
    nobody.set_unusable_password()
    nobody.save()
    client.force_login(nobody)

    assert did_recently_reauthenticate(request_of(nobody))  # and step-up does not let them


def test_records_of_somebody_else_do_not_count(alice, client, request_of):
    client.force_login(alice)

    assert list(factors.proven(request_of(factories.create_user("Mallory Quinn")))) == []


def test_a_person_has_what_they_set_up(alice):
    assert factors.of(alice) == {Factor.PASSWORD}

    proving.has_codes(alice)
    codes = proving.has_backup_codes(alice)
    assert factors.of(alice) == {Factor.PASSWORD, Factor.CODE, Factor.BACKUP_CODE}
    assert codes


def test_used_up_backup_codes_are_none(alice, client, request_of):
    client.force_login(alice)
    request = request_of(alice)
    for code in proving.has_backup_codes(alice):
        assert factors.check_code(request, alice, code, {Factor.BACKUP_CODE}) is Factor.BACKUP_CODE

    assert Factor.BACKUP_CODE not in factors.of(alice)


def test_a_backup_code_works_once(alice, client, request_of):
    client.force_login(alice)
    request = request_of(alice)
    code = proving.has_backup_codes(alice)[0]

    assert factors.check_code(request, alice, code, {Factor.BACKUP_CODE})
    assert factors.check_code(request, alice, code, {Factor.BACKUP_CODE}) is None


def test_a_backup_code_that_is_not_accepted_is_not_used_up(alice, client, request_of):
    client.force_login(alice)
    request = request_of(alice)
    code = proving.has_backup_codes(alice)[0]

    assert factors.check_code(request, alice, code, {Factor.CODE}) is None
    assert factors.check_code(request, alice, code, {Factor.BACKUP_CODE})


def test_a_code_of_the_app_works_once(alice, client, request_of):
    client.force_login(alice)
    request = request_of(alice)
    proving.has_codes(alice)
    code = proving.code_now()

    assert factors.check_code(request, alice, code, {Factor.CODE}) is Factor.CODE
    assert factors.check_code(request, alice, code, {Factor.CODE}) is None


@pytest.mark.parametrize("answer", ["", "{", "[]", "{}", "null", '{"id": 1}', '{"response": {}}', "\x00"])
def test_what_is_no_passkey_proves_nothing(alice, client, request_of, answer):
    client.force_login(alice)

    assert factors.check_passkey(request_of(alice), alice, answer) is None
