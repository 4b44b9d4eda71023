"""Search parameters as SQL conditions on a row of `fhirstore_resource`, `r` if not said otherwise.

No text of the caller's ever stands in the SQL; it is all in the parameters.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from fhirstore import terms
from fhirstore.composites import COMPOSITES, Composite, component_param
from fhirstore.dates import BEGINNING, END, Span
from fhirstore.definitions import PARAMETERS, PATIENT_CODES, TYPES, Parameter
from fhirstore.index import UNIONS, normal, relative
from fhirstore.outcome import Refused
from fhirstore.search import periods, quantities, values
from fhirstore.search.periods import Condition
from fhirstore.targets import implied_systems

SHORT = timedelta(days=31)


@dataclass(slots=True)
class Where:
    """Conditions that must all hold. Single terms are gathered, so that one index look-up takes all."""

    alias: str = "r"  # of the row; an inner search has one of its own
    conditions: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)
    terms: set[int] = field(default_factory=set)
    period: Span = (BEGINNING, END)  # that the main date touches: follows from the conditions
    in_one_record: bool = False  # only resources of the patients named, or of the ids named
    is_narrow: bool = False  # an index other than that of presence holds the candidates down
    looked_through: str = ""  # a parameter that no index answers: each candidate is looked at

    def add(self, condition: str, *params: Any) -> None:
        self.conditions.append(condition)
        self.params += params

    def add_terms(self, wanted: Sequence[int]) -> None:
        """Any of `wanted`."""
        self.is_narrow = True
        if len(wanted) == 1:
            self.terms.update(wanted)
        else:
            self.add(f"{self.alias}.terms && %s::bigint[]", list(wanted))

    @property
    def is_short(self) -> bool:
        """Whether the main date is held to a time so short that what touches it may well be sorted."""
        start, end = self.period
        return end - start <= SHORT

    @property
    def _is_by_key(self) -> bool:
        """Whether it names patients or ids, which have a B-tree."""
        return any(".patient " in each or ".fhir_id " in each for each in self.conditions)

    def of_type(self) -> str:
        """The condition for the type, which takes one parameter. Terms know their type: with `|| ''`
        PostgreSQL does not go through an index of all that is of the type beside that of the terms."""
        by_terms = self.terms and not self._is_by_key
        return f"{self.alias}.type || '' = %s" if by_terms else f"{self.alias}.type = %s"

    def _looked_at(self, condition: str) -> str:
        """For a record, terms are looked at in each of its resources: `IS TRUE` keeps PostgreSQL from
        reading everybody's from the index of terms, which costs more the larger the store is."""
        if not (self.in_one_record and self._is_by_key):
            return condition
        own_terms = rf"\b{self.alias}\.terms (?:@>|&&) %s::bigint\[\]"
        return re.sub(own_terms, r"((\g<0>) IS TRUE)", condition)

    def sql(self) -> tuple[str, list[Any]]:
        """The condition and its parameters. Raises Refused (400) where it would read the whole store."""
        if self.looked_through and not (self.in_one_record or self.is_narrow):
            told = (
                f"`{self.looked_through}` looks at each resource: add a parameter that narrows it, as patient"
            )
            raise Refused(400, "too-costly", f"{told}, _id, identifier, a code or the start of a name.")
        conditions, params = list(self.conditions), list(self.params)
        if self.terms:
            conditions.append(f"{self.alias}.terms @> %s::bigint[]")
            params.append(sorted(self.terms))
        if self.period != (BEGINNING, END) and not self.in_one_record:
            conditions.append(periods.TOUCHES.format(r=self.alias))
            params += sorted(self.period)
        return " AND ".join(map(self._looked_at, conditions)) or "TRUE", params


def is_known(kind: str, name: str) -> bool:
    code = name.partition(":")[0]
    return code in {"_id", "_lastUpdated"} or code in PARAMETERS[kind] or code in COMPOSITES.get(kind, {})


def add(where: Where, kind: str, name: str, value: str) -> None:
    """Add one search parameter as it stands in a query, other than a chain. Raises Refused (400)."""
    code, _, modifier = name.partition(":")
    if not value:
        raise values.bad_value(name, "a value; it is empty")
    if code == "_id" and not modifier:
        where.in_one_record = True
        where.add(f"{where.alias}.fhir_id = ANY(%s)", values.split(value, ","))
    elif code == "_lastUpdated" and not modifier:
        column = f"{where.alias}.last_updated"
        _any_of(
            where,
            [periods.compare_moment(column, values.date(name, each)) for each in values.split(value, ",")],
        )
    elif code in {"_id", "_lastUpdated"}:
        raise _unsupported(name)
    elif composite := COMPOSITES.get(kind, {}).get(code):
        _composite(where, kind, composite, modifier, values.split(value, ","))
    elif modifier == "missing":
        _missing(where, PARAMETERS[kind][code], value)
    else:
        parameter = PARAMETERS[kind][code]
        _ADD[parameter.kind](where, parameter, modifier, values.split(value, ","))


def _unsupported(name: str) -> Refused:
    return Refused(400, "not-supported", f"The search parameter `{name}` is not supported.")


def _missing(where: Where, parameter: Parameter, value: str) -> None:
    if value not in {"true", "false"}:
        raise values.bad_value(f"{parameter.code}:missing", "true or false")
    term = terms.present(parameter.name)
    if value == "false":
        where.terms.add(term)
    else:
        where.add(f"NOT {where.alias}.terms @> %s::bigint[]", [term])


def _token(where: Where, parameter: Parameter, modifier: str, wanted: list[str]) -> None:
    if modifier == "of-type" and parameter.code == "identifier":
        return where.add_terms([_of_type(parameter, each) for each in wanted])
    found = [_token_term(parameter, each) for each in wanted]
    if modifier == "not":
        return where.add(f"NOT {where.alias}.terms && %s::bigint[]", found)
    if modifier:
        raise _unsupported(f"{parameter.code}:{modifier}")
    return where.add_terms(found)


def _of_type(parameter: Parameter, value: str) -> int:
    parts = [values.plain(part) for part in values.split(value, "|")]
    if len(parts) != 3 or not all(parts):
        raise values.bad_value(
            f"{parameter.code}:of-type", "a system, a code and a value, as system|code|value"
        )
    return terms.of_type(parameter.name, *parts)


def _token_term(parameter: Parameter, value: str) -> int:
    param = parameter.name
    system, *rest = (values.plain(part) for part in values.split(value, "|"))
    if not rest:
        return terms.code(param, system)
    code = "|".join(rest)
    if system in implied_systems(parameter):  # the element is a code: its system stands in the standard
        return terms.coding(param, "", code) if code else terms.present(param)
    return terms.coding(param, system, code) if code else terms.system(param, system)


def _uri(where: Where, parameter: Parameter, modifier: str, wanted: list[str]) -> None:
    if modifier:
        raise _unsupported(f"{parameter.code}:{modifier}")
    where.add_terms([terms.text(parameter.name, values.plain(each)) for each in wanted])


def _reference(where: Where, parameter: Parameter, modifier: str, wanted: list[str]) -> None:
    if modifier == "identifier":
        by_identifier = replace(parameter, code=f"{parameter.code}:identifier")
        return where.add_terms([_token_term(by_identifier, each) for each in wanted])
    if modifier and modifier not in TYPES:
        raise _unsupported(f"{parameter.code}:{modifier}")
    targets = [relative(values.plain(each)) for each in wanted]
    if modifier or parameter.code == "patient":
        kind = modifier or "Patient"
        targets = [target if "/" in target or ":" in target else f"{kind}/{target}" for target in targets]
    if modifier:
        targets = [target for target in targets if target.startswith(f"{modifier}/")]
    patients = [t.removeprefix("Patient/") for t in targets if t.startswith("Patient/")]
    if parameter.code in PATIENT_CODES[parameter.type] and len(patients) == len(targets):
        where.in_one_record = True
        if len(patients) == 1:  # an equation, so that an index can give the order too
            where.add(f"{where.alias}.patient = %s", patients[0])
        else:
            where.add(f"{where.alias}.patient = ANY(%s)", patients)
        return None
    return where.add_terms([terms.reference(parameter.name, target) for target in targets])


def _string(where: Where, parameter: Parameter, modifier: str, wanted: list[str]) -> None:
    texts = [values.plain(each) for each in wanted]
    if modifier == "exact":
        where.add_terms([terms.text(parameter.name, text) for text in texts])
        return
    if modifier not in {"", "contains"}:
        raise _unsupported(f"{parameter.code}:{modifier}")
    if modifier == "contains":
        _contains(where, parameter, [f"%{_like(normal(text))}%" for text in texts])
        return
    where.is_narrow = True
    patterns = [_like(normal(text)) + "%" for text in texts]
    _any_row(where, "stringrow", parameter.name, [("i.value LIKE %s", [p]) for p in patterns])


def _contains(where: Where, parameter: Parameter, patterns: list[str]) -> None:
    """No index helps with a part of a string: something else must say which resources are looked at."""
    where.looked_through = f"{parameter.code}:contains"
    where.terms.add(terms.present(parameter.name))
    where.add(
        "(SELECT TRUE FROM fhirstore_stringrow i"  # noqa: S608
        f" WHERE i.resource_id = {where.alias}.key AND i.param = %s AND i.value LIKE ANY(%s) LIMIT 1)",
        parameter.name,
        patterns,
    )


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _date(where: Where, parameter: Parameter, modifier: str, wanted: list[str]) -> None:
    if modifier:
        raise _unsupported(f"{parameter.code}:{modifier}")
    dates = [values.date(parameter.code, each) for each in wanted]
    if parameter.is_main_date:
        low, high = f"{where.alias}.date_low", f"{where.alias}.date_high"
        _any_of(where, [periods.compare(low, high, each) for each in dates])
        where.add(f"{high} IS NOT NULL")
        bounds = [periods.bounds(each) for each in dates]
        start, end = min(low for low, _ in bounds), max(high for _, high in bounds)
        where.period = max(where.period[0], start), min(where.period[1], end)
    else:
        _any_row(
            where, "daterow", parameter.name, [periods.compare("i.low", "i.high", each) for each in dates]
        )


def _quantity(where: Where, parameter: Parameter, modifier: str, wanted: list[str]) -> None:
    if modifier:
        raise _unsupported(f"{parameter.code}:{modifier}")
    _any_row(
        where, "quantityrow", parameter.name, [quantities.amount(parameter.code, each) for each in wanted]
    )


def _composite(where: Where, kind: str, composite: Composite, modifier: str, wanted: list[str]) -> None:
    """Each of `wanted` is `code$value`; both are true of the resource, or of one of its components."""
    if modifier:
        raise _unsupported(f"{composite.code}:{modifier}")
    any_of: list[Condition] = []
    for each in wanted:
        parts = values.split(each, "$")
        if len(parts) != 2 or not all(parts):
            raise values.bad_value(composite.code, "a code and a value, as code$value")
        if composite.of_resource:
            whole = Where(where.alias)
            add(whole, kind, "code", parts[0])
            add(whole, kind, composite.value, parts[1])
            any_of.append(whole.sql())
        if composite.of_component:
            any_of.append(_component(where.alias, kind, composite, *parts))
    _any_of(where, any_of)


def _component(alias: str, kind: str, composite: Composite, code: str, value: str) -> Condition:
    code_term = _token_term(PARAMETERS[kind]["component-code"], code)
    if composite.kind == "quantity":
        part = Where(alias)
        _any_row(
            part,
            "quantityrow",
            component_param(composite, code_term),
            [quantities.amount(composite.code, value)],
        )
        return part.sql()
    value_term = _token_term(PARAMETERS[kind]["component-value-concept"], value)
    return f"{alias}.terms @> %s::bigint[]", [[terms.pair(code_term, value_term)]]


def _any_of(where: Where, conditions: Sequence[Condition]) -> None:
    sql = " OR ".join(condition for condition, _ in conditions)
    where.add(f"({sql})", *(param for _, params in conditions for param in params))


def _any_row(where: Where, table: str, param: str, conditions: Sequence[Condition]) -> None:
    any_of = " OR ".join(condition for condition, _ in conditions)
    where.add(
        f"EXISTS (SELECT 1 FROM fhirstore_{table} i"  # noqa: S608 (names of ours only)
        f" WHERE i.resource_id = {where.alias}.key AND i.param = ANY(%s) AND ({any_of}))",
        list(UNIONS.get(param, (param,))),
        *(each for _, params in conditions for each in params),
    )


_ADD: dict[str, Callable[[Where, Parameter, str, list[str]], None]] = {
    "token": _token,
    "uri": _uri,
    "reference": _reference,
    "string": _string,
    "date": _date,
    "quantity": _quantity,
    "number": _quantity,
}
