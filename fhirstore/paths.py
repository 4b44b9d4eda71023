"""FHIRPath expressions of search parameters, compiled once.

Nearly all are plain walks: names, `a as Type` on a choice element, `.where(x='…')` and
`.where(resolve() is Type)`. Those run here in about a microsecond; whatever else there is
(`Patient.deceased`) runs in fhirpathpy, which takes 20 to 60.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import fhirpathpy
from fhirpathpy.models import models

Path = Callable[[dict[str, Any]], list[Any]]
_Step = Callable[[list[Any]], list[Any]]

_STEP = re.compile(
    r"where\(resolve\(\) is (?P<type>\w+)\)"
    r"|where\((?P<element>\w+)='(?P<value>[^']*)'\)"
    r"|(?P<name>\w+)(?: as (?P<cast>\w+))?"
)
_CAST = re.compile(r"\(([\w.]+) as (\w+)\)")


@cache
def compile_path(expression: str) -> Path:
    """Elements that the expression selects from a resource, lists flattened, in document order."""
    branches = [_compile_branch(branch.strip()) for branch in expression.split(" | ")]
    if len(branches) == 1:
        return branches[0]
    return lambda resource: [node for branch in branches for node in branch(resource)]


def _compile_branch(expression: str) -> Path:
    steps = _plain_steps(_CAST.sub(r"\1 as \2", expression))
    if steps is None:
        compiled = fhirpathpy.compile(expression, model=models["r4"])
        return lambda resource: compiled(resource, None)

    def walk(resource: dict[str, Any]) -> list[Any]:
        nodes: list[Any] = [resource]
        for step in steps:
            nodes = step(nodes)
            if not nodes:
                break
        return nodes

    return walk


def _plain_steps(expression: str) -> list[_Step] | None:
    steps: list[_Step] = []
    position = 0
    while position < len(expression):
        match = _STEP.match(expression, position)
        if match is None or expression[match.end() : match.end() + 1] not in {"", "."}:
            return None
        steps.append(_step(match))
        position = match.end() + 1
    return steps


def _step(match: re.Match[str]) -> _Step:
    if name := match["name"]:
        cast = match["cast"]
        return _child(name + cast[0].upper() + cast[1:] if cast else name)
    if target := match["type"]:
        return lambda nodes: [node for node in nodes if _refers_to(node, target)]
    element, value = match["element"], match["value"]
    return lambda nodes: [node for node in nodes if isinstance(node, dict) and node.get(element) == value]


def _child(name: str) -> _Step:
    def step(nodes: list[Any]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            value = node.get(name) if isinstance(node, dict) else None
            if isinstance(value, list):
                found.extend(value)
            elif value is not None:
                found.append(value)
        return found

    return step


def _refers_to(node: Any, target: str) -> bool:
    if not isinstance(node, dict):
        return False
    reference = node.get("reference")
    if not isinstance(reference, str):
        return node.get("type") == target
    parts = reference.partition("/_history/")[0].rsplit("/", 2)
    return len(parts) > 1 and parts[-2] == target
