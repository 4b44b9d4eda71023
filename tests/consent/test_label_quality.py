"""How many of the labels that people gave are found by codes alone, and how many that they did not give.

Gold: `meta.security` of the SHIFT task force's examples (113 resources about invented patients, 46 of them
labelled) and of IHE's consent examples (45, of which 1). It is taken off before the labels are looked for;
`-s` prints the tables. SHIFT's own value sets were made for these very examples, so with them recall says
nothing of other records. By design the starter set says more than people did: PSY beside BH, SEX beside STD,
and a Consent has the labels that it speaks of.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent.labels import Codes, labels_of, merged, starter_codes
from consent.valueset_files import read
from consent.vocabulary import LABELS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BUNDLE = DATA / "sensitivity" / "shift_sls_valuesets.bundle.json.gz"
CONFIDENTIALITY = frozenset({"N", "R", "V"})  # says how much, not what about
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the labelled examples are not here")


def resources(folder: str) -> Iterator[dict]:
    """Each resource once, whether it stands alone or in a bundle."""
    seen = set()
    for path in sorted((DATA / "examples" / folder).glob("*.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            content = json.loads(line)
            for one in [e["resource"] for e in content.get("entry", [])] or [content]:
                if (key := (one["resourceType"], one["id"])) not in seen:
                    seen.add(key)
                    yield one


def gold_of(resource: dict) -> frozenset[str]:
    named = {coding.get("code", "") for coding in resource.get("meta", {}).get("security", [])}
    return frozenset(named & LABELS - CONFIDENTIALITY)


def stripped(resource: dict) -> dict:
    meta = {name: value for name, value in resource.get("meta", {}).items() if name != "security"}
    return {**resource, "meta": meta, "securityLabel": []}


def with_shift() -> Codes:
    sets = [one for one in read([BUNDLE]).sets if one.usable]
    rows = ((system, code, one.labels) for one in sets for system, code in one.codes)
    return merged(rows, starter_codes("US-CA"))


def counted(folder: str, codes: Codes) -> tuple[Counter, Counter, Counter]:
    """(found and right, given by people, found) by label; "any" stands for being sensitive at all."""
    right, given, found = Counter(), Counter(), Counter()
    for resource in resources(folder):
        gold, own = gold_of(resource), labels_of(stripped(resource), codes)
        gold, own = ({*labels, "any"} if labels else set() for labels in (gold, own))
        right.update(gold & own)
        given.update(gold)
        found.update(own)
    return right, given, found


def table(title: str, right: Counter, given: Counter, found: Counter) -> str:
    lines = [f"\n{title}\n{'label':24}{'recall':>18}{'precision':>18}"]
    for label in sorted(given | found):
        recall = f"{right[label]}/{given[label]}"
        precision = f"{right[label]}/{found[label]}"
        lines.append(f"{label:24}{recall:>18}{precision:>18}")
    return "\n".join(lines)


def measured(folder: str, name: str) -> tuple[Counter, Counter, Counter]:
    right, given, found = counted(folder, starter_codes("US-CA") if name == "starter" else with_shift())
    print(table(f"{folder}, value sets: {name}", right, given, found))
    return right, given, found


# Label → (how many of those that people gave, so many are found at least, so many more are given at most).
STARTER = {
    "any": (46, 22, 0),
    "ABORTION": (12, 6, 0),
    "BH": (7, 2, 0),
    "GDIS": (2, 0, 0),
    "HIV": (4, 4, 0),
    "OPIOIDUD": (2, 2, 0),
    "PSY": (0, 0, 2),
    "PSYTHPN": (1, 0, 0),
    "SDV": (4, 4, 0),
    "SEX": (24, 8, 2),
    "STD": (6, 2, 0),
    "SUD": (2, 2, 0),
}
WITH_SHIFT = {
    "any": (46, 43, 1),
    "ABORTION": (12, 11, 1),
    "BH": (7, 6, 0),
    "GDIS": (2, 2, 1),
    "HIV": (4, 4, 0),
    "OPIOIDUD": (2, 2, 0),
    "PSY": (0, 0, 2),
    "PSYTHPN": (1, 1, 0),
    "SDV": (4, 4, 0),
    "SEX": (24, 22, 2),
    "STD": (6, 6, 0),
    "SUD": (2, 2, 0),
}


@pytest.mark.parametrize(("name", "floor"), [("starter", STARTER), ("shift", WITH_SHIFT)])
def test_labels_that_people_gave_are_found_by_codes_alone(name, floor):
    right, given, found = measured("shift-labelled", name)

    for label in given | found:
        asked, least, more = floor[label]
        assert given[label] == asked, label
        assert right[label] >= least, label
        assert found[label] - right[label] <= more, label


def test_the_alcohol_use_of_ihe_s_example_is_found_under_another_name():
    """IHE labels it ETHUD. By its code it is SUD and ETH: private, and of the same topic."""
    right, given, found = measured("ihe-pcf-consent", "starter")

    assert (given["any"], right["any"]) == (1, 1)
    assert given["ETHUD"] == found["SUD"] == found["ETH"] == 1
