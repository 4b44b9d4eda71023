"""A13: help that ended, somebody who comes back, two patients in one session."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import RelatedPerson
from accounts.relation_states import S, Why
from consent import authority, helping
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


@pytest.fixture
def his(amir) -> Client:
    page = Client()
    page.force_login(amir)
    return page


def acts(page: Client, relation) -> str:
    page.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    return f"/for/{relation.pk}"


@pytest.mark.parametrize("state", [s for s in S if s not in ("confirmed", "narrowed")])
def test_whatever_ended_or_did_not_begin_opens_nothing(alice, amir, his, state):
    relation = factories.let_help(amir, alice)
    before = acts(his, relation)
    RelatedPerson.objects.update(status=state)

    page = his.get(f"{before}/results/")
    assert page.status_code == 403
    assert "LDL" not in page.text
    assert authority.for_helper(amir, alice).missing is not None
    assert his.post("/acting/switch/", {"who": relation.pk, "agree": "yes"}).status_code == 403


def test_time_that_is_over_counts_before_anybody_has_written_it_down(alice, amir, his):
    relation = factories.let_help(amir, alice)
    before = acts(his, relation)
    now = timezone.now()
    RelatedPerson.objects.update(period_start=now - timedelta(days=9), period_end=now - timedelta(seconds=1))

    assert his.get(f"{before}/results/").status_code == 403
    helping.expire_due()
    relation.refresh_from_db()
    assert relation.status == "expired"
    assert relation.consents.get().status == "inactive"


def test_an_ex_partner_gets_nothing_back_by_any_old_way(alice, amir, his):
    """Their open tab, their session, a new sign-in after a new password, the old address, the old code."""
    relation = factories.let_help(amir, alice)
    before = acts(his, relation)
    helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    amir.set_password("a-new-password-2026")
    amir.save()
    again = Client()
    assert again.login(email=amir.email, password="a-new-password-2026") or again.force_login(amir) is None

    for page in (his, again):
        assert "LDL" not in page.get(f"{before}/results/").text
        assert page.post("/acting/switch/", {"who": relation.pk, "agree": "yes"}).status_code in (302, 403)
        assert page.post("/acting/switch/", {"who": relation.pk}).status_code in (302, 403)
        assert page.get(f"{before}/results/").status_code in (302, 403, 409)
    assert "Your help for <bdi>Alice Moreno</bdi> ended on" in again.get("/acting/").text


@pytest.mark.parametrize(
    "path",
    ["accounts/password/change/", "accounts/email/", "accounts/2fa/", "settings/devices/", "o/authorize/"],
)
def test_how_the_patient_signs_in_is_nowhere_below_a_subject(alice, amir, his, path):
    before = acts(his, factories.let_help(amir, alice))

    assert his.get(f"{before}/{path}").status_code == 404
    assert his.post(f"{before}/{path}").status_code == 404


def test_two_patients_in_one_session_never_mix(alice, amir, his):
    tom = factories.tom()
    factories.load_records(factories.lab_result(tom, code={"text": "Toms test"}))
    for_alice, for_tom = factories.let_help(amir, alice), factories.let_help(amir, tom, "PRN")
    for relation, own, other in ((for_alice, "LDL", "Toms test"), (for_tom, "Toms test", "LDL")) * 2:
        before = acts(his, relation)
        page = his.get(f"{before}/results/")

        assert own in page.text
        assert other not in page.text


def test_an_item_of_the_other_patient_is_not_there(alice, amir, his):
    tom = factories.tom()
    factories.load_records(factories.lab_result(tom, "toms-result"))
    factories.let_help(amir, tom, "PRN")
    before = acts(his, factories.let_help(amir, alice))

    assert his.get(f"{before}/results/toms-result/").status_code == 404


def test_who_has_no_leave_for_tom_cannot_take_alices_address_for_him(alice, amir, his):
    tom = factories.tom()
    theirs = factories.let_help(alice.user, tom, "PRN")
    acts(his, factories.let_help(amir, alice))

    assert his.get(f"/for/{theirs.pk}/results/").status_code == 409
    assert his.post("/acting/switch/", {"who": theirs.pk, "agree": "yes"}).headers["Location"] == "/acting/"


def test_a_closed_account_helps_nobody(alice, amir, his):
    before = acts(his, factories.let_help(amir, alice))
    amir.is_active = False
    amir.save()

    assert his.get(f"{before}/results/").status_code == 302
