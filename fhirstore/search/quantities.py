"""Numbers and quantities of a search as ranges (R4, 3.1.1.4.6 and 3.1.1.4.11)."""

from typing import Any

from fhirstore.search import values
from fhirstore.search.periods import Condition


def amount(name: str, text: str) -> Condition:
    """`prefix number|system|code` against rows called `i`. Raises Refused (400)."""
    written, *unit = values.split(text, "|")
    number = values.number(name, written)
    half = abs(number.value) * 0.1 if number.prefix == "ap" else number.half_step
    within = ("i.low >= %s AND i.high < %s", [number.value - half, number.value + half])
    params: list[Any]
    condition, params = {
        "eq": within,
        "ap": within,
        "ne": (f"NOT ({within[0]})", within[1]),
        "gt": ("i.high > %s", [number.value]),
        "ge": ("i.high >= %s", [number.value]),
        "lt": ("i.low < %s", [number.value]),
        "le": ("i.low <= %s", [number.value]),
        "sa": ("i.low > %s", [number.value]),
        "eb": ("i.high < %s", [number.value]),
    }[number.prefix]
    system, code = ([values.plain(part) for part in unit] + ["", ""])[:2]
    if system:
        condition, params = f"{condition} AND i.system = %s", [*params, system]
    if code:
        # Without a system, a unit may be meant by its code or by its printed form.
        either = "i.code = %s" if system else "%s IN (i.code, i.unit)"
        condition, params = f"{condition} AND {either}", [*params, code]
    return f"({condition})", params
