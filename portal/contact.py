"""How a clinic reaches somebody: what a FHIR R4 Patient says of it, and the Patient with it changed. Pure.

What nobody changed stays as it is, element by element: other numbers, old addresses, extensions.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from fhirproxy import reading as fhir

Resource = dict[str, Any]
BCP_47 = "urn:ietf:bcp:47"
FACTS = (
    *("called", "mobile", "home", "email", "street", "city", "state", "postal_code"),
    *("language", "call_name", "call_phone"),
)
OVER = frozenset({"old", "temp"})


def facts_of(patient: Mapping[str, Any]) -> dict[str, str]:
    """By the names in FACTS; empty for what it does not say."""
    address, person = _address(patient), fhir.first(patient, "contact")
    lines = address.get("line")
    return {
        "called": fhir.text(_called(patient), "text"),
        "mobile": fhir.text(_telecom(patient, "phone", "mobile"), "value"),
        "home": fhir.text(_telecom(patient, "phone", "home"), "value"),
        "email": fhir.text(_telecom(patient, "email", ""), "value"),
        "street": ", ".join(map(str, lines)) if isinstance(lines, list) else "",
        "city": fhir.text(address, "city"),
        "state": fhir.text(address, "state"),
        "postal_code": fhir.text(address, "postalCode"),
        "language": _language(patient),
        "call_name": _name(person),
        "call_phone": fhir.text(_telecom(person, "phone", ""), "value"),
    }


def changed(patient: Mapping[str, Any], facts: Mapping[str, str]) -> Resource:
    """The Patient as it would be; what is the same as before is left alone."""
    made, before = deepcopy(dict(patient)), facts_of(patient)
    new = {name: facts[name] for name in FACTS if facts.get(name, before[name]) != before[name]}
    if "called" in new:
        _set(made, "name", _called(made), {"use": "usual", "text": new["called"]}, keep=bool(new["called"]))
    for name, system, use in (
        ("mobile", "phone", "mobile"),
        ("home", "phone", "home"),
        ("email", "email", ""),
    ):
        if name in new:
            point = {"system": system, **({"use": use} if use else {}), "value": new[name]}
            _set(made, "telecom", _telecom(made, system, use), point, keep=bool(new[name]))
    if new.keys() & {"street", "city", "state", "postal_code"}:
        _set_address(made, {**before, **new})
    if "language" in new:
        _set_language(made, new["language"])
    if new.keys() & {"call_name", "call_phone"}:
        _set_person(made, {**before, **new})
    return made


def _set(holder: Resource, element: str, old: Mapping[str, Any], new: Resource, *, keep: bool = True) -> None:
    """Put `new` where `old` is in a list, over what it has; where there is none, at the end."""
    listed = list(holder.get(element) or [])
    place = next((at for at, each in enumerate(listed) if each is old), len(listed))
    listed[place : place + 1] = [{**old, **new}] if keep else []
    if listed:
        holder[element] = listed
    else:
        holder.pop(element, None)


def _set_address(made: Resource, facts: Mapping[str, str]) -> None:
    old = _address(made)
    new = {k: v for k, v in old.items() if k not in ("line", "_line", "city", "state", "postalCode", "text")}
    said = {"city": facts["city"], "state": facts["state"], "postalCode": facts["postal_code"]}
    lines = [part.strip() for part in facts["street"].split(",") if part.strip()]
    new |= {"use": "home"} | ({"line": lines} if lines else {}) | {k: v for k, v in said.items() if v}
    listed = [each if each is not old else new for each in made.get("address") or []]
    made["address"] = listed if old else [*listed, new]


def _set_language(made: Resource, language: str) -> None:
    others = [dict(each) for each in fhir.objects(made, "communication")]
    for each in others:
        each.pop("preferred", None)
    rest = [each for each in others if language not in fhir.codes(each.get("language"))]
    said = {"language": {"coding": [{"system": BCP_47, "code": language}]}, "preferred": True}
    made["communication"] = [said, *rest]


def _set_person(made: Resource, facts: Mapping[str, str]) -> None:
    old = fhir.first(made, "contact")
    new: Resource = dict(old)
    if facts["call_name"] != _name(old):
        new["name"] = {"text": facts["call_name"]}
    point = {"system": "phone", "value": facts["call_phone"]}
    _set(new, "telecom", _telecom(old, "phone", ""), point, keep=bool(facts["call_phone"]))
    _set(made, "contact", old, new, keep=bool(facts["call_name"] or facts["call_phone"]))


def _called(patient: Mapping[str, Any]) -> Resource:
    return next((name for name in fhir.objects(patient, "name") if name.get("use") == "usual"), {})


def _telecom(holder: Mapping[str, Any], system: str, use: str) -> Resource:
    fitting = (
        point
        for point in fhir.objects(holder, "telecom")
        if point.get("system") == system
        and point.get("use") not in OVER
        and (not use or point.get("use") == use)
    )
    return next(fitting, {})


def _address(patient: Mapping[str, Any]) -> Resource:
    standing = [each for each in fhir.objects(patient, "address") if each.get("use") not in OVER]
    at_home = [each for each in standing if each.get("use") == "home"]
    return next(iter([*at_home, *standing]), {})


def _language(patient: Mapping[str, Any]) -> str:
    listed = fhir.objects(patient, "communication")
    preferred = [each for each in listed if each.get("preferred") is True]
    found = (code for each in [*preferred, *listed] for code in fhir.codes(each.get("language")))
    return next(found, "").partition("-")[0]


def _name(person: Mapping[str, Any]) -> str:
    name = fhir.first(person, "name")
    given = name.get("given")
    parts = [*(given if isinstance(given, list) else []), name.get("family", "")]
    return fhir.text(name, "text") or " ".join(str(part) for part in parts if part)
