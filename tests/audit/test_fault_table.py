"""The table of attacks and faults in docs/audit.md is true, and has every test of one."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests/audit", "tests/setup", "tests/portal")
ROW = re.compile(r"^\| (A\d+|F\d+|I\d) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
OURS = re.compile(r"test_(a24|A24|F3|F5|F12|F15|F16|I[1-7])_")


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall((ROOT / "docs/audit.md").read_text())


def names_in(file: str) -> set[str]:
    """Of the files of that name in FOLDERS."""
    paths = [ROOT / folder / file for folder in FOLDERS]
    return {name for path in paths if path.is_file() for name in TEST.findall(path.read_text())}


def test_every_test_in_the_table_is_there():
    assert len(rows()) > 25
    for what_kind, what, named in rows():
        found = NAMED.findall(named)
        assert found, (what_kind, what)
        for file, name in found:
            assert name in names_in(file), (what_kind, what, name)


def test_every_attack_and_fault_that_the_room_was_built_against_is_in_the_table():
    attacks = [
        int(n) for kind, what, _ in rows() if kind == "A24" and (n := what.partition(":")[0]).isdigit()
    ]

    assert attacks == list(range(1, 13))
    assert {kind for kind, _, _ in rows()} == {
        *("A21", "A24", "F3", "F5", "F12", "F15", "F16"),
        *(f"I{n}" for n in range(1, 8)),
    }


def test_every_test_of_one_is_in_the_table():
    named = {name for _, _, tests in rows() for _, name in NAMED.findall(tests)}
    ours = {
        name
        for folder in FOLDERS[:1] + FOLDERS[2:]
        for path in (ROOT / folder).glob("test_*.py")
        for name in TEST.findall(path.read_text())
        if OURS.match(name)
    }

    assert ours - named == set()


def test_a_test_stands_under_what_it_names():
    for kind, what, tests in rows():
        for _, name in NAMED.findall(tests):
            said = OURS.match(name)
            assert not said or said[1].upper() == kind, (kind, what, name)
