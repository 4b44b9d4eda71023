"""Rules that lie in files: when a program starts with others than the last one, the log says so."""

import pytest
from django.db import DatabaseError

from audit.models import AuditEvent
from consent import organisation, rule_changes

pytestmark = pytest.mark.django_db


def told():
    events = AuditEvent.objects.filter(type="policy:change").order_by("id")
    return [(e.target, e.detail) for e in events]


def test_the_first_start_says_which_rules_hold():
    rule_changes.note()

    assert {target for target, _ in told()} == {
        *("Policy/organisation", "Policy/jurisdictions", "Policy/directives", "Policy/value-sets")
    }
    assert ("Policy/organisation", {"digest": organisation.policy_hash()}) in told()


def test_the_same_rules_are_not_told_again():
    rule_changes.note()
    rule_changes.note()

    assert len(told()) == 4


def test_changed_rules_are_told_with_those_before(monkeypatch, tmp_path):
    rule_changes.note()
    before = rule_changes.digests()["directives"]
    changed = tmp_path / "directives.toml"
    changed.write_text("# other rules\n")
    monkeypatch.setattr(rule_changes, "DIRECTIVES", changed)

    rule_changes.note()

    after = rule_changes.digests()["directives"]
    assert told()[4:] == [("Policy/directives", {"digest": after, "before": before})]
    assert after != before


@pytest.mark.django_db(transaction=True)
def test_a_program_starts_where_they_cannot_be_told(monkeypatch):
    def down():
        raise DatabaseError

    monkeypatch.setattr(rule_changes, "note", down)

    rule_changes.note_at_start()

    assert told() == []
