"""A consent's life: every change is a version with its digest, its event, and its place in time."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import rfc8785
from django.db import connection
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands, history, provisions
from consent.models import Consent, ConsentVersion, Epoch
from consent.versions import Act
from consent.vocabulary import Category
from smart.models import AccessToken
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.consents import ORGANIZATION, a_consent, ask, permit, session_of, with_version

pytestmark = pytest.mark.django_db
EYES = "Organization/eye-clinic"


@pytest.fixture
def alice():
    return factories.create_patient("Alice Moreno")


def by(patient):
    return Act(by=patient.user, channel="portal", text_shown="Shall it be so?", language="en")


def share(patient, *categories):
    return commands.share(
        patient=patient,
        recipient=EYES,
        categories=categories or [Category.MEDICINES],
        labels=[],
        until=timezone.now() + timedelta(days=9),
        act=by(patient),
    )


def statuses(consent):
    return list(consent.versions.order_by("number").values_list("status", flat=True))


def events(consent):
    found = AuditEvent.objects.filter(consent=f"Consent/{consent.pk}", type__startswith="consent:")
    return list(found.order_by("consent_number").values_list("type", flat=True))


def grow_old(consent):
    """Its last version runs out now: written as the command writes it, with an end that is past."""
    Consent.objects.filter(pk=consent.pk).update(period_end=timezone.now() - timedelta(seconds=1))


# What each change is


def test_the_life_of_an_apps_consent(alice):
    acme = factories.acme_client()
    consent = factories.create_consent(alice, acme)
    factories.create_consent(alice, acme, categories=[Category.MEDICINES])
    consent = commands.renew(consent, until=timezone.now() + timedelta(days=99), act=by(alice))
    commands.pause_all(alice, act=by(alice))
    commands.resume_all(alice, act=by(alice))
    commands.revoke(consent, by=alice.user)

    assert statuses(consent) == ["active", "active", "active", "paused", "active", "inactive"]
    assert events(consent) == [
        f"consent:{what}" for what in ("grant", "amend", "renew", "pause", "resume", "revoke")
    ]


def test_a_renewal_changes_the_end_and_nothing_else(alice):
    consent = factories.create_consent(alice)
    before = consent.current.permit
    until = timezone.now() + timedelta(days=99)
    commands.renew(consent, until=until, act=by(alice))
    consent.refresh_from_db()
    after = consent.current.permit

    assert (after.period_end, consent.period_end) == (until, until)
    assert after.period_start == before.period_start
    assert (after.categories, after.redacts, after.actors) == (
        before.categories,
        before.redacts,
        before.actors,
    )


@pytest.mark.parametrize(("ended", "days", "field"), [(True, 9, "status"), (False, -1, "until")])
def test_a_renewal_that_cannot_be_is_refused(alice, ended, days, field):
    consent = factories.create_consent(alice)
    if ended:
        commands.revoke(consent, by=alice.user)
    with pytest.raises(provisions.InvalidConsent) as refused:
        commands.renew(consent, until=timezone.now() + timedelta(days=days), act=by(alice))

    assert refused.value.field == field


def test_a_pause_holds_all_that_is_shared_and_no_choice_or_limit(alice):
    app, shared = factories.create_consent(alice), share(alice)
    token = issue(app)
    choice = commands.prefer(patient=alice, directive="research", permit=False, act=by(alice))
    limit = commands.ask_restriction(patient=alice, provision={"type": "deny"}, act=by(alice))
    paused = commands.pause_all(alice, act=by(alice))

    assert {c.pk for c in paused} == {app.pk, shared.pk}
    assert (statuses(choice), statuses(limit)) == (["active"], ["proposed"])
    assert app.versions.get(number=2).as_fhir()["status"] == "inactive"
    assert ask("GET", token=token).status_code == 403
    commands.resume_all(alice, act=by(alice))
    assert AccessToken.objects.filter(authorization_id=app.pk, expires__gt=timezone.now()).exists()


def test_what_has_run_out_is_written_down_with_nobody_as_its_author(alice):
    consent = factories.create_consent(alice)
    grow_old(consent)

    assert commands.expire_due() == 1
    assert commands.expire_due() == 0
    version = consent.versions.get(number=2)
    assert (version.status, version.made_by, version.channel) == ("inactive", None, "system")
    event = AuditEvent.objects.get(type="consent:expire")
    assert (event.actor, event.role) == ("System/consent", "system")
    consent.refresh_from_db()
    assert consent.revoked_at is None


@pytest.mark.parametrize(("agreed", "becomes"), [(True, "active"), (False, "rejected")])
def test_a_limit_holds_once_the_clinic_agreed(alice, agreed, becomes):
    limit = commands.ask_restriction(patient=alice, provision={"type": "deny"}, act=by(alice))
    cora = factories.create_staff("Cora", "compliance")
    act = Act(by=cora, channel="staff", role="compliance")
    for _ in range(2):  # answering twice changes nothing
        commands.answer(limit, agreed=agreed, act=act)

    assert statuses(limit) == ["proposed", becomes]
    assert events(limit) == ["consent:propose", "consent:answer"]
    assert limit.versions.get(number=2).made_by == cora
    assert [v.consent_id for v in history.in_force_at(alice.pk, timezone.now())] == [limit.pk] * agreed


def test_an_answer_takes_the_place_of_what_held_for_the_same(alice):
    old = share(alice)
    resource = a_consent(alice, permit(ORGANIZATION, "visits"))
    proposed = commands.record_resource(
        resource, patient=alice, act=by(alice), whom={"recipient": EYES}, kind="share", propose=True
    )
    commands.answer(proposed, agreed=True, act=by(alice))

    assert (statuses(old), statuses(proposed)) == (["active", "inactive"], ["proposed", "active"])


def test_a_choice_is_made_turned_and_taken_back(alice):
    out = commands.prefer(patient=alice, directive="treatment", permit=False, act=by(alice))
    back_in = commands.prefer(patient=alice, directive="treatment", permit=True, act=by(alice))
    commands.revoke(back_in, by=alice.user)

    assert out.pk == back_in.pk
    assert [v.provisions[0]["type"] for v in out.versions.order_by("number")] == ["deny", "permit", "permit"]
    assert events(out) == ["consent:choose"] * 3
    assert AuditEvent.objects.filter(type="consent:choose").first().detail["about"] == "treatment"


def test_an_unknown_choice_is_refused(alice):
    with pytest.raises(provisions.InvalidConsent) as refused:
        commands.prefer(patient=alice, directive="everything", permit=True, act=by(alice))

    assert refused.value.field == "directive"


def test_a_share_is_one_consent_however_often_it_changes(alice):
    share(alice)
    consent = share(alice, Category.VISITS)

    assert Consent.objects.get() == consent
    assert [v.permit.categories for v in consent.versions.order_by("number")] == [
        {Category.MEDICINES},
        {Category.VISITS},
    ]


# What each version keeps


def everything(patient):
    """A consent of each kind, with a second version each."""
    relation = factories.helps(factories.create_user("Amir Moreno"), patient, "SPS")
    until = timezone.now() + timedelta(days=9)
    consents = [
        factories.create_consent(patient),
        share(patient),
        commands.let_help(
            relation=relation, categories=[Category.VISITS], labels=[], until=until, act=by(patient)
        ),
        commands.prefer(patient=patient, directive="research", permit=True, act=by(patient)),
        commands.ask_restriction(patient=patient, provision={"type": "deny"}, act=by(patient)),
    ]
    return [commands.revoke(consent, by=patient.user) for consent in consents]


def test_every_version_is_digested_and_its_event_has_the_digest(alice):
    consents = everything(alice)
    versions = ConsentVersion.objects.filter(consent__in=consents)

    assert {consent.kind for consent in consents} == set(Consent.Kind)
    assert versions.count() == 10
    for version in versions:
        by_whom = str(version.made_by_id or "")
        parts = [version.fhir, rfc8785.dumps(version.provisions).decode(), version.text_shown]
        parts += [version.text_language, version.channel, by_whom]
        assert version.digest == hashlib.sha256("\x00".join(parts).encode()).hexdigest()
        event = AuditEvent.objects.get(consent=f"Consent/{version.consent_id}", consent_number=version.number)
        assert event.detail["digest"] == version.digest
        assert event.detail["status"] == version.status
        assert rfc8785.dumps(json.loads(version.fhir)).decode() == version.fhir


def test_a_version_keeps_what_was_shown_and_knows_the_same_words_again(alice):
    first, second = share(alice), share(alice, Category.VISITS)
    one, two = (c.versions.get(number=n) for c, n in ((first, 1), (second, 2)))

    assert (one.text_shown, one.text_language) == ("Shall it be so?", "en")
    assert one.text_version == two.text_version
    assert one.text_version != commands.revoke(second, by=alice.user).current.text_version


def test_what_holds_for_everyone_raises_the_epoch(alice):
    def epoch():
        return Epoch.objects.filter(patient=alice).values_list("number", flat=True).first() or 0

    factories.create_consent(alice)
    assert epoch() == 0  # an app's own version is looked at by itself
    share(alice)
    commands.prefer(patient=alice, directive="research", permit=True, act=by(alice))
    assert epoch() == 2


# What held when


def test_what_the_policy_looked_like_at_a_moment_is_one_call(alice):
    moments = [timezone.now()]

    def then(change):
        change()
        moments.append(timezone.now())

    shared = share(alice)
    moments.append(timezone.now())
    then(lambda: commands.prefer(patient=alice, directive="research", permit=True, act=by(alice)))
    then(lambda: share(alice, Category.VISITS))
    then(lambda: commands.pause_all(alice, act=by(alice)))
    then(lambda: commands.resume_all(alice, act=by(alice)))
    then(lambda: commands.revoke(shared, by=alice.user))

    def policy(moment):
        return [(v.consent.kind, v.number) for v in history.in_force_at(alice.pk, moment)]

    choice = ("preference", 1)
    assert [sorted(policy(moment)) for moment in moments] == [
        [],
        [("share", 1)],
        [choice, ("share", 1)],
        [choice, ("share", 2)],
        [choice],
        [choice, ("share", 4)],
        [choice],
    ]
    assert [v.status for v in history.versions_at(alice.pk, moments[4])] == ["active", "paused"]


def test_what_has_run_out_held_until_its_end(alice):
    shared = share(alice)
    end = shared.period_end

    assert list(history.in_force_at(alice.pk, end - timedelta(seconds=1)))
    assert not list(history.in_force_at(alice.pk, end))


def test_another_patients_policy_is_another(alice):
    share(factories.create_patient("Mallory Quinn"))

    assert not list(history.versions_at(alice.pk, timezone.now()))


# Two at once


def together(*acts):
    """What each gives, done at the same time."""

    def run(act):
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(run, act) for act in acts]]


@pytest.mark.django_db(transaction=True)
def test_F14_of_edits_at_once_one_wins_and_the_others_are_told(alice):
    consent = share(alice)
    read = ask("GET", f"/{consent.pk}", browser=session_of(alice)).json()

    def edit(category):
        browser = session_of(alice)
        changed = read | {"provision": {"type": "deny", "provision": [permit(ORGANIZATION, category)]}}
        return ask("PUT", f"/{consent.pk}", changed, browser=browser, **with_version(consent)).status_code

    kinds = ["visits", "notes", "imaging", "vaccines"]
    answers = together(*(lambda kind=kind: edit(kind) for kind in kinds))

    assert sorted(answers) == [200, 412, 412, 412]
    assert consent.versions.count() == 2


@pytest.mark.django_db(transaction=True)
def test_F14_a_double_click_makes_one_consent(alice):
    resource = a_consent(alice, permit(ORGANIZATION))
    answers = together(
        *(lambda: ask("POST", "", resource, browser=session_of(alice)).status_code for _ in range(4))
    )

    assert sorted(answers) == [201, 409, 409, 409]
    assert Consent.objects.get().current_number == 1


@pytest.mark.django_db(transaction=True)
def test_F14_grants_and_revokes_at_once_leave_a_history_that_fits(alice):
    acme = factories.acme_client()
    first = factories.create_consent(alice, acme)
    grants = [lambda: factories.create_consent(alice, acme) for _ in range(3)]
    revokes = [lambda: commands.revoke(first, by=alice.user) for _ in range(3)]
    together(*grants, *revokes)

    assert Consent.objects.filter(client=acme, status="active").count() <= 1
    for consent in Consent.objects.filter(client=acme):
        found = statuses(consent)
        assert consent.current_number == len(found)
        assert found[-1] == consent.status
        assert found.count("inactive") <= 1  # it ends once, and nothing follows
        assert "inactive" not in found[:-1]
        assert len(events(consent)) == len(found)


@pytest.mark.django_db(transaction=True)
def test_F14_what_is_renewed_and_revoked_at_once_has_ended(alice):
    consent = factories.create_consent(alice)

    def renew():
        try:
            commands.renew(consent, until=timezone.now() + timedelta(days=99), act=by(alice))
        except provisions.InvalidConsent as refused:
            return refused.field
        return ""

    told, _ = together(renew, lambda: commands.revoke(consent, by=alice.user))

    assert told in ("", "status")
    assert statuses(consent)[-1] == "inactive"
