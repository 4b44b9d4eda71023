"""Keys that change, details that are erased, months that go: the log verifies after each."""

import re
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit import keyring, log, notes, sealed
from audit.keeping import keys, retention
from audit.keeping.shredding import shred
from audit.log import record
from audit.models import AuditEvent, DetailKey
from tests.audit import tampering
from tests.audit.cast import ALICE, MALLORY, connected_as, entry, tamper, tick
from tests.audit.test_journal import ask

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])
CORA = "User/0197-cora"
OLD = datetime(2019, 3, 14, 9, tzinfo=UTC)
MAKE = """
CREATE TABLE audit_event_2019_03 PARTITION OF audit_event
FOR VALUES FROM ('2019-03-01+00') TO ('2019-04-01+00')
"""


def verify():
    call_command("verify_audit")


def finding():
    with pytest.raises(CommandError) as error:
        verify()
    assert error.value.returncode == 1
    return str(error.value)


@pytest.fixture
def march(monkeypatch):
    """Three events of March 2019 among others."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE)
    record(entry())
    for n in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(log, "_now", lambda n=n: OLD + timedelta(days=n))
            record(entry())
    record(entry())
    tick()
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS audit_event_2019_03")


@pytest.mark.usefixtures("march")
def test_a_month_goes_when_its_time_is_over_and_the_log_still_verifies(capsys):
    call_command("audit_retain", "2019-03", by=CORA, yes=True)

    assert "3 events went" in capsys.readouterr().out
    said = AuditEvent.objects.get(type="audit:retain")
    assert (said.actor, said.target, said.detail["count"]) == (CORA, "Month/2019-03", 3)
    assert AuditEvent.objects.filter(recorded_at__lt=datetime(2019, 4, 1, tzinfo=UTC)).count() == 0
    verify()
    assert "3 events were let go" in capsys.readouterr().out


@pytest.mark.usefixtures("march")
def test_a24_nothing_else_goes_along_with_a_month(capsys):
    retention.drop("2019-03", by=CORA)
    victim = AuditEvent.objects.order_by("recorded_at").first()
    tamper("DELETE FROM audit_event WHERE id = %s", victim.id)
    assert f"entry 0, event {victim.id}: its row is missing" in finding()

    other = str(log.uuid7(OLD))
    tamper("UPDATE log_leaf SET event_id = %s WHERE seq = 0", other)
    assert "what is missing of 2019-03 is not what its retention event let go" in finding()


def test_a_month_that_is_not_over_or_not_there_stays(settings, march):
    record(entry())
    this = f"{datetime.now(UTC):%Y-%m}"

    for month, why in ((this, "must be kept until"), ("2011-01", "no events"), ("2019-3", "is written")):
        with pytest.raises(retention.NotDue, match=why):
            retention.drop(month, by=CORA)
    assert retention.due_on("2019-03") == date(2025, 4, 1)
    settings.AUDIT_HOLD_CHECK = "tests.audit.test_keeping.held"
    with pytest.raises(retention.NotDue, match="legal hold"):
        retention.drop("2019-03", by=CORA)


def held(month):
    return month == "2019-03"


def test_every_type_has_its_years():
    assert set(retention.YEARS) == set(retention.EventType)
    assert min(retention.YEARS.values()) >= 6


def seen_from(patient):
    from django.http import HttpResponse

    def view():
        record(entry(patient=patient))
        return HttpResponse()

    ask(view)
    return AuditEvent.objects.filter(patient=patient).latest("recorded_at")


def test_erased_detail_is_gone_for_one_person_and_the_log_still_verifies():
    alice, mallory = seen_from(ALICE), seen_from(MALLORY)
    assert sealed.opened(alice)["address"] == "127.0.0.1"
    tick()

    assert shred(ALICE, by=CORA) == 1

    assert sealed.opened(alice) is None
    assert sealed.opened(mallory)["address"] == "127.0.0.1"
    said = AuditEvent.objects.get(type="audit:shred")
    assert (said.actor, said.patient, said.count) == (CORA, ALICE, 1)
    assert sealed.opened(seen_from(ALICE))["address"] == "127.0.0.1"
    tick()
    verify()


def test_audit_shred_erases_once_says_so_and_names_the_cure_for_what_it_cannot_take(capsys):
    alice = seen_from(ALICE)

    call_command("audit_shred", ALICE, by=CORA)
    call_command("audit_shred", ALICE, by=CORA)

    first, again = capsys.readouterr().out.splitlines()
    assert "1 keys were destroyed" in first
    assert "has no keys" in again
    assert sealed.opened(alice) is None
    assert AuditEvent.objects.filter(type="audit:shred").count() == 1  # the second time nothing happened
    for arguments in (["alice"], [ALICE, "--by", "cora"]):
        with pytest.raises(CommandError, match=r"is no reference\. Write it as"):
            call_command("audit_shred", *arguments, **({} if "--by" in arguments else {"by": CORA}))
    tick()
    verify()


def test_a_process_that_was_not_told_of_the_erasure_takes_a_new_key():
    seen_from(ALICE)
    DetailKey.objects.all().delete()  # by another process: this one still knows the key

    lost, kept = seen_from(ALICE), seen_from(ALICE)

    assert sealed.opened(lost) is None
    assert sealed.opened(kept)["address"] == "127.0.0.1"


def test_the_second_event_of_a_person_needs_no_second_key():
    seen_from(ALICE)
    seen_from(ALICE)

    assert DetailKey.objects.count() == 1


def test_a_sealed_detail_opens_for_its_own_event_alone():
    first, second = seen_from(ALICE), seen_from(ALICE)
    first.id = second.id

    assert sealed.opened(first) is None


@pytest.mark.parametrize("table", ["audit_key", "audit_state", "log_node", "audit_anchor", "audit_journal"])
def test_a24_the_application_role_may_add_and_not_change(table):
    with connected_as("chartkey_app") as app:
        app.execute(f"SELECT count(*) FROM {table}")
        for sql in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"UPDATE {table} SET ctid = ctid"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
                app.execute(sql)


def test_the_mac_key_changes_and_an_old_one_marks_nothing_new(settings):
    tampering.tampered = True
    record(entry())
    tick()
    old, settings.AUDIT_MAC_KEY = settings.AUDIT_MAC_KEY, b"\x44" * 32
    assert "its MAC is wrong" in finding()

    settings.AUDIT_MAC_KEYS_OLD = [old.hex()]  # while some processes still have it
    record(entry())
    tick()
    verify()
    settings.AUDIT_MAC_KEYS_OLD = [f"{old.hex()}@{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"]
    verify()

    settings.AUDIT_MAC_KEY = old  # a thief of the old key
    forged = record(entry())
    settings.AUDIT_MAC_KEY = b"\x44" * 32
    assert f"event {forged}: the application did not write it" in finding()


def test_the_signing_key_changes_and_an_old_one_signs_no_larger_log(settings):
    tampering.tampered = True
    record(entry())
    tick()
    old = notes.signer().verifier.public_key.hex()
    seed, settings.AUDIT_SIGNING_KEY = settings.AUDIT_SIGNING_KEY, b"\x55" * 32
    assert "did not sign it" in finding()
    settings.AUDIT_SIGNING_KEYS_OLD = [f"{old}@1"]
    keys.note_change(by=CORA)
    tick()
    verify()
    assert AuditEvent.objects.get(type="audit:key").detail == keyring.in_use() | {"size": 1}

    settings.AUDIT_SIGNING_KEY = seed  # a thief of the old key
    record(entry())
    tick()
    settings.AUDIT_SIGNING_KEY = b"\x55" * 32
    assert "signed with a key that counts no more" in finding()


def test_both_keys_change_by_the_words_of_the_command_itself(settings, capsys):
    tampering.tampered = True
    record(entry())
    tick()
    call_command("audit_keys")
    old_public = re.search(r"AUDIT_SIGNING_KEYS_OLD=(\w+)", capsys.readouterr().out)[1]
    old, settings.AUDIT_MAC_KEY = settings.AUDIT_MAC_KEY, b"\x44" * 32
    settings.AUDIT_SIGNING_KEY = b"\x55" * 32
    settings.AUDIT_MAC_KEYS_OLD, settings.AUDIT_SIGNING_KEYS_OLD = [old.hex()], [old_public]
    record(entry())
    tick()
    verify()

    call_command("audit_keys", changed=True, by=CORA)
    bounds = dict(re.findall(r"(AUDIT_\w+)=<.+?>(@\S+)", capsys.readouterr().out))
    settings.AUDIT_MAC_KEYS_OLD = [old.hex() + bounds["AUDIT_MAC_KEYS_OLD"]]
    settings.AUDIT_SIGNING_KEYS_OLD = [old_public + bounds["AUDIT_SIGNING_KEYS_OLD"]]
    record(entry())
    tick()
    verify()

    assert AuditEvent.objects.get(type="audit:key").actor == CORA


def test_keys_that_cannot_be_read_are_no_tampering(settings):
    settings.AUDIT_MAC_KEYS_OLD = ["nonsense"]
    record(entry())

    with pytest.raises(CommandError) as error:
        verify()

    assert error.value.returncode == 2
