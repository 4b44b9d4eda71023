"""The plans of the statements that a call runs, as PostgreSQL would run them."""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection


def explain(call: Callable[[], object]) -> list[str]:
    """Lines of EXPLAIN of each SELECT that `call` runs. Statements run as ever; no setting is touched."""
    seen: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip(" \n(").startswith("SELECT"):
            seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    return [line for sql, params in seen for line in _plan(sql, params)]


def _plan(sql: str, params: Any) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (COSTS OFF) {sql}", params)
        for (line,) in cursor.fetchall():
            yield line


def sequential(lines: list[str], large: set[str]) -> list[str]:
    """Those lines that walk one of the large tables from end to end."""
    return [
        line for line in lines if "Seq Scan on" in line and any(f"Seq Scan on {t}" in line for t in large)
    ]
