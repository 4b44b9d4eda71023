"""Who can see a record and why: what is explained is what `decide` says to each of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Patient
from consent import authority, commands, explain, fhir
from consent.decision import Reason
from consent.directives import directives
from consent.explain import Item, Kind, viewers
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category, Purpose
from tests import factories

pytestmark = pytest.mark.django_db

LAB = Item("Observation", frozenset({Category.TEST_RESULTS}))
PRIVATE_LAB = Item("Observation", frozenset({Category.TEST_RESULTS}), frozenset({"SUD"}))
PULSE = Item("Observation", frozenset({Category.VITAL_SIGNS}))
LATER = timedelta(days=30)


@pytest.fixture
def alice() -> Patient:
    return factories.create_patient("Alice Moreno")


def act(patient: Patient) -> Act:
    return Act(by=patient.user, channel="portal", text_shown="Yes", language="en")


def helped(patient: Patient) -> Consent:
    relation = factories.helps(factories.create_user("Amir Moreno"), patient, "SPS")
    return commands.let_help(
        relation=relation,
        categories=[Category.VITAL_SIGNS],
        labels=[],
        until=timezone.now() + LATER,
        act=act(patient),
    )


def shared(patient: Patient) -> Consent:
    return commands.share(
        patient=patient,
        recipient="Organization/heart",
        categories=[Category.TEST_RESULTS],
        labels=["SUD"],
        until=timezone.now() + LATER,
        act=act(patient),
    )


def one(patient: Patient, kind: Kind, item: Item | None = None, reference: str = ""):
    return next(
        v for v in viewers(patient, item) if v.kind is kind and (not reference or v.reference == reference)
    )


def test_a_patient_who_shares_nothing_and_chose_nothing(alice):
    found = {(v.kind, v.reference): v.permitted for v in viewers(alice, LAB)}

    assert found == {
        (Kind.PATIENT, f"User/{alice.user.pk}"): True,
        (Kind.CARE_TEAM, "treatment"): True,
        (Kind.USE, "emergency"): True,
        (Kind.USE, "payment"): True,
        (Kind.USE, "operations"): True,
        (Kind.USE, "research"): False,
    }


def test_every_directive_is_explained(alice):
    told = {v.reference for v in viewers(alice) if v.kind in (Kind.CARE_TEAM, Kind.USE)}

    assert told == set(directives())


@pytest.mark.parametrize(
    ("item", "reason"),
    [(None, None), (LAB, None), (PULSE, Reason.CATEGORY), (PRIVATE_LAB, Reason.SENSITIVE)],
)
def test_an_app_sees_what_it_was_let_in_for(alice, item, reason):
    consent = factories.create_consent(alice)
    viewer = one(alice, Kind.APP, item)

    assert (viewer.name, viewer.reason, viewer.permitted) == ("Acme", reason, reason is None)
    assert (viewer.consent, viewer.until) == (consent, consent.period_end)


@pytest.mark.parametrize(
    ("item", "reason"), [(None, None), (PULSE, None), (LAB, Reason.CATEGORY), (PRIVATE_LAB, Reason.CATEGORY)]
)
def test_a_helper_sees_what_they_were_let_in_for(alice, item, reason):
    helped(alice)
    viewer = one(alice, Kind.HELPER, item)

    assert (viewer.name, viewer.reason) == ("Amir Moreno", reason)


def test_a_share_opens_what_the_usual_rule_keeps_closed(alice):
    shared(alice)
    viewer, team = one(alice, Kind.SHARE, PRIVATE_LAB), one(alice, Kind.CARE_TEAM, PRIVATE_LAB)

    assert (viewer.reference, viewer.permitted, viewer.by_default) == ("Organization/heart", True, False)
    assert team.reason is Reason.SENSITIVE


def test_what_holds_by_default_says_so(alice):
    shared(alice)

    assert one(alice, Kind.CARE_TEAM, LAB).by_default
    assert one(alice, Kind.SHARE, PULSE).by_default  # whom they treat, they may know


def test_a_choice_beats_the_default_in_both_directions(alice):
    commands.prefer(patient=alice, directive="research", permit=True, act=act(alice))
    commands.prefer(patient=alice, directive="treatment", permit=False, act=act(alice))
    research, team = one(alice, Kind.USE, LAB, "research"), one(alice, Kind.CARE_TEAM, LAB)

    assert (research.permitted, research.chosen, research.by_default) == (True, True, False)
    assert (team.permitted, team.chosen, team.reason) == (False, False, Reason.DENIED)


def test_a_choice_that_is_taken_back_leaves_the_default(alice):
    choice = commands.prefer(patient=alice, directive="payment", permit=False, act=act(alice))
    commands.revoke(choice, by=alice.user)
    payment = one(alice, Kind.USE, LAB, "payment")

    assert (payment.permitted, payment.chosen) == (True, None)


def test_a_pause_closes_all_that_was_shared_and_leaves_the_clinic_its_work(alice):
    factories.create_consent(alice)
    helped(alice)
    commands.pause_all(alice, act=act(alice))
    found = {v.kind: v for v in viewers(alice)}

    assert found[Kind.APP].reason is Reason.PAUSED
    assert found[Kind.HELPER].reason is Reason.PAUSED
    assert found[Kind.CARE_TEAM].permitted
    assert found[Kind.PATIENT].permitted


def test_a_limit_holds_once_the_clinic_agreed_and_for_whom_it_names(alice):
    factories.create_consent(alice)
    provision = {
        "type": "deny",
        "purpose": [{"system": fhir.ACT_REASON, "code": Purpose.TREAT}],
        "code": [fhir.concept(fhir.DATA_CATEGORY, Category.TEST_RESULTS)],
    }
    limit = commands.ask_restriction(patient=alice, provision=provision, act=act(alice))
    asked_for = one(alice, Kind.CARE_TEAM, LAB)
    commands.answer(limit, agreed=True, act=act(alice))

    assert asked_for.permitted
    assert one(alice, Kind.CARE_TEAM, LAB).reason is Reason.DENIED
    assert one(alice, Kind.CARE_TEAM, PULSE).permitted
    assert one(alice, Kind.APP, LAB).permitted


def test_a_consent_that_ended_is_not_told_of(alice):
    consent = factories.create_consent(alice)
    commands.revoke(consent, by=alice.user)

    assert Kind.APP not in {v.kind for v in viewers(alice)}


def test_a_consent_whose_time_is_over_lets_nobody_in(alice):
    consent = factories.create_consent(alice)
    Consent.objects.filter(pk=consent.pk).update(period_end=timezone.now())  # as before `expire_due` runs

    assert one(alice, Kind.APP, LAB).reason is Reason.EXPIRED


@pytest.mark.parametrize("item", [None, LAB, PRIVATE_LAB, PULSE])
def test_people_are_asked_about_with_their_own_authority(alice, item):
    """A second look, by the requesters that the portal and the other doors make for themselves."""
    relation = helped(alice).helper
    shared(alice)
    osei = factories.dr_osei()
    doors = {
        Kind.PATIENT: authority.for_own_record(alice.user, alice, timezone.now()),
        Kind.HELPER: authority.for_helper(relation.user, alice),
        Kind.CARE_TEAM: authority.for_clinician(osei, alice, timezone.now(), treats=True),
        Kind.SHARE: authority.for_other_system(alice.pk, {"Organization/heart"}, Purpose.TREAT),
    }
    told = {v.kind: v.decision for v in viewers(alice, item) if v.kind in doors}

    assert told == {kind: explain.sees(requester, item) for kind, requester in doors.items()}


def test_a_stranger_is_not_among_them_and_sees_nothing(alice):
    mallory = factories.create_patient("Mallory Quinn")
    stranger = authority.for_own_record(mallory.user, alice, timezone.now())

    assert f"User/{mallory.user.pk}" not in {v.reference for v in viewers(alice)}
    assert not explain.sees(stranger, LAB).permitted


def test_explaining_asks_the_database_few_times(alice, django_assert_max_num_queries):
    factories.create_consent(alice)
    with django_assert_max_num_queries(16):
        viewers(alice, LAB)
