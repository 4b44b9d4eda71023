"""Two patients become one, and nobody sees more than before (A13; OEMR #13313)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.identities import Refused
from accounts.models import Patient, PatientIdentity, RelatedPerson
from audit.models import AuditEvent
from consent import authority, commands, fhir, merging
from consent.models import Consent, Epoch
from consent.versions import Act
from notices.models import Notice
from smart.models import AccessToken
from tests import factories
from tests.consent.merging import OTHER, WHY, act, grant, help_by, make_pair, other_row, until
from tests.consent.test_history import together


@pytest.fixture
def cora(db):
    return factories.create_staff("Cora", "compliance")


@pytest.fixture
def pair(db):
    return make_pair()


def test_identities_move_and_the_old_row_says_into_whom(pair, cora):
    alice, row = pair

    merging.merge(cora, alice, row, WHY)

    row.refresh_from_db()
    assert row.merged_into == alice
    assert {i.source for i in alice.identities.all()} == {factories.SOURCE, OTHER}
    assert not row.identities.exists()
    assert PatientIdentity.ever.filter(patient=row).count() == 1
    events = AuditEvent.objects.filter(type="patient:merge", outcome="done")
    assert {e.patient for e in events} == {f"Patient/{alice.pk}", f"Patient/{row.pk}"}


def test_answers_that_are_under_way_do_not_leave(pair, cora):
    alice, row = pair
    amir = factories.create_user("Amir Moreno")
    help_by(amir, row)
    under_way = authority.for_helper(amir, row)
    assert under_way.is_still_in_force()

    merging.merge(cora, alice, row, WHY)

    assert not under_way.is_still_in_force()
    assert Epoch.objects.get(patient=alice).number > 0


def test_a_grant_of_either_is_paused_and_that_of_the_merged_asked_for_again(pair, cora):
    alice, row = pair
    acme, other = factories.acme_client(), factories.acme_client()
    kept, moved = grant(alice, acme, alice.user), grant(row, other, cora)

    merging.merge(cora, alice, row, WHY)

    kept.refresh_from_db()
    moved.refresh_from_db()
    assert (kept.status, moved.status) == ("paused", "paused")
    assert kept.current.channel == moved.current.channel == "merge"
    asked = alice.consents.get(client=other)
    assert (asked.status, asked.current.channel) == ("proposed", "merge")
    assert asked.current.as_fhir()["patient"] == {"reference": f"Patient/{alice.pk}"}


def test_a_patient_without_records_pauses_nobody(cora, db):
    alice, row = factories.create_patient("Alice Moreno"), other_row()
    row.identities.update(ended_at=timezone.now())
    kept = grant(alice, factories.acme_client(), alice.user)

    merging.merge(cora, alice, row, WHY)

    kept.refresh_from_db()
    assert kept.status == "active"


def test_tokens_of_the_merged_die_and_do_not_come_back(pair, cora):
    alice, row = pair
    consent = grant(row, factories.acme_client(), cora)
    AccessToken.objects.all().delete()
    token = AccessToken.objects.create(
        user=cora, application=consent.client, patient=row, authorization_id=consent.id, scope="patient/*.rs",
        token="", token_checksum=factories.uuid.uuid4().hex * 2, expires=until(),
    )  # fmt: skip

    merging.merge(cora, alice, row, WHY)
    commands.resume_all(alice, act=act(alice))

    token.refresh_from_db()
    assert token.expires <= timezone.now()


def test_the_patient_lets_them_in_again_by_saying_yes(pair, cora):
    alice, row = pair
    amir = factories.create_user("Amir Moreno")
    help_by(amir, row)
    merging.merge(cora, alice, row, WHY)
    assert authority.for_helper(amir, alice).missing == "consent.proposed"

    asked = alice.consents.get(kind="helper")
    commands.answer(asked, agreed=True, act=act(alice))

    assert authority.for_helper(amir, alice).missing is None


def test_a_helper_of_both_is_one_helper_and_none_of_the_merged(pair, cora):
    alice, row = pair
    amir = factories.create_user("Amir Moreno")
    for patient in pair:
        help_by(amir, patient)

    merging.merge(cora, alice, row, WHY)

    assert alice.helpers.filter(user=amir, status="confirmed").count() == 1
    assert not row.helpers.exclude(status="ended").exists()


def test_who_helped_the_other_row_is_not_their_own_helper(pair, cora):
    alice, row = pair
    help_by(alice.user, row)

    merging.merge(cora, alice, row, WHY)

    assert not RelatedPerson.objects.filter(user=alice.user).exclude(status="ended").exists()
    assert not alice.consents.filter(kind="helper").exists()


def test_what_either_denied_holds_for_the_whole(pair, cora):
    alice, row = pair
    commands.prefer(patient=row, directive="payment", permit=False, act=Act(by=cora, channel="portal"))
    deny = {"type": "deny", "securityLabel": [fhir.label_coding("PSY")]}
    asked = commands.ask_restriction(patient=row, provision=deny, act=Act(by=cora, channel="staff"))
    commands.answer(asked, agreed=True, act=Act(by=cora, channel="staff"))

    merging.merge(cora, alice, row, WHY)

    held = alice.consents.filter(kind="restriction", status="active")
    rows = [row for consent in held for row in consent.current.provisions]
    assert ["PSY"] in [row.get("security_labels") for row in rows]
    assert ["HPAYMT"] in [row.get("purposes") for row in rows]


def account_elsewhere():
    other = factories.create_patient("Alice Two")
    other.identities.update(source="elsewhere")
    return other


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda alice, row: (alice, alice), "merge.self"),
        (lambda alice, row: (row, alice), "merge.accounts"),
        (lambda alice, row: (alice, account_elsewhere()), "merge.accounts"),
        (lambda alice, row: (alice, other_row(source=factories.SOURCE)), "merge.same-source"),
    ],
)
def test_what_cannot_be_merged_is_refused_and_said_in_the_log(pair, cora, change, code):
    kept, merged = change(*pair)

    with pytest.raises(Refused) as error:
        merging.merge(cora, kept, merged, WHY)

    assert error.value.code == code
    event = AuditEvent.objects.get(type="patient:merge")
    assert (event.outcome, event.reasons) == ("deny", [code])
    assert not Patient.objects.exclude(merged_into=None).exists()


def test_nobody_is_merged_into_or_from_a_row_that_was_merged(pair, cora):
    alice, row = pair
    merging.merge(cora, alice, row, WHY)

    for kept, merged in [(row, other_row(source="x")), (alice, row)]:
        with pytest.raises(Refused, match="merged already"):
            merging.merge(cora, kept, merged, WHY)


def test_only_privacy_staff_merge(pair):
    with pytest.raises(Refused):
        merging.merge(factories.create_staff("Sam", "support"), *pair, WHY)

    assert AuditEvent.objects.get(type="patient:merge").outcome == "deny"


def test_an_undo_gives_the_records_back_and_lets_nobody_in(pair, cora):
    alice, row = pair
    acme = factories.acme_client()
    grant(row, acme, cora)
    merging.merge(cora, alice, row, WHY)

    merging.unmerge(cora, row, "They are twins")

    row.refresh_from_db()
    assert row.merged_into is None
    assert [i.source for i in row.identities.all()] == [OTHER]
    assert [i.source for i in alice.identities.all()] == [factories.SOURCE]
    assert alice.consents.get(client=acme).status == "rejected"
    assert row.consents.get(client=acme).status == "paused"
    with pytest.raises(Refused):
        merging.unmerge(cora, row, "Again")


# Whatever the two had let in or denied: each permit after the merge was one before, at the same EHR.
def test_every_kind_of_consent_is_thought_of():
    assert set(Consent.Kind.values) == {"app", "helper", "share", "preference", "restriction"}


# Told, and at once


def test_the_patient_is_told_that_sharing_waits(pair, cora):
    alice, row = pair
    grant(alice, factories.acme_client(), alice.user)

    merging.merge(cora, alice, row, WHY)

    told = Notice.objects.filter(recipient=f"User/{alice.user.pk}")
    assert [n.kind for n in told if n.kind != "app_connected"] == ["sharing_waits"]


def test_a_pause_that_is_given_another_end_still_says_that_records_came(pair, cora):
    alice, row = pair
    consent = grant(alice, factories.acme_client(), alice.user)
    merging.merge(cora, alice, row, WHY)

    commands.renew(consent, until=until() + timedelta(days=9), act=act(alice))
    consent.refresh_from_db()
    assert merging.is_new_records(consent)

    commands.resume_all(alice, act=act(alice))
    commands.pause_all(alice, act=act(alice))
    consent.refresh_from_db()
    assert not merging.is_new_records(consent)


@pytest.mark.django_db(transaction=True)
def test_merges_of_a_pair_at_once_are_one_whichever_way_round(cora):
    one, two = other_row(source="one"), other_row(source="two")

    answers = together(*[tried(cora, kept, merged) for kept, merged in [(one, two), (two, one)] * 2])

    assert sorted(answers) == ["done", "merge.tombstone", "merge.tombstone", "merge.tombstone"]
    assert Patient.objects.filter(pk__in=[one.pk, two.pk]).exclude(merged_into=None).count() == 1
    assert PatientIdentity.objects.values("patient").distinct().count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", range(3))
def test_what_is_stopped_during_a_merge_does_not_come_back(cora, times):
    alice, row = make_pair()
    app, other = factories.acme_client(), factories.acme_client()
    kept, moved = grant(alice, app, alice.user), grant(row, other, cora)

    together(
        tried(cora, alice, row),
        lambda: commands.revoke(kept, by=alice.user),
        lambda: commands.revoke(moved, by=cora),
    )

    for consent in (kept, moved):
        consent.refresh_from_db()
        assert consent.status == "inactive"
        numbers = list(consent.versions.order_by("number").values_list("number", flat=True))
        assert numbers == list(range(1, consent.current_number + 1))
    assert not alice.consents.filter(status="active").exists()


def tried(cora, kept, merged):
    def act():
        try:
            merging.merge(cora, kept, merged, WHY)
        except Refused as error:
            return error.code
        return "done"

    return act
