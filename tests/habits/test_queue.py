"""Whoever gives work to the queue knows what happens when it is down: the log says so."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.habits.rooms import ROOT, our_sources

SENDS = {"send_task", "delay", "apply_async"}


def told(call: ast.Try) -> bool:
    """Whether what is caught is reported."""
    calls = (node for handler in call.handlers for node in ast.walk(handler) if isinstance(node, ast.Call))
    return any(ast.unparse(call.func) == "faults.report" for call in calls)


def silent(tree: ast.AST) -> Iterator[int]:
    """Lines that give work to the queue, outside a `try` whose `except` reports that the queue is down."""
    guarded = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try) and told(block)
        for part in block.body
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in SENDS and id(node) not in guarded:
            yield node.lineno


def lines_of(path: Path) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}" for line in silent(ast.parse(path.read_text()))]


def test_a_queue_that_is_down_is_reported_by_whoever_finds_it_so():
    assert [line for path in our_sources() for line in lines_of(path)] == []


def test_a_new_one_that_reports_nothing_is_found():
    new = ast.parse("""
try:
    current_app.send_task("a")
except OperationalError:
    pass
task.delay(1)
try:
    task.apply_async()
except OperationalError:
    faults.report("System/queue", "queue.down")
""")

    assert sorted(silent(new)) == [3, 6]
