"""Search through references, one level (R4, 3.1.1.4.3.3 and 3.1.1.4.3.4): chains and `_has`.

The other end is searched first. Where few resources fit, their ids become the condition; where many do,
it is checked for each candidate, so that the first page comes soon. Neither costs more as the store grows.
"""

import re
from typing import Any

from fhirstore import terms
from fhirstore.cursors import planned_anew
from fhirstore.definitions import PARAMETERS, PATIENT_CODES, TYPES, Parameter
from fhirstore.outcome import Refused
from fhirstore.paths import compile_path
from fhirstore.references import targets_of
from fhirstore.search import values, where
from fhirstore.search.where import Where
from fhirstore.targets import target_types

MAX_LINKED = 1000
MAX_TYPES = 8
FEW_PATIENTS = 10

_CHAIN = re.compile(r"(?P<code>[\w-]+)(?::(?P<type>\w+))?\.(?P<inner>.+)")


def is_chain(kind: str, name: str) -> bool:
    match = _CHAIN.fullmatch(name)
    return name.startswith("_has:") or (match is not None and match["code"] in PARAMETERS[kind])


def add(outer: Where, kind: str, name: str, value: str) -> None:
    """Add a chained parameter. Raises Refused (400): leaving one out would widen the result."""
    if name.startswith("_has:"):
        _has(outer, kind, name, value)
    else:
        _chain(outer, kind, name, value)


def _inner(kind: str, name: str, value: str) -> Where:
    """The condition at the other end, on a row called `t`."""
    if is_chain(kind, name):
        raise Refused(400, "not-supported", "A chained search goes one level.")
    if not where.is_known(kind, name):
        raise Refused(400, "not-supported", f"{kind} has no search parameter `{name}` here.")
    found = Where("t")
    where.add(found, kind, name, value)
    return found


def _chain(outer: Where, kind: str, name: str, value: str) -> None:
    match = _CHAIN.fullmatch(name)
    assert match
    parameter, inner = PARAMETERS[kind][match["code"]], match["inner"]
    candidates = _candidates(parameter, match["type"] or "", inner)
    linked: list[str] = []
    for target in candidates:
        condition = _inner(target, inner, value)
        ids = _ids(target, condition)
        if len(ids) > MAX_LINKED:
            return _chain_common(outer, parameter, candidates, condition)
        linked += [f"{target}/{fhir_id}" for fhir_id in ids]
    return _among(outer, parameter, linked)


def _candidates(parameter: Parameter, wanted: str, inner: str) -> list[str]:
    """The types at the other end that have the inner parameter."""
    code = re.split(r"[.:]", inner)[0]
    possible = {wanted} if wanted else target_types(parameter)
    if parameter.kind != "reference" or not possible <= TYPES.keys():
        raise values.bad_value(parameter.code, "a chain only where it is a reference, to a type of FHIR R4")
    found = sorted(each for each in possible if where.is_known(each, code) or wanted)
    if not found or len(found) > MAX_TYPES:
        told = f"as {parameter.code}:Patient.{code}"
        raise values.bad_value(parameter.code, f"a chain to a type that has `{code}`; name the type, {told}")
    return found


def _ids(kind: str, condition: Where) -> list[str]:
    sql, params = condition.sql()
    with planned_anew() as cursor:
        cursor.execute(
            "SELECT t.fhir_id FROM fhirstore_resource t"  # noqa: S608 (constants of ours only)
            f" WHERE {condition.of_type()} AND NOT t.deleted AND {sql} ORDER BY t.key LIMIT %s",
            [kind, *params, MAX_LINKED + 1],
        )
        return [fhir_id for (fhir_id,) in cursor.fetchall()]


def _among(outer: Where, parameter: Parameter, linked: list[str]) -> None:
    """The reference leads to one of `linked`."""
    patients = [each.removeprefix("Patient/") for each in linked if each.startswith("Patient/")]
    if not linked:
        outer.add("FALSE")
    elif parameter.code in PATIENT_CODES[parameter.type] and len(patients) == len(linked):
        outer.in_one_record |= len(patients) <= FEW_PATIENTS
        outer.add(f"{outer.alias}.patient = ANY(%s)", patients)
    else:
        outer.add_terms([terms.reference(parameter.name, each) for each in linked])


def _chain_common(outer: Where, parameter: Parameter, candidates: list[str], condition: Where) -> None:
    """More than MAX_LINKED fit: look at the patient of each candidate instead."""
    if candidates != ["Patient"] or parameter.code not in PATIENT_CODES[parameter.type]:
        told = f"The chain through `{parameter.code}` fits more than {MAX_LINKED} resources: narrow it."
        raise Refused(400, "too-costly", told)
    sql, params = condition.sql()
    outer.add(
        "(SELECT TRUE FROM fhirstore_resource t WHERE t.type = 'Patient'"  # noqa: S608
        f" AND t.fhir_id = {outer.alias}.patient AND NOT t.deleted AND {sql})",
        *params,
    )


def _has(outer: Where, kind: str, name: str, value: str) -> None:
    _, source, code, inner = (*name.split(":", 3), "", "", "")[:4]
    parameter = PARAMETERS.get(source, {}).get(code)
    if parameter is None or parameter.kind != "reference" or not inner:
        raise values.bad_value("_has", "Type:reference:parameter, as _has:Observation:patient:code")
    condition = _inner(source, inner, value)
    by_patient = kind == "Patient" and code in PATIENT_CODES[source]
    found, has_more = _referring(parameter, condition, kind, by_patient=by_patient)
    if not has_more:
        outer.add(f"{outer.alias}.fhir_id = ANY(%s)", sorted(found))
    elif by_patient:
        sql, params = condition.sql()
        outer.add(
            "(SELECT TRUE FROM fhirstore_resource t WHERE t.type = %s"  # noqa: S608
            f" AND t.patient = {outer.alias}.fhir_id AND NOT t.deleted AND {sql} LIMIT 1)",
            source,
            *params,
        )
    else:
        told = f"`{name}` fits more than {MAX_LINKED} resources: narrow it."
        raise Refused(400, "too-costly", told)


def _referring(
    parameter: Parameter, condition: Where, kind: str, *, by_patient: bool
) -> tuple[set[str], bool]:
    """Ids of the `kind` that the first resources with the condition refer to, and whether there are more."""
    sql, params = condition.sql()
    column = "t.patient" if by_patient else "t.body"
    with planned_anew() as cursor:
        cursor.execute(
            f"SELECT {column} FROM fhirstore_resource t"  # noqa: S608
            f" WHERE {condition.of_type()} AND NOT t.deleted AND {sql} ORDER BY t.key LIMIT %s",
            [parameter.type, *params, MAX_LINKED + 1],
        )
        found: list[Any] = [each for (each,) in cursor.fetchall()]
    if by_patient:
        ids = {each for each in found if each}
    else:
        path = compile_path(parameter.expression)
        ids = {fhir_id for body in found for target, fhir_id in targets_of(path, body) if target == kind}
    return ids, len(found) > MAX_LINKED
