"""What R4 says of its types and search parameters, read once from the tables in `r4/`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_TABLES = Path(__file__).parent / "r4"
_KINDS = {"token", "string", "date", "reference", "quantity", "number", "uri"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter of one type."""

    type: str
    code: str
    kind: str  # a search parameter type: token, string, date, reference, quantity, number, uri
    expression: str  # FHIRPath from the resource
    is_main_date: bool = False
    in_patient_compartment: bool = False
    many_patients: bool = False

    @property
    def name(self) -> str:
        return f"{self.type}.{self.code}"


def read_lines(file: str) -> list[str]:
    """Lines of a table in `r4/`, without blank ones and remarks."""
    lines = (_TABLES / file).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _read_types() -> dict[str, tuple[str, ...]]:
    rows = (line.split() for line in read_lines("types.txt"))
    return {name: tuple(required) for name, *required in rows}


def _read_parameters() -> dict[str, dict[str, Parameter]]:
    tables: dict[str, dict[str, Parameter]] = {}
    for line in read_lines("search_parameters.txt"):
        if line.startswith("["):
            current = line.strip("[]")
            tables[current] = {}
            continue
        code, kind, expression = line.split(None, 2)
        flags = kind.lstrip("abcdefghijklmnopqrstuvwxyz")
        parameter = Parameter(
            current, code, kind.removesuffix(flags), expression, "*" in flags, "@" in flags, "+" in flags
        )
        if parameter.kind not in _KINDS:
            raise ValueError(f"search_parameters.txt: {parameter.name} has the unknown type {kind}")
        tables[current][code] = parameter
    return tables


# resource type -> its required top-level elements
TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(_read_types())

_TABLE = _read_parameters()

# resource type -> code -> Parameter, with those that every type has
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        name: MappingProxyType(
            {
                code: Parameter(name, code, common.kind, common.expression)
                for code, common in _TABLE["*"].items()
            }
            | _TABLE.get(name, {})
        )
        for name in TYPES
    }
)


def _root(parameter: Parameter) -> str:
    return parameter.expression.removesuffix(".where(resolve() is Patient)")


def _patient_codes(name: str) -> frozenset[str]:
    """The parameters of a type that can be answered by `Resource.patient` when a Patient is asked for."""
    parameters = PARAMETERS[name]
    patient = parameters.get("patient")
    if patient is None or patient.kind != "reference" or patient.many_patients:
        return frozenset()
    return frozenset(c for c, p in parameters.items() if p.kind == "reference" and _root(p) == _root(patient))


PATIENT_CODES: Mapping[str, frozenset[str]] = MappingProxyType({name: _patient_codes(name) for name in TYPES})

# types that have resources in the compartment of a Patient
COMPARTMENT = frozenset(
    name for name in TYPES if any(each.in_patient_compartment for each in PARAMETERS[name].values())
)
