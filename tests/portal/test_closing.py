"""A person closes their account, has a week to undo it, and then nothing of theirs works any more."""

from datetime import date, timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import activation, relations
from accounts.identities import Refused
from accounts.models import Patient, RelatedPerson, User
from audit.models import AuditEvent
from consent import commands, helper_requests, leaving, merging
from consent.versions import Act
from exports import commands as exports
from notices.models import Notice
from tests import factories, proving
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = "/settings/closing/"


@pytest.fixture
def alice(client):
    """Alice, signed in, who shares with Acme and has Amir for a helper."""
    cache.clear()
    patient = factories.alice()
    factories.create_consent(patient)
    factories.let_help(factories.create_user("Amir Moreno"), patient)
    client.post("/accounts/login/", {"login": patient.user.email, "password": PASSWORD})
    return patient


def ask(client):
    return client.post(PAGE, {"do": "close"})


def a_week_passes():
    User.objects.filter(closes_at__isnull=False).update(closes_at=timezone.now())
    leaving.close_due()


def statuses(patient):
    return set(
        patient.consents.exclude(kind__in=("directive", "preference")).values_list("status", flat=True)
    )


def changes():
    found = AuditEvent.objects.filter(type="account:change").order_by("id")
    return [event.detail["change"] for event in found]


def kinds():
    return list(Notice.objects.order_by("id").values_list("kind", flat=True))


def test_page_says_what_happens_and_offers_a_copy_first(alice, client):
    page = client.get(PAGE).text

    assert page.index("Your records stay with your clinic") < page.index("Close my account")
    assert page.index("Take a copy first") < page.index("Close my account")
    assert "/downloads/new/" in page


def test_closing_wants_a_fresh_proof(alice, client):
    proving.minutes_pass(client)

    assert ask(client).url.startswith("/check/")
    alice.user.refresh_from_db()
    assert alice.user.closes_at is None


def test_sharing_is_on_hold_at_once_and_the_owner_is_told(alice, client):
    ask(client)

    assert statuses(alice) == {"paused"}
    assert changes() == ["closing-asked"]
    assert "account_closes" in kinds()
    assert "sharing_paused" not in kinds()


def test_pages_lead_to_the_one_that_undoes_it_and_a_copy_can_be_taken(alice, client):
    ask(client)

    for path in ("/", "/sharing/", "/results/", "/helpers/"):
        assert client.get(path).url == PAGE
    assert client.get("/downloads/").status_code == 200
    assert "Keep my account" in client.get(PAGE).text


def test_one_click_undoes_it_and_starts_what_it_had_stopped_alone(alice, client):
    commands.pause_all(alice, act=Act(by=alice.user, channel="portal"))
    later = factories.create_consent(alice)
    ask(client)
    assert statuses(alice) == {"paused"}

    assert client.post(PAGE, {"do": "stay"}).url == "/"

    later.refresh_from_db()
    assert later.status == "active"
    assert statuses(alice) == {"active", "paused"}  # what she had paused herself stays so
    assert client.get("/").status_code == 200
    assert changes() == ["closing-asked", "closing-undone"]
    a_week_passes()
    alice.user.refresh_from_db()
    assert alice.user.is_active


def test_asking_twice_does_not_make_it_later(alice, client):
    ask(client)
    alice.user.refresh_from_db()
    first = alice.user.closes_at
    ask(client)
    alice.user.refresh_from_db()

    assert alice.user.closes_at == first
    assert changes() == ["closing-asked"]


def test_nothing_closes_before_its_time(alice, client):
    ask(client)

    assert leaving.close_due() == 0


def test_after_a_week_nothing_works_and_the_record_is_free(alice, client):
    user, email = alice.user, alice.user.email
    job = exports.kickoff(patient=alice, by=user, categories=["test-results"], include_sensitive=False)
    ask(client)

    a_week_passes()

    user.refresh_from_db()
    alice.refresh_from_db()
    job.refresh_from_db()
    assert (user.is_active, user.closes_at, alice.user) == (False, None, None)
    assert email not in (user.email, *EmailAddress.objects.values_list("email", flat=True))
    assert statuses(alice) == {"inactive"}
    assert not alice.helpers.filter(status__in=("asked", "confirmed", "narrowed")).exists()
    assert job.status in ("blocked", "cancelled")
    assert client.get("/sharing/").url.startswith("/accounts/login/")
    fresh = Client()
    fresh.post("/accounts/login/", {"login": email, "password": PASSWORD})
    assert "_auth_user_id" not in fresh.session
    assert kinds().count("account_closed") == 1
    assert Notice.objects.get(kind="account_closed").email == email
    assert changes()[-1] == "account-closed"
    assert activation.issue(alice, by=None)  # who comes back makes a new account


def test_what_the_law_gave_a_parent_stays_when_a_teen_closes_their_account(alice, client):
    teen = factories.create_patient("Tess Moreno", birth_date=timezone.localdate() - timedelta(days=15 * 366))
    mother = factories.let_help(alice.user, teen, "PRN")
    assert mother.basis == RelatedPerson.Basis.PARENT
    User.objects.filter(pk=teen.user_id).update(closes_at=timezone.now())

    leaving.close_due()

    mother.refresh_from_db()
    assert mother.status in ("confirmed", "narrowed")


def test_who_leaves_helps_nobody_any_more(alice):
    amir = alice.helpers.get().user
    User.objects.filter(pk=amir.pk).update(closes_at=timezone.now())

    leaving.close_due()

    assert (alice.helpers.get().status, alice.helpers.get().reason) == ("ended", "helper-left")
    assert statuses(alice) == {"active", "inactive"}  # and Acme goes on


def test_two_records_whose_people_both_signed_in_become_one_after_one_account_is_closed(alice, client):
    cora = factories.create_staff("Cora", "compliance")
    twin = Patient.objects.create(
        user=factories.create_user("Twin"), name=alice.name, birth_date=date(1979, 4, 17)
    )
    with pytest.raises(Refused, match="Both sign in"):
        merging.merge(cora, alice, twin, "one person")

    leaving.close(twin.user, by=cora)
    twin.refresh_from_db()
    merging.merge(cora, alice, twin, "one person")

    twin.refresh_from_db()
    alice.refresh_from_db()
    assert twin.merged_into == alice
    assert alice.user is not None


# Death


def test_death_ends_all_and_nobody_writes_to_the_dead(alice):
    cora, user = factories.create_staff("Cora", "compliance"), alice.user
    Notice.objects.all().delete()

    leaving.record_death(alice, timezone.localdate(), by=cora)

    alice.refresh_from_db()
    user.refresh_from_db()
    assert (alice.user, user.is_active) == (None, False)
    assert statuses(alice) == {"inactive"}
    assert alice.helpers.get().reason == "patient-died"
    assert not Notice.objects.filter(recipient=f"User/{user.pk}").exists()
    assert Notice.objects.filter(kind="helping_changed").exists()  # Amir
    assert AuditEvent.objects.filter(type="patient:die", patient=f"Patient/{alice.pk}").exists()
    with pytest.raises(activation.Refused):
        activation.issue(alice, by=cora)


def test_death_of_a_child_ends_what_parents_see(alice):
    tom = factories.tom()
    mother = factories.let_help(alice.user, tom, "PRN")

    leaving.record_death(tom, timezone.localdate(), by=factories.create_staff("Cora", "compliance"))

    mother.refresh_from_db()
    assert (mother.status, mother.reason) == ("ended", "patient-died")


def test_nobody_asks_to_help_the_dead(alice):
    tom, grandfather = factories.tom(), factories.create_user("Gil Moreno")
    leaving.record_death(tom, timezone.localdate(), by=factories.create_staff("Cora", "compliance"))
    tom.refresh_from_db()

    with pytest.raises(relations.Refused, match=r"helper\.state"):
        helper_requests.ask(
            tom, relationship="PRN", basis="parent", level="most", evidence=[], by=grandfather
        )


@pytest.mark.parametrize("role", ["clinician", "support", "app_reviewer"])
def test_who_may_not_say_it_changes_nothing(alice, role):
    staff = factories.create_staff("Sam", role)

    with pytest.raises(Refused):
        leaving.record_death(alice, timezone.localdate(), by=staff)
    with pytest.raises(CommandError):
        call_command("leaving", "--by", staff.email, "close", alice.user.email)
    alice.user.refresh_from_db()
    assert alice.user.is_active


@pytest.mark.parametrize("days", [-1, 50_000])
def test_day_of_a_death_is_in_the_life(alice, days):
    cora, day = factories.create_staff("Cora", "compliance"), timezone.localdate() - timedelta(days=days)

    with pytest.raises(Refused, match="between"):
        leaving.record_death(alice, day, by=cora)


def test_command_records_a_death(alice):
    cora = factories.create_staff("Cora", "compliance")

    call_command("leaving", "--by", cora.email, "died", str(alice.pk), "--on", str(timezone.localdate()))

    alice.refresh_from_db()
    assert alice.died_on == timezone.localdate()
