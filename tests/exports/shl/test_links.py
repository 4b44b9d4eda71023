"""A link from the person who makes it to the clinic that opens it, by the specification."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from consent.models import Consent
from exports.models import HealthLink, HealthLinkFile, HealthLinkOpening
from fhirproxy.outcomes import EhrFailure
from tests import factories
from tests.exports.shl.receiving import CLINIC, Link, make, results
from tests.portal.ehr import ALL, failing

pytestmark = pytest.mark.django_db


def test_a_payload_says_what_a_receiver_needs_and_no_more(alice):
    until = timezone.now() + timedelta(days=1)
    made = make(alice, passcode=True, is_live=True, label="For Dr Lee", until=until)
    said = Link.read(made.uri).payload

    assert set(said) == {"url", "key", "exp", "flag", "label", "v"}
    assert (said["exp"], said["flag"], said["label"], said["v"]) == (
        int(until.timestamp()),
        "LP",
        "For Dr Lee",
        1,
    )
    assert len(said["key"]) == 43
    assert len(said["url"]) <= 128
    assert len(said["url"].rpartition("/")[2]) == 43
    assert (len(made.passcode), made.passcode.isdigit()) == (6, True)


@pytest.mark.parametrize(
    ("terms", "flag"),
    [
        ({}, None),
        ({"is_live": True}, "L"),
        ({"is_live": True, "opens": 1}, None),
        ({"direct": True}, "U"),
        ({"direct": True, "is_live": True}, "LU"),
        ({"passcode": True}, "P"),
    ],
)
def test_flags_stand_in_alphabetical_order(alice, terms, flag):
    assert Link.read(make(alice, **terms).uri).payload.get("flag") == flag


def test_a_clinic_reads_the_summary_and_the_patient_sees_who_said_they_did(alice):
    link = Link.read(make(alice).uri)
    answer = link.post()
    (file,) = answer.json()["files"]

    assert (file["contentType"], file["fhirVersion"]) == ("application/fhir+json", "4.0.1")
    assert file["status"] == "finalized"
    bundle = link.decrypted(file["embedded"])
    assert (bundle["type"], bundle["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    assert results(bundle) == ["LDL cholesterol"]
    opening = HealthLinkOpening.objects.get()
    assert (opening.recipient, opening.opened) == (CLINIC, True)
    row = AuditEvent.objects.get(type="link:open")
    assert (row.outcome, row.actor, row.patient) == (
        "permit",
        f"HealthLinkOpening/{opening.pk}",
        f"Patient/{alice.pk}",
    )


def test_private_topics_come_only_when_she_said_so(alice):
    without, with_them = make(alice), make(alice, private=True)

    assert "Viral load" not in json.dumps(Link.read(without.uri).bundle())
    assert results(Link.read(with_them.uri).bundle()) == ["LDL cholesterol", "Viral load"]


def test_only_the_kinds_that_she_chose_are_in_it(alice):
    bundle = Link.read(make(alice, categories=["vital-signs"]).uri).bundle()

    assert results(bundle) == []
    assert "It was not chosen for this file" in json.dumps(bundle)


def test_a_direct_link_is_one_encrypted_file(alice):
    link = Link.read(make(alice, direct=True).uri)
    answer = Client().get(link.path, {"recipient": CLINIC})

    assert answer["Content-Type"] == "application/jose"
    assert results(link.decrypted(answer.text)) == ["LDL cholesterol"]
    assert link.post().status_code == 404
    assert Client().get(link.path).status_code == 400  # nobody said who they are


def test_a_file_that_is_too_long_to_embed_stands_at_an_address_of_its_own_for_minutes(alice):
    link = Link.read(make(alice).uri)
    (file,) = link.post(embeddedLengthMax=100).json()["files"]
    assert "embedded" not in file
    path = urlsplit(file["location"]).path
    got = Client().get(path)

    assert got["Content-Type"] == "application/jose"
    assert results(link.decrypted(got.text)) == ["LDL cholesterol"]
    kept = HealthLinkFile.objects.exclude(address_hash="").get()
    assert kept.ends_at - timezone.now() <= timedelta(hours=1)
    HealthLinkFile.objects.filter(pk=kept.pk).update(ends_at=timezone.now())
    assert Client().get(path).status_code == 404


def test_a_live_link_shows_what_is_new_under_the_same_key_and_another_nonce(alice):
    link = Link.read(make(alice, is_live=True).uri)
    first = link.post().json()["files"][0]["embedded"]
    factories.load_records(
        factories.lab_result(alice, f"{factories.fhir_id(alice)}-new", code={"text": "Potassium"})
    )
    answer = link.post()
    second = answer.json()["files"][0]["embedded"]

    assert results(link.decrypted(first)) == ["LDL cholesterol"]
    assert results(link.decrypted(second)) == ["LDL cholesterol", "Potassium"]
    assert first.split(".")[2] != second.split(".")[2]
    assert int(answer["Retry-After"]) > 0


def test_a_snapshot_stays_as_it_was(alice):
    link = Link.read(make(alice).uri)
    factories.load_records(
        factories.lab_result(alice, f"{factories.fhir_id(alice)}-new", code={"text": "Potassium"})
    )

    assert results(link.bundle()) == ["LDL cholesterol"]


def test_a_link_for_one_opening_is_gone_after_it(alice):
    made = make(alice, opens=1)
    link = Link.read(made.uri)
    assert link.post().status_code == 200

    assert link.post().status_code == 404
    made.link.refresh_from_db()
    assert made.link.ended_at is not None
    assert not made.link.files.exists()


def test_what_did_not_work_is_no_use(alice, settings):
    made = make(alice, opens=1, is_live=True)
    link = Link.read(made.uri)
    with failing(settings, *ALL):
        assert link.post().status_code == 503

    made.link.refresh_from_db()
    assert (made.link.opens_left, made.link.ended_at) == (1, None)


def test_where_records_cannot_be_read_no_link_stays(alice, settings):
    with failing(settings, *ALL), pytest.raises(EhrFailure):
        make(alice)

    assert HealthLink.objects.get().ended_at is not None


def test_any_page_may_ask_and_no_cookie_goes_along(alice):
    link = Link.read(make(alice).uri)
    asks = {
        "Origin": "https://viewer.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = Client().options(link.path, headers=asks)
    answer = Client(headers={"Origin": "https://viewer.example"}).post(
        link.path, json.dumps({"recipient": CLINIC}), content_type="application/json"
    )

    assert preflight["Access-Control-Allow-Origin"] == answer["Access-Control-Allow-Origin"] == "*"
    assert "content-type" in preflight["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer
    assert not answer.cookies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        ('{"recipient": "  \\u202e "}', 400),
        ('{"recipient": "Clinic", "embeddedLengthMax": "1"}', 400),
        ('{"recipient": "Clinic", "passcode": 1}', 400),
        ('{"recipient": "Clinic", "unknown": {}}', 200),
    ],
)
def test_what_is_no_request_is_told_so_and_what_is_unknown_is_ignored(alice, body, status):
    link = Link.read(make(alice).uri)

    assert Client().post(link.path, body, content_type="application/json").status_code == status


def test_an_expired_link_is_not_there(alice):
    made = make(alice)
    Consent.objects.filter(pk=made.link.consent_id).update(period_end=timezone.now())
    link = Link.read(made.uri)

    assert link.post().status_code == 404
