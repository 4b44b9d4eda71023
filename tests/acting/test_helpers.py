"""The patient's side: invite by a code, see, change and stop; and what cannot be."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import relations
from accounts.models import CodeAttempt, HelperInvitation, RelatedPerson, RelatedPersonChange
from accounts.relation_states import Why
from accounts.relations import Refused
from audit.models import AuditEvent
from consent import authority, helper_rights, helping
from consent.versions import Act
from notices.models import Notice
from tests import factories, proving

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def rosa():
    return factories.create_user("Rosa Bennett")


@pytest.fixture
def hers(alice) -> Client:
    page = Client()
    page.force_login(alice.user)
    return page


@pytest.fixture
def helpers_own(rosa) -> Client:
    page = Client()
    page.force_login(rosa)
    return page


def choice(**changes):
    until = timezone.localdate() + timedelta(days=90)
    return {"relationship": "FRND", "level": "visits", "until": until.isoformat()} | changes


def invited(page: Client, **changes) -> str:
    answer = page.post("/helpers/invite/", choice(**changes))
    assert answer.status_code == 200, answer.text
    found = re.search(r"<code>([A-Z0-9]{5}-[A-Z0-9]{5})</code>", answer.text)
    assert found
    return found[1]


def test_a_code_makes_a_helper_and_the_patient_sees_who_took_it(alice, rosa, hers, helpers_own):
    code = invited(hers)
    answer = helpers_own.post("/helpers/join/", {"code": code.lower().replace("-", " ")})
    relation = RelatedPerson.objects.get(user=rosa)

    assert answer.headers["Location"] == f"/acting/{relation.pk}/"
    assert (relation.status, relation.level, relation.basis) == ("confirmed", "visits", "choice")
    assert authority.for_helper(rosa, alice).missing is None
    page = hers.get("/helpers/").text
    assert "<bdi>Rosa Bennett</bdi>" in page
    assert "New. Is this who you meant?" in page
    assert Notice.objects.get(kind="helper_added").context == {"helper": "Rosa Bennett"}
    hers.post(f"/helpers/{relation.pk}/do/", {"do": "stop"})
    assert authority.for_helper(rosa, alice).missing == "consent.revoked"


def test_a_code_is_kept_as_a_digest_and_works_once(hers, helpers_own):
    code = invited(hers)
    helpers_own.post("/helpers/join/", {"code": code})
    other = Client()
    other.force_login(factories.create_user("Mallory Quinn"))
    second = other.post("/helpers/join/", {"code": code})

    assert code not in str(HelperInvitation.objects.values_list()[0])
    assert second.status_code == 422
    assert "This code is not right, or it is too old" in second.text
    assert RelatedPerson.objects.count() == 1


def test_a_code_ends_after_48_hours(hers, helpers_own):
    code = invited(hers)
    HelperInvitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert helpers_own.post("/helpers/join/", {"code": code}).status_code == 422
    assert (
        HelperInvitation.objects.get().expires_at - HelperInvitation.objects.get().made_at
        < relations.OPEN_FOR
    )


def test_a_code_that_was_taken_back_does_not_work(hers, helpers_own):
    code = invited(hers)
    hers.post(f"/helpers/invite/{HelperInvitation.objects.get().pk}/cancel/")

    assert helpers_own.post("/helpers/join/", {"code": code}).status_code == 422


def test_wrong_codes_are_counted_and_then_a_right_one_waits_too(hers, helpers_own):
    code = invited(hers)
    for _ in range(relations.MOST_ATTEMPTS):
        helpers_own.post("/helpers/join/", {"code": "BBBBB-BBBBB"})
    late = helpers_own.post("/helpers/join/", {"code": code})

    assert CodeAttempt.objects.count() == relations.MOST_ATTEMPTS
    assert "Too many wrong codes" in late.text
    assert not RelatedPerson.objects.exists()


def test_one_patient_has_few_codes_open(hers):
    for _ in range(relations.MOST_INVITATIONS):
        invited(hers)
    answer = hers.post("/helpers/invite/", choice())

    assert answer.status_code == 422
    assert "You have 5 codes that wait" in answer.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"until": "2020-01-01"}, "Choose an end that is still to come."),
        ({"until": "2099-01-01"}, "Choose a day in the next 2 years."),
        ({"level": "own"}, "Choose at least one kind of record."),
        ({"level": ""}, "Choose what they can see."),
        ({"relationship": "GUARD"}, "Select a valid choice"),
        ({"level": "everything"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_invited_is_refused_with_words(hers, changes, words):
    answer = hers.post("/helpers/invite/", choice(**changes))

    assert answer.status_code == 422
    assert words in answer.text
    assert not HelperInvitation.objects.exists()


def test_nobody_is_their_own_helper(hers):
    answer = hers.post("/helpers/join/", {"code": invited(hers)})

    assert answer.status_code == 422
    assert "You cannot be your own helper." in answer.text


def test_nobody_is_a_helper_twice(alice, rosa, hers, helpers_own):
    factories.let_help(rosa, alice)
    answer = helpers_own.post("/helpers/join/", {"code": invited(hers)})

    assert "You are already a helper of this person." in answer.text


def test_who_treats_a_patient_is_not_their_helper_too(alice, hers):
    osei = factories.dr_osei(treats=[alice])
    page = Client()
    page.force_login(osei)
    answer = page.post("/helpers/join/", {"code": invited(hers)})

    assert "You treat this person." in answer.text


def test_two_people_do_not_each_decide_for_the_other(alice):
    evelyn = factories.create_patient("Evelyn Bennett")
    factories.let_help(evelyn.user, alice, "SPS", basis="attorney")
    now = timezone.now()
    with pytest.raises(Refused, match=r"helper\.circular"):
        helper_rights.check(
            evelyn, alice.user, relationship="SPS", basis="attorney", until=now + timedelta(days=9), now=now
        )


def test_of_two_tabs_that_change_a_helper_the_second_is_told(alice, rosa, hers):
    relation = factories.let_help(rosa, alice)
    first = hers.post(f"/helpers/{relation.pk}/", choice(version="1"))
    second = hers.post(f"/helpers/{relation.pk}/", choice(version="1", level="daily"))
    relation.refresh_from_db()

    assert first.status_code == 302
    assert second.status_code == 409
    assert "This helper was changed in another window." in second.text
    assert (relation.level, relation.status, relation.version) == ("visits", "narrowed", 2)
    kinds = helper_rights.categories_now(relation)
    assert kinds == set(helper_rights.categories_of("visits"))


def test_what_a_helper_sees_is_counted_by_the_same_decision(alice, rosa, hers):
    relation = factories.let_help(rosa, alice)
    page = hers.get(f"/helpers/{relation.pk}/sees/").text

    assert "What <bdi>Rosa Bennett</bdi> can see now" in page
    assert re.search(r"Test results</th><td class=\"n\">1<", page)


def test_stopping_on_the_page_of_sharing_ends_the_relationship_too(alice, rosa, hers):
    relation = factories.let_help(rosa, alice)
    hers.post(f"/sharing/{relation.consents.get().pk}/stop/")
    relation.refresh_from_db()

    assert (relation.status, relation.reason) == ("revoked", "patient-stopped")


def test_a_pause_ends_no_relationship(alice, rosa, hers):
    relation = factories.let_help(rosa, alice)
    hers.post("/sharing/pause/")
    relation.refresh_from_db()

    assert relation.status == "confirmed"
    assert authority.for_helper(rosa, alice).missing == "consent.paused"


def test_a_helper_who_is_not_approved_again_sees_nothing_until_then(alice, rosa, hers):
    relation = factories.let_help(rosa, alice)
    RelatedPerson.objects.update(review_at=timezone.now() - timedelta(days=1))
    assert authority.for_helper(rosa, alice).missing == "clinic.hold"
    assert "Say that they can go on." in hers.get("/helpers/").text

    hers.post(f"/helpers/{relation.pk}/do/", {"do": "renew", "version": "1"})

    assert authority.for_helper(rosa, alice).missing is None


def test_a_wider_helper_needs_a_fresh_proof_and_a_narrower_one_does_not(alice, rosa, hers):
    relation = factories.let_help(rosa, alice, level="daily")
    proving.minutes_pass(hers)
    wider = hers.post(f"/helpers/{relation.pk}/", choice(version="1", level="most"))
    narrower = hers.post(f"/helpers/{relation.pk}/", choice(version="1", level="visits"))

    assert "/helpers/" not in wider.headers["Location"]
    assert narrower.headers["Location"] == f"/helpers/{relation.pk}/"


def test_the_pages_of_one_patients_helpers_are_not_there_for_another(alice, rosa):
    relation = factories.let_help(rosa, alice)
    page = Client()
    page.force_login(factories.mallory().user)

    assert page.get(f"/helpers/{relation.pk}/").status_code == 404
    assert page.post(f"/helpers/{relation.pk}/do/", {"do": "stop"}).status_code == 404
    relation.refresh_from_db()
    assert relation.status == "confirmed"


def test_a_request_is_answered_alike_whether_there_is_such_a_patient(alice, rosa, helpers_own):
    asked = {
        "name": "Alice  MORENO",
        "born": alice.birth_date.isoformat(),
        "relationship": "SPS",
        "basis": "attorney",
        "evidence": ["photo-id", "power-of-attorney"],
    }
    there = helpers_own.post("/helpers/ask/", asked)
    nobody = helpers_own.post("/helpers/ask/", asked | {"name": "Nobody At All"})
    relation = RelatedPerson.objects.get(user=rosa)

    strip = re.compile(r'value="[^"]{20,}"')
    assert strip.sub("", there.text) == strip.sub("", nobody.text)
    assert (relation.status, relation.basis) == ("asked", "attorney")
    assert authority.for_helper(rosa, alice).missing == "clinic.hold"
    assert Notice.objects.filter(kind="helper_asked", recipient=f"User/{alice.user.pk}").exists()


def test_every_step_stands_in_the_history_and_in_the_log(alice, rosa):
    relation = factories.let_help(rosa, alice)
    act = Act(by=alice.user, channel="portal")
    until = timezone.now() + timedelta(days=30)
    helping.change(
        relation,
        level="visits",
        categories=[],
        may_share=False,
        may_write=False,
        until=until,
        act=act,
        seen=1,
    )
    helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")

    steps = RelatedPersonChange.objects.order_by("number").values_list("status", "reason")
    assert list(steps) == [
        ("confirmed", "code-taken"),
        ("narrowed", "patient-narrowed"),
        ("revoked", "patient-stopped"),
    ]
    events = AuditEvent.objects.filter(type__startswith="helper:", target=f"RelatedPerson/{relation.pk}")
    assert sorted(events.values_list("type", flat=True)) == ["helper:confirm", "helper:end", "helper:narrow"]


def test_history_is_never_changed(alice, rosa):
    from django.db import DatabaseError, transaction

    factories.let_help(rosa, alice)
    for change in (
        RelatedPersonChange.objects.all().delete,
        lambda: RelatedPersonChange.objects.update(note="x"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
