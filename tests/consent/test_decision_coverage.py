"""Every branch of the decision is taken by its own tests."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_decide_is_covered_branch_by_branch(tmp_path):
    data, report = tmp_path / "coverage", tmp_path / "coverage.json"
    coverage = [sys.executable, "-m", "coverage"]
    tests = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:tests.servers",
        "-p",
        "no:xdist",
        "tests/consent/test_decision.py",
    ]
    only = ["--branch", "--include=consent/decision.py", f"--data-file={data}"]
    subprocess.run([*coverage, "run", *only, *tests], cwd=ROOT, check=True, capture_output=True)
    subprocess.run([*coverage, "json", *only[1:], "-o", report], cwd=ROOT, check=True)

    [told] = json.loads(report.read_text())["files"].values()
    assert (told["missing_lines"], told["missing_branches"]) == ([], [])
