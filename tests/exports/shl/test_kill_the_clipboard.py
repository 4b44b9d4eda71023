"""A viewer that we did not write opens our links against the running server: npm `kill-the-clipboard`."""

import json
import subprocess

import pytest

from exports.shl import commands
from tests.exports.shl.receiving import make, results
from tests.node import CLIENTS, node

__all__ = ["node"]  # a fixture


@pytest.fixture
def opened(node, live_server, settings, transactional_db):
    """What the viewer says of a link."""
    settings.BASE_URL = live_server.url

    def open_it(uri: str, **asked: object) -> dict:
        said = json.dumps({"uri": uri, "recipient": "Lakeside Clinic"} | asked)
        command = ["node", str(CLIENTS / "shl.mjs"), str(node)]
        done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    return open_it


@pytest.mark.parametrize(
    ("terms", "asked"),
    [
        ({}, {}),
        ({"passcode": True, "label": "For Dr Lee", "is_live": True}, {}),
        ({"is_live": True}, {"embeddedLengthMax": 1}),
        ({"direct": True}, {}),
        ({"direct": True, "is_live": True, "private": True}, {}),
    ],
    ids=["plain", "passcode-live", "location", "direct", "direct-live"],
)
def test_a_viewer_reads_the_summary(opened, alice, terms, asked):
    made = make(alice, **terms)
    got = opened(made.uri, passcode=made.passcode or None, **asked)
    (bundle,) = got["resources"]

    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "document")
    assert "LDL cholesterol" in results(bundle)
    assert got.get("label", "") == terms.get("label", "")
    assert got["isLongTerm"] is bool(terms.get("is_live"))
    assert got["isDirectFile"] is bool(terms.get("direct"))


def test_a_viewer_knows_a_wrong_passcode_and_a_link_that_was_stopped(opened, alice):
    made = make(alice, passcode=True)
    wrong = "111111" if made.passcode != "111111" else "222222"
    refused = opened(made.uri, passcode=wrong)
    commands.stop(made.link, by=alice.user)
    gone = opened(made.uri, passcode=made.passcode)

    assert refused["error"] == "SHLInvalidPasscodeError"
    assert gone["error"] == "SHLManifestNotFoundError"
