"""Two patients become one, and nobody sees more than before (A13; OEMR #13313)."""

from datetime import date, timedelta
from itertools import product

import pytest
from django.utils import timezone
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.identities import Refused
from accounts.models import Patient, PatientIdentity, RelatedPerson
from audit.models import AuditEvent
from consent import authority, commands, fhir, merging
from consent.decision import Access, decide
from consent.directives import directives
from consent.models import Consent, Epoch
from consent.versions import Act
from consent.vocabulary import Category
from notices.models import Notice
from smart import tokens
from smart.models import AccessToken
from tests import factories
from tests.consent.test_history import together
from tests.fhirproxy.conftest import issue

OTHER = "north"
WHY = "One person with two rows"
LABELS = [frozenset(), frozenset({"PSY"}), frozenset({"ETH"})]
RECIPIENT = "Practitioner/dr-osei"


@pytest.fixture
def cora(db):
    return factories.create_staff("Cora", "compliance")


@pytest.fixture
def pair(db):
    return make_pair()


def make_pair():
    """Alice, who signs in, and a second row of hers with a record at another EHR."""
    alice = factories.create_patient("Alice Moreno")
    return alice, other_row()


def other_row(name="Alicia Moreno", source=OTHER):
    row = Patient.objects.create(name=name, birth_date=date(1979, 4, 17))
    PatientIdentity.objects.create(patient=row, source=source, fhir_id=f"n-{row.pk.hex[:12]}")
    return row


def act(patient):
    return Act(by=patient.user, channel="portal")


def until():
    return timezone.now() + timedelta(days=30)


def grant(patient, client, by, categories=(Category.TEST_RESULTS,), labels=()):
    return commands.grant(
        patient=patient, client=client, categories=categories, labels=labels, until=until(), by=by,
        channel="portal", text_shown="Share?", language="en",
    )  # fmt: skip


def help_by(user, patient, categories=(Category.TEST_RESULTS,), labels=(), by=None):
    relation = factories.helps(user, patient)
    return commands.let_help(
        relation=relation,
        categories=categories,
        labels=labels,
        until=until(),
        act=Act(by=by, channel="portal"),
    )


def share(patient, categories=(Category.TEST_RESULTS,), labels=()):
    return commands.share(
        patient=patient, recipient=RECIPIENT, categories=categories, labels=labels, until=until(),
        act=act(patient),
    )  # fmt: skip


def limit(patient, provision):
    asked = commands.ask_restriction(patient=patient, provision=provision, act=act(patient))
    return commands.answer(asked, agreed=True, act=act(patient))


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


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda alice, row: (alice, alice), "merge.self"),
        (lambda alice, row: (row, alice), "merge.accounts"),
        (lambda alice, row: (alice, factories.create_patient("Alice Two")), "merge.accounts"),
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
CATEGORIES = st.sets(st.sampled_from([Category.TEST_RESULTS, Category.MEDICINES]), min_size=1)
GRANTS = st.fixed_dictionaries({"categories": CATEGORIES, "labels": st.sets(st.sampled_from(["PSY", "ETH"]))})
DENIAL = {"type": "deny", "securityLabel": [fhir.label_coding("ETH")]}
LIMITS = st.sampled_from(
    [
        None,
        {"type": "deny", "securityLabel": [fhir.label_coding("PSY")]},
        {"type": "deny", "purpose": [{"system": fhir.ACT_REASON, "code": "TREAT"}], "provision": [
            {"type": "permit", "securityLabel": [fhir.label_coding("ETH")]},
        ]},
        {"type": "permit", "purpose": [{"system": fhir.ACT_REASON, "code": "HRESCH"}], "provision": [DENIAL]},
    ]
)  # fmt: skip
SIDE = st.fixed_dictionaries(
    {
        "app": st.none() | GRANTS,
        "helper": st.none() | GRANTS,
        "share": st.none() | GRANTS,
        "limit": LIMITS,
        "choice": st.sampled_from([None, True, False]),
    }
)


WIDE = {"categories": {Category.TEST_RESULTS, Category.MEDICINES}, "labels": {"PSY", "ETH"}}
ALL = {"app": WIDE, "helper": WIDE, "share": WIDE, "limit": None, "choice": True}
NONE = {"app": None, "helper": None, "share": None, "limit": None, "choice": None}


class NothingWidens(TestCase):
    @given(SIDE, SIDE)
    @example(ALL, NONE)
    @example(NONE, ALL)
    @settings(
        max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate)
    )  # to shrink takes minutes
    def test_whatever_the_two_had_allowed_a_merge_permits_nothing_new(self, first, second):
        cora = factories.create_staff("Cora", "compliance")
        doctor = factories.create_staff("Dr Osei", "clinician", practitioner=RECIPIENT)
        amir, acme = factories.create_user("Amir"), factories.acme_client()
        alice, row = make_pair()
        held = [_allow(p, s, acme, amir, by) for p, s, by in
                  [(alice, first, alice.user), (row, second, cora)]]  # fmt: skip
        before = {factories.SOURCE: _permitted(alice, held[0], amir, doctor),
                  OTHER: _permitted(row, held[1], amir, doctor)}  # fmt: skip

        merging.merge(cora, alice, row, WHY)

        after = _permitted(alice, held[0], amir, doctor) | _permitted(alice, held[1], amir, doctor)
        for source in before:
            assert after <= before[source], source
        assert not _asked_by("app", "helper", of=_permitted(row, held[1], amir, doctor))
        assert not _asked_by("app", "helper", of=after)


def _asked_by(*who, of):
    return {permit for permit in of if permit[0] in who}


def _allow(patient, side, acme, amir, by):
    mine = Act(by=by, channel="portal")
    token = None
    if side["app"]:
        consent = grant(patient, acme, by, **side["app"])
        token = _token(consent, by)
    if side["helper"]:
        help_by(amir, patient, by=by, **side["helper"])
    if side["share"]:
        commands.share(patient=patient, recipient=RECIPIENT, until=until(), act=mine, **side["share"])
    if side["limit"]:
        asked = commands.ask_restriction(patient=patient, provision=side["limit"], act=mine)
        commands.answer(asked, agreed=True, act=mine)
    if side["choice"] is not None:
        for directive in directives():
            commands.prefer(patient=patient, directive=directive, permit=side["choice"], act=mine)
    return token


def _token(consent, by):
    if consent.patient.user:
        return issue(consent)
    value = factories.uuid.uuid4().hex
    AccessToken.objects.create(
        user=by, application=consent.client, patient=consent.patient, authorization_id=consent.id,
        scope="patient/*.rs", token="", token_checksum=tokens.checksum(value), expires=until(),
    )  # fmt: skip
    return value


def _permitted(patient, token, amir, doctor):
    """(who, category, labels) that `decide` permits."""
    now = timezone.now()
    requesters = {
        "helper": authority.for_helper(amir, patient),
        "doctor": authority.for_clinician(doctor, patient, now, treats=True),
        "research": authority.for_other_system(patient.pk, {"Organization/uni"}, "HRESCH"),
        "share": authority.for_other_system(patient.pk, {RECIPIENT}, "TREAT"),
    }
    if token and (app := authority.from_bearer(token)):
        requesters["app"] = app
    found = set()
    for (who, requester), category, labels in product(
        requesters.items(), [Category.TEST_RESULTS, Category.MEDICINES], LABELS
    ):
        access = Access(
            interaction="read", resource_type="Observation", at=requester.now, purpose=requester.purpose,
            categories=frozenset({category}), security_labels=labels, actors=requester.actors,
        )  # fmt: skip
        if decide(access, requester.authority("read")).permitted and requester.alive:
            found.add((who, category, labels))
    return found


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
