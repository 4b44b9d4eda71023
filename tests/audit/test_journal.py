"""The journal: what an answer left for is known outside the database, too."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import RequestFactory

from audit import context, evidence, journal, journal_check, sealed, sequencer, truncation
from audit.health import State, state
from audit.log import record
from audit.middleware import audit_context
from audit.models import AuditEvent, DetailKey, Journal
from tests.audit.cast import ALICE, entry, tamper, tick
from tests.servers import ROOT

pytestmark = pytest.mark.django_db(transaction=True, available_apps=["audit"])


def lines():
    return [line for path in journal.files() for line in journal.read(path)]


def finding():
    with pytest.raises(CommandError) as error:
        call_command("verify_audit")
    assert error.value.returncode == 1
    return str(error.value)


def test_a_line_follows_each_commit_and_none_a_rollback():
    first = record(entry())
    with transaction.atomic():
        record(entry())
        transaction.set_rollback(True)
    with transaction.atomic():
        second = record(entry())
        assert len(lines()) == 1

    assert [(line.number, line.event_id) for line in lines()] == [(0, first), (1, second)]
    assert [line.leaf for line in lines()] == [
        bytes(AuditEvent.objects.get(id=i).leaf) for i in (first, second)
    ]


def test_it_holds_hashes_and_no_word_of_what_happened():
    record(entry())

    assert re.fullmatch(r"0 [0-9a-f-]{36} [0-9a-f]{64} [0-9a-f]{32}\n", journal.files()[0].read_text())


def test_a24_the_newest_row_deleted_before_it_had_its_place_is_found():
    """The twelfth attack: nothing but the journal knows of it."""
    record(entry())
    tick()
    gone = record(entry())
    tamper("DELETE FROM audit_event WHERE id = %s", gone)

    assert f"event {gone}: line 2 of the journal" in finding()
    truncation.look()
    assert state() is State.TRUNCATED


def test_a24_a_rewritten_newest_row_is_found_even_with_the_mac_key():
    kept, other = record(entry()), AuditEvent.objects.get(id=record(entry(count=99)))
    tamper("DELETE FROM audit_event WHERE id = %s", kept)
    tamper(
        "UPDATE audit_event SET id = %s, payload = payload WHERE id = %s",
        kept,
        other.id,
    )
    assert "audit log was changed" in finding()


def test_a24_a_journal_begun_after_the_sequencer_is_missed_when_it_is_deleted():
    sequencer.start()
    record(entry())
    tick()
    (path,) = journal.files()
    path.unlink()

    assert f"the journal {path.stem} was deleted" in finding()


def test_a24_a_changed_a_shortened_and_a_deleted_journal_are_found():
    for _ in range(3):
        record(entry())
    tick()
    path = journal.files()[0]
    written = path.read_text()

    path.write_text(written.replace("\n1 ", "\n2 ", 1))
    assert f"line 2 of the journal {path.stem} was changed" in finding()
    path.write_text(written.split("\n", 1)[1])
    assert f"the journal {path.stem} lacks its line 1" in finding()
    path.write_text("nonsense\n" + written)
    assert "has no line of ours at 1" in finding()
    path.write_text(written)
    journal_check.register()
    path.unlink()
    assert f"the journal {path.stem} was deleted" in finding()


def test_half_a_line_that_a_power_cut_left_is_no_line():
    record(entry())
    path = journal.files()[0]
    path.write_text(path.read_text() + "1 0198")

    call_command("verify_audit")


def test_a_sealed_and_anchored_journal_is_thrown_away_when_nobody_writes_to_it(settings):
    record(entry())
    path = journal.files()[0]
    os.utime(path, (time.time() - 9000, time.time() - 9000))
    journal_check.register()

    assert journal_check.prune() == 0
    tick()
    assert journal_check.prune() == 1
    assert list(Journal.objects.filter(state="pruned").values_list("name", "lines")) == [(path.stem, 1)]
    call_command("verify_audit")


def test_a_full_journal_is_followed_by_another(settings, monkeypatch):
    monkeypatch.setattr(journal, "MOST_BYTES", 300)
    for _ in range(5):
        record(entry())

    assert [len(list(journal.read(path))) for path in journal.files()] == [3, 2]


def test_a_journal_that_cannot_be_written_is_shouted_about_and_loses_no_row(settings, tmp_path, caplog):
    (tmp_path / "file").touch()
    settings.AUDIT_JOURNAL_FOLDER = tmp_path / "file"

    record(entry())

    assert AuditEvent.objects.count() == 1
    assert "journal cannot be written" in caplog.text


WRITER = """
import django, sys
django.setup()
from audit.log import record
from tests.audit.cast import entry
for _ in range(100000):
    print(record(entry()), flush=True)
"""


def test_F3_a_writer_killed_at_any_point_loses_no_acknowledged_row(settings):
    """kill -9 of a process that writes; what it had acknowledged is in the database and in its journal."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "AUDIT_JOURNAL_FOLDER": str(settings.AUDIT_JOURNAL_FOLDER),
        "DATABASE_URL": os.environ["DATABASE_URL"].replace(
            "/chartkey?", f"/{connection.settings_dict['NAME']}?"
        ),
    }
    command = [sys.executable, "-W", "ignore", "-c", WRITER]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as writer:
        acknowledged = [writer.stdout.readline().strip() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")
    whole = {a for a in acknowledged if len(a) == 36}

    assert whole <= {str(i) for i in AuditEvent.objects.values_list("id", flat=True)}
    assert whole <= {str(line.event_id) for line in lines()}
    assert len(lines()) - len(whole) <= 1
    call_command("verify_audit")


def ask(view, **headers):
    request = RequestFactory().get("/", headers={"User-Agent": "Mozilla/5.0 (iPhone) Mobile", **headers})
    return audit_context(lambda _: view())(request)


def answer():
    from django.http import HttpResponse

    record(entry())
    record(entry(outcome="deny", reasons=("consent.none",)))
    return HttpResponse()


def test_an_answer_carries_a_receipt_of_what_it_let_out(settings):
    given = ask(answer).headers["X-Audit-Receipt"]
    event = AuditEvent.objects.get(outcome="permit")

    assert given == f"{event.id}.{bytes(event.leaf).hex()}.{bytes(event.writer_mac).hex()}"
    assert evidence.receipt(given) == "waiting"
    tick()
    assert evidence.receipt(given) == "sealed"
    assert evidence.receipt(given[:-1] + ("0" if given[-1] != "0" else "1")) == "forged"
    assert evidence.receipt("nonsense") == "forged"
    call_command("verify_audit", receipt=given)
    tamper("DELETE FROM log_leaf")
    tamper("DELETE FROM audit_event")
    assert evidence.receipt(given) == "missing"
    with pytest.raises(CommandError, match="it was deleted"):
        call_command("verify_audit", receipt=given)


def test_an_event_says_from_where_coarsely_and_exactly_under_a_key(settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    ask(answer, **{"X-Forwarded-For": "1.2.3.4, 203.0.113.77"})
    event = AuditEvent.objects.get(outcome="permit")

    assert event.context["device"] == "phone"
    assert event.context["network"] == "203.0.113.0/24"
    assert isinstance(event.context["milliseconds"], int)
    assert "203.0.113.77" not in event.payload
    assert sealed.opened(event)["address"] == "203.0.113.77"
    assert "iPhone" in sealed.opened(event)["agent"]
    assert DetailKey.objects.get().subject == ALICE


def test_an_event_without_a_request_says_that_it_came_from_within():
    event = AuditEvent.objects.get(id=record(entry()))

    assert event.context == {"assurance": "internal", "device": "server"}
    assert sealed.opened(event) is None


@pytest.mark.parametrize(
    ("address", "agent", "network", "device"),
    [
        ("127.0.0.1", "", "loopback", "unknown"),
        ("2001:db8:1:2::9", "curl/8", "2001:db8:1::/48", "program"),
        ("nonsense", "Mozilla/5.0 (X11; Linux)", "unknown", "computer"),
        ("198.51.100.9", "Mozilla/5.0 (iPad)", "198.51.100.0/24", "tablet"),
    ],
)
def test_networks_and_devices_are_coarse(address, agent, network, device):
    request = RequestFactory().get("/", headers={"User-Agent": agent}, REMOTE_ADDR=address)

    here = context.of_request(request)

    assert (here.network, here.device) == (network, device)
