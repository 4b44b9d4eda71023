"""Sensitivity of a resource: what the EHR said, and what its codes say.

Rule for the unknown: a sensitivity code that is no `Label` of ours stays a label
under its own name, so it hides the resource until somebody permits that name. R or V
(confidentiality) counts as a label of its own where nothing tells what it is about.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from consent.vocabulary import ACT_CODE, CONFIDENTIALITY, Label

VALUE_SETS = Path(__file__).parent / "valuesets"

# v3 ActCode is one big code system; these of its codes speak of policy or handling, not of a topic.
NOT_SENSITIVITY = frozenset({"42CFRPart2", "NODSCLCD", "PERSISTLABEL", "NOAUTH", "NORDSCLCD"})


@cache
def labelled_codes() -> Mapping[tuple[str, str], frozenset[str]]:
    """(system, code) → labels, out of every file in `consent/valuesets`.

    Raises tomllib.TOMLDecodeError, which names line and column, for a file that does not parse.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}
    for path in sorted(VALUE_SETS.glob("*.toml")):
        for row in tomllib.loads(path.read_text())["set"]:
            labels = frozenset(Label(label) for label in row["labels"])
            for code in row["codes"]:
                key = (row["system"], code)
                found[key] = found.get(key, frozenset()) | labels
    return found


def labels_of(resource: Mapping[str, Any]) -> frozenset[str]:
    """Every sensitivity label of a FHIR resource, its contained resources included."""
    declared, confidentiality = _declared(resource)
    known = labelled_codes()
    by_code = {
        label
        for system, code in _codings(resource)
        # ICD codes are listed by category: F10 stands for F10.20 too
        for key in {(system, code), (system, code.partition(".")[0])}
        for label in known.get(key, ())
    }
    return frozenset(declared | by_code) or frozenset(confidentiality)


def _declared(resource: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    topics: set[str] = set()
    confidentiality: set[str] = set()
    for part in [resource, *_dicts(resource.get("contained"))]:
        meta = part.get("meta")
        for coding in _dicts(meta.get("security") if isinstance(meta, dict) else None):
            system, code = coding.get("system"), str(coding.get("code", ""))
            if system == CONFIDENTIALITY and code in {Label.R, Label.V}:
                confidentiality.add(code)
            elif system == ACT_CODE and code and code not in NOT_SENSITIVITY:
                topics.add(code)
    return topics, confidentiality


def _codings(value: object) -> Iterator[tuple[str, str]]:
    """Every coding anywhere in a resource, but those of `meta`: they label, they are not labelled."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("system"), str) and isinstance(node.get("code"), str):
                yield node["system"], node["code"]
            stack.extend(child for name, child in node.items() if name != "meta")
        elif isinstance(node, list):
            stack.extend(node)


def _dicts(value: object) -> Iterable[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
