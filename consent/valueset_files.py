"""Read value sets out of files: HL7 ValueSet (R4), alone or in a Bundle, and SAMHSA's Consent2Share list.

What cannot be read is a Problem that names file, set and field. Nothing is left out silently.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from consent.vocabulary import LABELS, Mark

Row = tuple[str, str]  # system, code
MARKS = frozenset(mark.upper() for mark in Mark)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a set is not whole, or a file cannot be read."""

    file: str
    value_set: str
    where: str  # an element's path, or "line 3"
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.value_set, self.where, self.reason) if part)


@dataclass(slots=True)
class ValueSet:
    """One set: its labels and its codes, and what kept it from being whole."""

    file: str
    url: str
    labels: frozenset[str]
    codes: set[Row] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        return bool(self.url and self.labels and self.codes)

    def miss(self, where: str, reason: str) -> None:
        self.problems.append(Problem(self.file, self.url, where, reason))


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that some files say."""

    files: tuple[dict[str, str], ...]  # name and sha256
    sets: tuple[ValueSet, ...]
    groupings: tuple[str, ...]  # sets without a label of their own that only list other sets
    problems: tuple[Problem, ...]


class Unreadable(ValueError):
    """A file that is no value set at all. Its one argument is the Problem."""


def read(paths: Iterable[Path], label: str = "") -> Loaded:
    """Every set of the files; `label` is for those that name none. Raises Unreadable."""
    files, resources, systems = [], [], {}
    for path in paths:
        content = _content(path)
        files.append({"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()})
        for resource in _resources(path.name, content):
            if resource.get("resourceType") == "CodeSystem":
                systems[resource.get("url")] = resource
            elif resource.get("resourceType") == "ValueSet":
                resources.append((path.name, resource))
        if not any(name == path.name for name, _ in resources):
            raise Unreadable(Problem(path.name, "", "", "it holds no ValueSet"))
    by_url = {str(resource.get("url")): resource for _, resource in resources}
    sets, groupings = [], []
    for file, resource in resources:
        reader = _Reader(by_url, systems, ValueSet(file, _url(resource), frozenset()))
        made = reader.read(resource, label)
        if made is None:
            groupings.append(_url(resource))
        else:
            sets.append(made)
    _refuse_doubles(sets)
    problems = tuple(problem for one in sets for problem in one.problems)
    return Loaded(tuple(files), tuple(sets), tuple(groupings), problems)


def _url(resource: Mapping[str, Any]) -> str:
    url = resource.get("url")
    return url if isinstance(url, str) else ""


def _content(path: Path) -> Any:
    name = path.name
    try:
        raw = path.read_bytes()
        return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(Problem(name, "", where, f"it is no JSON ({error.msg})")) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = f"it cannot be read ({type(error).__name__})"
        raise Unreadable(Problem(name, "", "", reason)) from error


def _resources(name: str, content: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(content, dict):
        raise Unreadable(Problem(name, "", "", "it is no FHIR resource"))
    if isinstance(content.get("value_sets"), list):
        yield from (_of_consent2share(value_set) for value_set in content["value_sets"])
    elif content.get("resourceType") == "Bundle":
        for entry in _objects(content.get("entry")):
            yield from _objects([entry.get("resource")])
    else:
        yield content


def _of_consent2share(value_set: Mapping[str, Any]) -> dict[str, Any]:
    """Consent2Share's list in the shape of a ValueSet: `category` is the label."""
    return {
        "resourceType": "ValueSet",
        "url": f"urn:oid:{value_set.get('oid')}",
        "useContext": [_focus(value_set.get("category"))] if value_set.get("category") else [],
        "compose": {
            "include": [
                {"system": concept.get("system"), "concept": [concept]}
                for concept in _objects(value_set.get("concepts"))
            ]
        },
    }


def _focus(code: object) -> dict[str, Any]:
    return {"code": {"code": "focus"}, "valueCodeableConcept": {"coding": [{"code": code}]}}


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _refuse_doubles(sets: Iterable[ValueSet]) -> None:
    seen = set()
    for one in sets:
        if one.url in seen:
            one.miss("url", "another set of these files has it too")
        seen.add(one.url)


@dataclass(slots=True)
class _Reader:
    """Reads one set; the others are there for those that it includes."""

    by_url: Mapping[str, Mapping[str, Any]]
    systems: Mapping[object, Mapping[str, Any]]
    made: ValueSet

    def read(self, resource: Mapping[str, Any], label: str) -> ValueSet | None:
        """The set; None for a grouping, whose members have labels of their own."""
        if not self.made.url:
            self.made.miss("url", f"the set {resource.get('id', '')} has none")
        self._labels(resource)
        if not self.made.labels and not self.made.problems and label:
            self.made.labels = frozenset({label})
        includes = _objects(_object(resource.get("compose")).get("include"))
        if not self.made.labels and not self.made.problems:
            if includes and all(set(include) <= {"valueSet"} for include in includes):
                return None
            self.made.miss("useContext", "it names no label (--label gives one)")
        self._codes(resource, "compose", frozenset({self.made.url}))
        if not self.made.codes and not any(p.where.startswith("compose") for p in self.made.problems):
            self.made.miss("compose", "it is empty")
        return self.made

    def _labels(self, resource: Mapping[str, Any]) -> None:
        """Labels stand in `useContext` with the code "focus", in any system."""
        found = set()
        for number, context in enumerate(_objects(resource.get("useContext"))):
            if _object(context.get("code")).get("code") != "focus":
                continue
            codings = _objects(_object(context.get("valueCodeableConcept")).get("coding"))
            for coding in codings:
                code = str(coding.get("code", ""))
                if code.upper() in MARKS:
                    self.made.notes.append(f"{code} marks where a record comes from, which no code tells")
                elif code.upper() in LABELS:
                    found.add(code.upper())
                else:
                    where = f"useContext[{number}].valueCodeableConcept"
                    self.made.miss(where, f"the label {code} is not known")
        self.made.labels = frozenset(found)

    def _codes(self, resource: Mapping[str, Any], where: str, within: frozenset[str]) -> None:
        compose = _object(resource.get("compose"))
        expanded = list(_contained(resource.get("expansion")))
        self.made.codes.update(expanded)
        if compose.get("exclude"):
            self.made.notes.append("exclude is not followed: rather too much is labelled than too little")
        for number, include in enumerate(_objects(compose.get("include"))):
            at = f"{where}.include[{number}]"
            others = include.get("valueSet", [])
            for url in others if isinstance(others, list) else [others]:
                self._other(str(url), at, within)
            system, concepts = str(include.get("system", "")), _objects(include.get("concept"))
            if concepts:
                self._listed(system, concepts, at)
            elif system and not expanded:
                self._whole(include, system, at)

    def _listed(self, system: str, concepts: list[dict[str, Any]], where: str) -> None:
        codes = [concept.get("code") for concept in concepts]
        if not system or not all(isinstance(code, str) and code for code in codes):
            self.made.miss(f"{where}.concept", "a code or its system is missing")
        self.made.codes.update((system, code) for code in codes if system and isinstance(code, str) and code)

    def _other(self, url: str, where: str, within: frozenset[str]) -> None:
        other = self.by_url.get(url.partition("|")[0])
        if other is None:
            self.made.miss(f"{where}.valueSet", f"{url} is not in these files")
        elif url not in within:
            self._codes(other, f"{where}.valueSet", within | {url})

    def _whole(self, include: Mapping[str, Any], system: str, where: str) -> None:
        """A code system without a list of codes: all of it, if it is here, or what a filter leaves of it."""
        known = self.systems.get(system)
        if include.get("filter"):
            self.made.miss(f"{where}.filter", "filters are not followed; load the set with its expansion")
        elif known is None or known.get("content") != "complete":
            self.made.miss(f"{where}.system", f"it takes all of {system}, which is not in these files")
        else:
            self.made.codes.update((system, code) for code in _concepts(known.get("concept")))


def _contained(expansion: object) -> Iterator[Row]:
    for item in _objects(_object(expansion).get("contains")):
        if item.get("code") and not item.get("abstract"):
            yield str(item.get("system", "")), str(item["code"])
        yield from _contained(item)


def _concepts(values: object) -> Iterator[str]:
    for concept in _objects(values):
        yield str(concept.get("code", ""))
        yield from _concepts(concept.get("concept"))
