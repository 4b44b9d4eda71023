"""Nothing starts with a rule that cannot be read: no rule is left out."""

import os
import shutil
import subprocess
import sys

import pytest

from consent import checks
from consent.files import ROOT, BadFile
from consent.organisation import POLICIES, SCHEMA


@pytest.fixture
def policies(tmp_path):
    return shutil.copy(POLICIES, tmp_path / POLICIES.name), shutil.copy(SCHEMA, tmp_path / SCHEMA.name)


def change(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    return text[: text.index(before)].count("\n") + 1


def test_the_rules_that_we_ship_are_whole():
    checks.refuse_broken_rules()


def test_a_policy_that_does_not_parse_is_named_with_its_line(policies):
    policy, schema = policies
    line = change(policy, '@id("account-closed")\nforbid (', '@id("account-closed")\nforbid ')

    with pytest.raises(BadFile, match=rf"organisation\.cedar, line {line}: unexpected token"):
        checks.check_policies(policy, schema)


def test_a_policy_that_the_schema_does_not_know_is_named_with_its_line(policies):
    policy, schema = policies
    line = change(policy, '@id("client-suspended")', '@id("client-suspended")')
    change(policy, "context.clientStatus", "context.clientState")

    with pytest.raises(BadFile, match=rf"organisation\.cedar, line {line}: .*clientState"):
        checks.check_policies(policy, schema)


def test_a_schema_that_does_not_parse_is_named_with_its_line(policies):
    policy, schema = policies
    line = change(schema, "entity Record;", "entity Record")

    with pytest.raises(BadFile, match=rf"organisation\.cedarschema, line {line}: error parsing schema"):
        checks.check_policies(policy, schema)


def test_a_type_that_the_schema_does_not_have_is_named_with_its_line(policies):
    policy, schema = policies
    line = change(schema, "purpose: String", "purpose: Strung")

    with pytest.raises(BadFile, match=rf"organisation\.cedarschema, line {line}: .*Strung"):
        checks.check_policies(policy, schema)


def test_a_file_that_is_not_there_is_named(policies, tmp_path):
    with pytest.raises(BadFile, match=r"gone\.cedar: it cannot be read"):
        checks.check_policies(tmp_path / "gone.cedar", policies[1])


def test_a_folder_without_value_sets_is_no_starter_set(tmp_path):
    with pytest.raises(BadFile, match="it holds no value set"):
        checks.check_value_sets(tmp_path)


def test_a_jurisdiction_that_nobody_knows_stops_the_start(settings):
    settings.JURISDICTION = "US-XX"

    with pytest.raises(BadFile, match=r"JURISDICTION is .US-XX., and it knows only US, US-CA, US-MI,"):
        checks.refuse_broken_rules()


def test_every_program_asks_before_it_starts():
    """`manage.py`, and so whatever sets Django up: the web server and the workers do the same."""
    environment = {**os.environ, "JURISDICTION": "US-XX"}
    for start in (["manage.py", "check"], ["-c", "import config.wsgi"]):
        failed = subprocess.run(
            [sys.executable, *start], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert failed.returncode != 0
        assert failed.stderr.strip().splitlines()[-1].startswith("Chartkey does not start: consent/jurisd")
