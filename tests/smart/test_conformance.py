"""The tables of docs/conformance: each SHALL of a server, and the test that shows it or why there is none."""

import csv
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as Browser

from smart.views.discovery import CAPABILITIES
from tests import factories

TABLES = settings.ROOT / "docs" / "conformance"
PUBLISHED = settings.ROOT.parent / "shared" / "data" / "conformance"
NO_TEST = ("n/a: ", "other: ")  # it does not apply; another room shows it
SMART = "/fhir/r4/.well-known/smart-configuration"
PAIRS = [
    ("smart-app-launch-2.2.0.csv", "smart_app_launch_2.2.0_server.csv"),
    ("onc-g10.csv", "onc_g10.csv"),
    ("bulk-data-2.0.0.csv", "bulk_data_2.0.0_server.csv"),
]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("table", [ours for ours, _ in PAIRS])
def test_every_test_that_the_table_names_is_there(table):
    absent = []
    for row in rows(TABLES / table):
        if row["shown by"].startswith(NO_TEST):
            continue
        path, _, name = row["shown by"].partition("::")
        file = settings.ROOT / path
        if not file.is_file() or not re.search(
            rf"^ *def {re.escape(name)}\(", file.read_text(), re.MULTILINE
        ):
            absent.append((row["id"], row["shown by"]))

    assert absent == []


@pytest.mark.parametrize(("ours", "published"), PAIRS)
def test_no_requirement_is_missing_or_named_twice(ours, published):
    if not (PUBLISHED / published).is_file():
        pytest.skip("The published tables are not here.")
    wanted = [row["ID"] for row in rows(PUBLISHED / published) if row["Conformance"].startswith("SHALL")]

    assert sorted(row["id"] for row in rows(TABLES / ours)) == sorted(wanted)


def test_every_capability_that_is_claimed_is_in_the_table():
    told = {row["what"]: row["shown by"] for row in rows(TABLES / PAIRS[0][0])}

    assert [c for c in CAPABILITIES if told.get(c, NO_TEST[0]).startswith(NO_TEST)] == []
    assert "client-confidential-asymmetric" in CAPABILITIES


@pytest.mark.parametrize("accept", ["application/json", "application/fhir+xml", "text/html", "*/*"])
def test_discovery_is_json_whatever_is_asked_for(accept, db):
    answer = Browser().get(SMART, headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"


def test_discovery_names_what_asymmetric_clients_need(db):
    found = Browser().get(SMART).json()

    assert "private_key_jwt" in found["token_endpoint_auth_methods_supported"]
    assert {"RS384", "ES384"} <= set(found["token_endpoint_auth_signing_alg_values_supported"])
    assert found["code_challenge_methods_supported"] == ["S256"]


@pytest.mark.parametrize("path", [SMART, "/fhir/r4/metadata", "/.well-known/openid-configuration"])
def test_discovery_is_open_to_pages_anywhere(path, db):
    factories.create_source()
    answer = Browser().get(path, headers={"Origin": "https://app.example"})

    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] in ("*", "https://app.example")
    assert "Access-Control-Allow-Credentials" not in answer
