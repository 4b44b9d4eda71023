"""What ends a link, at once: a stop, a pause, an account closed, a helper's leave, a rule that changed."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import endings
from audit.models import AuditEvent
from consent import commands as consents
from exports.models import HealthLink, HealthLinkFile
from exports.shl import commands
from exports.shl.commands import MayNotShare, TooMany
from tests import factories
from tests.exports.shl.receiving import Link, make, results
from tests.portal.sharing import act

pytestmark = pytest.mark.django_db
KINDS = pytest.mark.parametrize("terms", [{}, {"is_live": True}], ids=["snapshot", "live"])


def link_with_file(patient, **terms):
    """A link, and a file of it that stands at an address."""
    made = make(patient, **terms)
    link = Link.read(made.uri)
    location = link.post(embeddedLengthMax=1).json()["files"][0]["location"]
    return made.link, link, "/shl/" + location.partition("/shl/")[2]


def is_gone(link, where, client) -> bool:
    return (link.post().status_code, client.get(where).status_code) == (404, 404)


@KINDS
def test_a_stop_ends_the_link_and_destroys_files_and_keys(alice, client, terms):
    kept, link, where = link_with_file(alice, **terms)
    commands.stop(kept, by=alice.user)

    assert is_gone(link, where, client)
    kept.refresh_from_db()
    assert (kept.sealed, kept.passcode_hash) == ("", "")
    assert not HealthLinkFile.objects.exists()
    last = AuditEvent.objects.filter(type="link:open").latest("recorded_at")
    assert (last.outcome, last.reasons) == ("deny", ["link.unknown"])  # the file at its address is no more


@KINDS
def test_a_pause_of_all_sharing_stops_it_until_it_goes_on(alice, client, terms):
    _, link, where = link_with_file(alice, **terms)
    consents.pause_all(alice, act=act(alice))
    assert is_gone(link, where, client)
    consents.resume_all(alice, act=act(alice))

    assert results(link.bundle()) == ["LDL cholesterol"]
    assert client.get(where).status_code == 404


@KINDS
def test_an_account_that_is_closed_ends_it(alice, client, terms):
    kept, link, where = link_with_file(alice, **terms)
    endings.close(alice.user, by=factories.create_staff("Cora", "compliance"))

    assert is_gone(link, where, client)
    kept.refresh_from_db()
    assert kept.ended_at is not None


def test_a_new_limit_ends_a_snapshot_and_holds_for_a_live_link(alice, client):
    _, snapshot, where = link_with_file(alice)
    live = Link.read(make(alice, is_live=True).uri)
    everyone = {
        "type": "deny",
        "code": [
            {
                "coding": [
                    {
                        "system": "https://chartkey.example/fhir/CodeSystem/data-category",
                        "code": "test-results",
                    }
                ]
            }
        ],
    }
    limit = consents.ask_restriction(patient=alice, provision=everyone, act=act(alice))
    consents.answer(limit, agreed=True, act=act(alice))

    assert is_gone(snapshot, where, client)
    assert results(live.bundle()) == []


def test_another_link_and_another_helper_leave_a_snapshot_alone(alice):
    link = Link.read(make(alice).uri)
    make(alice)
    factories.let_help(factories.create_user("Amir Moreno"), alice)

    assert results(link.bundle()) == ["LDL cholesterol"]


# Helpers


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


def test_a_helper_without_leave_makes_none(alice, amir):
    relation = factories.let_help(amir, alice)

    with pytest.raises(MayNotShare):
        make(alice, by=amir, helper=relation)
    assert not HealthLink.objects.exists()


def test_a_helpers_link_shows_what_the_helper_sees_and_never_a_private_topic(alice, amir):
    relation = factories.let_help(amir, alice, level="own", categories=["medicines"], may_share=True)
    link = Link.read(make(alice, by=amir, helper=relation, private=True).uri)

    assert results(link.bundle()) == []
    wider = factories.let_help(factories.create_user("Ana"), alice, may_share=True)
    other = Link.read(make(alice, by=wider.user, helper=wider, private=True).uri).bundle()
    assert results(other) == ["LDL cholesterol"]
    assert "Viral load" not in json.dumps(other)


@KINDS
def test_a_helpers_link_ends_with_the_help(alice, amir, client, terms):
    relation = factories.let_help(amir, alice, may_share=True)
    kept, link, where = link_with_file(alice, by=amir, helper=relation, **terms)
    consents.revoke(relation.consents.get(), by=alice.user)

    assert is_gone(link, where, client)
    kept.refresh_from_db()
    assert kept.ended_at is not None


@KINDS
def test_a_helper_who_may_not_share_any_more_shares_nothing(alice, amir, client, terms):
    relation = factories.let_help(amir, alice, may_share=True)
    _, link, where = link_with_file(alice, by=amir, helper=relation, **terms)
    type(relation).objects.filter(pk=relation.pk).update(may_share=False)

    assert is_gone(link, where, client)


def test_a_helpers_account_that_is_closed_ends_their_links(alice, amir):
    relation = factories.let_help(amir, alice, may_share=True)
    made = make(alice, by=amir, helper=relation)
    endings.close(amir, by=factories.create_staff("Cora", "compliance"))

    assert Link.read(made.uri).post().status_code == 404


# What is left when its time is over


def test_a_consent_that_runs_out_takes_the_files_along(alice):
    made = make(alice)
    type(made.link.consent).objects.filter(pk=made.link.consent_id).update(period_end=timezone.now())
    consents.expire_due()

    made.link.refresh_from_db()
    assert made.link.ended_at is not None
    assert not HealthLinkFile.objects.exists()


def test_the_sweep_deletes_old_files_and_ends_what_was_opened_often_enough(alice):
    made = make(alice, opens=1)
    Link.read(made.uri).post(embeddedLengthMax=1)
    commands.sweep()
    made.link.refresh_from_db()
    assert made.link.ended_at is None  # its file may be asked for yet
    HealthLinkFile.objects.exclude(address_hash="").update(ends_at=timezone.now() - timedelta(seconds=1))
    commands.sweep()

    made.link.refresh_from_db()
    assert made.link.ended_at is not None
    assert not HealthLinkFile.objects.exists()


def test_there_is_an_end_to_how_many_links_live(alice, monkeypatch):
    monkeypatch.setattr(commands, "MOST_AT_ONCE", 1)
    make(alice)

    with pytest.raises(TooMany):
        make(alice)
