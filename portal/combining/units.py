"""Units that are exactly convertible, whatever is measured (UCUM). Pure.

What depends on the substance (mg/dL and mmol/L) or is not exact in decimals (°C and °F) is not here:
such results are drawn apart.
"""

from collections.abc import Mapping
from decimal import Decimal

# UCUM code → (what it is a measure of, how many of the first unit it is).
TABLE: Mapping[str, tuple[str, Decimal]] = {
    unit: (kind, Decimal(factor))
    for kind, units in {
        "mass per volume": {"g/L": "1", "g/dL": "10", "mg/dL": "0.01", "mg/L": "0.001", "ug/mL": "0.001"}
        | {"mg/mL": "1", "ug/dL": "0.00001", "ug/L": "0.000001", "ng/mL": "0.000001", "ng/dL": "0.00000001"}
        | {"ng/L": "0.000000001", "pg/mL": "0.000000001"},
        "amount per volume": {"mol/L": "1", "mmol/L": "0.001", "umol/L": "0.000001"}
        | {"nmol/L": "0.000000001", "pmol/L": "0.000000000001"},
        "cells per volume": {"10*9/L": "1", "10*3/uL": "1", "10*6/L": "0.001", "/uL": "0.001"}
        | {"10*12/L": "1000", "10*6/uL": "1000"},
        "units per volume": {"[IU]/L": "1", "m[IU]/L": "0.001", "u[IU]/mL": "0.001", "m[IU]/mL": "1"},
        "mass": {"kg": "1", "g": "0.001", "[lb_av]": "0.45359237"},
        "length": {"m": "1", "cm": "0.01", "mm": "0.001", "[in_i]": "0.0254", "[ft_i]": "0.3048"},
        "part": {"1": "1", "%": "0.01"},
    }.items()
    for unit, factor in units.items()
}


def factor(unit: str, into: str) -> Decimal | None:
    """By what to multiply a value in `unit` to have it in `into`; None where that is not exact."""
    if unit == into:
        return Decimal(1)
    kind, mine = TABLE.get(unit, ("", Decimal(1)))
    other, theirs = TABLE.get(into, ("", Decimal(1)))
    if not kind or kind != other:
        return None
    ratio = mine / theirs
    return ratio if ratio * theirs == mine else None
