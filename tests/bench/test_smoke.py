"""`make bench` runs, and finds what it counts to be right. How long anything takes is not judged here."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.supervisor.children import ROOT

PARTS = ["P1", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P11", "P12", "P13", "P14", "S1"]
Reports = Mapping[str, Mapping]


@pytest.fixture(scope="module")
def reports() -> Reports:
    """What each part wrote, by its name; from servers and databases of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    folder = Path(os.environ["CHARTKEY_VAR"]) / "bench" / "smoke"
    return {part: json.loads((folder / f"{part}.json").read_text()) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_measures_something_and_no_count_is_over_its_bar(reports, part):
    counts = [check for check in reports[part]["checks"] if check["kind"] == "count"]

    assert reports[part]["rows"]
    assert [check["what"] for check in counts if not check["met"]] == []


def test_P1_carries_its_own_denominators(reports):
    names = {row["what"] for row in reports["P1"]["rows"]}

    assert {"R0", "R1", "R0, no middleware", "R1, no middleware"} <= names


def test_P6_refused_reads_that_were_under_way(reports):
    race, hung = reports["P6"]["rows"]

    assert "200:" in race["answers"]
    assert "200:" not in hung["answers"]
