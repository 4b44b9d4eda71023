"""The table of faults in docs/ehrs.md is true, and has every test of a fault."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests/ehr", "tests/fhirproxy", "tests/portal")
ROW = re.compile(r"^\| (F(?:8|9|10|11)) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
ANY = re.compile(r"^    def (test_\w+)|^def (test_\w+)", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall((ROOT / "docs/ehrs.md").read_text())


def names_in(file: str) -> set[str]:
    """Of all files of that name in FOLDERS."""
    paths = [ROOT / folder / file for folder in FOLDERS]
    text = "".join(path.read_text() for path in paths if path.is_file())
    return {one or other for one, other in ANY.findall(text)}


def test_every_test_in_the_table_is_there():
    assert len(rows()) > 20
    for fault, what, named in rows():
        found = NAMED.findall(named)
        assert found, (fault, what)
        for file, name in found:
            assert name in names_in(file), (fault, what, name)


def test_every_test_of_a_fault_is_in_the_table():
    named = {name for _, _, tests in rows() for _, name in NAMED.findall(tests)}
    files = [path for folder in FOLDERS for path in (ROOT / folder).glob("test_*.py")]
    ours = {name for path in files for name in names_in(path.name) if re.match(r"test_F(8|9|10|11)_", name)}

    assert ours <= named


def test_a_test_stands_under_the_fault_that_it_names():
    for fault, what, tests in rows():
        for _, name in NAMED.findall(tests):
            said = re.match(r"test_(F\d+)_", name)
            assert not said or said[1] == fault, (fault, what, name)
