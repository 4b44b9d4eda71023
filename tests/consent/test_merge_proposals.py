"""Two open accounts of one person become one when both agree, and never by the word of one side."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.identities import Refused
from accounts.models import PatientIdentity
from audit.models import AuditEvent
from consent import merge_models, merge_proposals
from consent.merge_models import TRANSITIONS, MergeProposal
from notices.models import Notice
from tests import factories, proving
from tests.habits.rooms import ROOT

pytestmark = pytest.mark.django_db
PAGE = "/settings/one-account/"
SAW = {"evidence": "Both photo IDs", "reason": "She married"}


@pytest.fixture
def cora():
    return factories.create_staff("Cora Lind", "compliance")


@pytest.fixture
def alice():
    patient = factories.alice()
    factories.create_consent(patient)
    return patient


@pytest.fixture
def other(alice):
    """Her second account, with a record elsewhere, a sharing, a helper, and somebody whom it helps."""
    patient = factories.create_patient("Alice Moreno", birth_date=alice.birth_date)
    PatientIdentity.objects.filter(patient=patient).update(source="lakeside")
    factories.create_consent(patient)
    factories.let_help(factories.create_user("Amir Moreno"), patient)
    factories.let_help(patient.user, factories.tom())
    return patient


@pytest.fixture
def asked(alice, other, cora):
    return merge_proposals.propose(alice, other, **SAW, by=cora)


def agreed(asked):
    for patient in (asked.kept, asked.merged):
        asked = merge_proposals.answer(asked, by=patient.user, yes=True)
    return asked


def days_pass():
    MergeProposal.objects.update(due_at=timezone.now())
    merge_proposals.make_due()


def kinds_of(user):
    told = Notice.objects.filter(recipient=f"User/{user.pk}", kind__startswith="accounts_one")
    return list(told.order_by("created_at").values_list("kind", flat=True))


def test_both_say_yes_on_their_page_and_after_some_days_they_are_one(client, asked, alice, other):
    owner = other.user
    for patient, says in ((alice, "This account stays."), (other, "This one closes.")):
        client.post("/accounts/login/", {"login": patient.user.email, "password": factories.PASSWORD})
        proving.minutes_pass(client)
        page = client.get(PAGE).text
        assert says in page
        assert (other if patient == alice else alice).user.email not in page  # masked
        step = client.post(PAGE, {"do": "yes"})
        assert step.url.startswith("/check/")
        client.post(step.url, {"password": factories.PASSWORD}, follow=True)
        client.logout()
    asked.refresh_from_db()
    assert asked.status == "agreed"
    assert merge_proposals.make_due() == 0  # the days to stop it

    days_pass()

    asked.refresh_from_db()
    other.refresh_from_db()
    owner.refresh_from_db()
    assert (asked.status, other.merged_into, owner.is_active) == ("done", alice, False)
    assert alice.identities.count() == 2
    assert not owner.helps.filter(status="confirmed").exists()  # whom it helped
    living = alice.helpers.filter(status="confirmed")
    assert [relation.user.name for relation in living] == ["Amir Moreno"]
    assert not alice.consents.filter(status="active").exists()  # all waits for a new yes
    assert Notice.objects.filter(kind="account_closed", recipient=f"User/{owner.pk}").exists()
    assert AuditEvent.objects.filter(type="patient:merge", outcome="done").count() == 2


@pytest.mark.parametrize("who", ["kept", "merged"])
def test_one_yes_is_not_enough_and_a_no_stops_it_until_it_is_made(asked, who):
    one, two = (asked.kept, asked.merged) if who == "kept" else (asked.merged, asked.kept)
    merge_proposals.answer(asked, by=one.user, yes=True)
    with pytest.raises(Refused, match="already"):
        merge_proposals.answer(asked, by=one.user, yes=True)
    merge_proposals.answer(asked, by=two.user, yes=True)
    merge_proposals.answer(asked, by=one.user, yes=False)
    days_pass()

    asked.refresh_from_db()
    assert (asked.status, asked.why) == ("stopped", "no")
    assert asked.merged.user.is_active
    assert kinds_of(two.user)[-1] == "accounts_one_over"


def test_a_second_member_of_staff_stands_in_for_a_dead_account_only(asked, cora, other):
    dora = factories.create_staff("Dora Ek", "privacy_officer")
    with pytest.raises(Refused, match="They have to answer themselves"):
        merge_proposals.second(asked, by=dora)
    other.user.last_login = timezone.now() - merge_proposals.DEAD_AFTER - timedelta(days=1)
    other.user.save()
    for by in (cora, factories.create_staff("Sam Park", "support"), asked.kept.user):
        with pytest.raises(Refused):
            merge_proposals.second(asked, by=by)

    merge_proposals.second(asked, by=dora)
    asked = merge_proposals.answer(asked, by=asked.kept.user, yes=True)

    assert (asked.status, asked.seconded_by) == ("agreed", dora)
    assert AuditEvent.objects.filter(type="patient:answer", outcome="deny").count() == 4


def test_nobody_else_answers_and_what_does_not_fit_is_not_proposed(client, asked, alice, other, cora):
    mallory = factories.mallory()
    with pytest.raises(Refused):
        merge_proposals.answer(asked, by=mallory.user, yes=True)
    client.force_login(mallory.user)
    assert "asks you nothing" in client.get(PAGE).text
    for kept, merged, by in (
        (alice, mallory, cora),  # asked already
        (mallory, factories.tom(), cora),  # does not sign in
        (mallory, factories.create_patient("Two"), mallory.user),
    ):
        with pytest.raises(Refused):
            merge_proposals.propose(kept, merged, **SAW, by=by)


def test_who_is_neither_account_is_refused_and_it_stands_in_the_log(asked, cora):
    with pytest.raises(Refused):
        merge_proposals.answer(asked, by=cora, yes=True)

    event = AuditEvent.objects.get(type="patient:answer")
    assert (event.outcome, event.reasons, event.actor) == ("deny", ["merge.state"], f"User/{cora.pk}")


def test_what_changed_since_stops_it_and_late_answers_too(asked, other):
    agreed(asked)
    other.user.closes_at = timezone.now() + timedelta(days=7)
    other.user.save()
    days_pass()
    asked.refresh_from_db()
    assert (asked.status, asked.why) == ("stopped", "cannot")

    MergeProposal.objects.update(status="half", proposed_at=timezone.now() - timedelta(days=31))
    merge_proposals.make_due()
    asked.refresh_from_db()
    assert (asked.status, asked.why) == ("stopped", "late")


def test_staff_proposes_and_withdraws_on_the_console(client, alice, other, cora):
    proving.has_codes(cora)
    client.force_login(cora)
    form = {"kept": f"Patient/{alice.pk}", "merged": f"Patient/{other.pk}", **SAW}
    wrong = client.post("/admin/merges/", form | {"birth_date": "1999-01-01"})
    assert "There are no two such patients" in wrong.text
    step = client.post("/admin/merges/", form | {"birth_date": str(alice.birth_date)})
    page = client.post(step.url, {"code": proving.code_now()}, follow=True)
    made = MergeProposal.objects.get()
    assert f"Patient/{alice.pk}" in page.text
    assert kinds_of(alice.user) == kinds_of(other.user) == ["accounts_one"]

    client.post(f"/admin/merges/{made.pk}/", {"do": "withdraw"})
    made.refresh_from_db()
    assert (made.status, made.why) == ("stopped", "withdrawn")


def test_the_table_is_total_and_its_picture_is_in_the_docs():
    assert set(TRANSITIONS) == set(MergeProposal.Status)
    assert {step for steps in TRANSITIONS.values() for step in steps} == set(merge_models.Step)
    assert merge_models.diagram() in (ROOT / "docs" / "staff.md").read_text(), merge_models.diagram()
