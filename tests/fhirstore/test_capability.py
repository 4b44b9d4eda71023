"""The CapabilityStatement says what the server does, and the server does what it says: each line is tried."""

import json
import re
from functools import cache
from typing import Any

import pytest

from fhirstore.definitions import COMPARTMENT, PARAMETERS, TYPES
from fhirstore.shapes import CODES, ElementType, elements
from tests.fhirstore.calls import call, get, put

pytestmark = pytest.mark.django_db

VALUES = {
    "token": "http://example.org|x", "string": "x", "date": "ge2020-01-01", "reference": "Patient/1",
    "quantity": "gt5|http://unitsofmeasure.org|mg", "number": "lt5", "uri": "urn:x",
}  # fmt: skip
COMPOSITES = {
    "code-value-quantity": "x$gt5", "code-value-concept": "x$y", "code-value-string": "x$y",
    "code-value-date": "x$2020", "combo-code-value-quantity": "x$gt5", "combo-code-value-concept": "x$y",
    "component-code-value-quantity": "x$gt5", "component-code-value-concept": "x$y",
}  # fmt: skip
PLAIN = {
    "boolean": True, "integer": 1, "positiveInt": 1, "unsignedInt": 0, "decimal": 1.50, "date": "2026-01-01",
    "dateTime": "2026-01-01", "instant": "2026-01-01T00:00:00Z", "id": "x", "uri": "urn:x", "url": "urn:x",
    "code": "x", "string": "x", "markdown": "x", "canonical": "urn:x", "base64Binary": "eA==",
}  # fmt: skip


def statement() -> dict[str, Any]:
    return get("metadata").json


@cache
def described() -> dict[str, dict[str, Any]]:
    return {each["type"]: each for each in statement()["rest"][0]["resource"]}


def smallest(kind: str) -> dict[str, Any]:
    """A resource that has what it must have, and nothing else."""
    return {"resourceType": kind} | filled(kind)


def filled(section: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for element in elements(section):
        if element.is_required:
            name, type_ = next(iter(element.properties().items()))
            made[name] = [value(type_)] if element.is_list else value(type_)
    return made


def value(type_: ElementType) -> Any:
    if type_.value_set and type_.name == "code":
        return sorted(next(iter(CODES[type_.value_set].values())))[0]
    if type_.is_primitive:
        return PLAIN[type_.name]
    if type_.name == "Resource":
        return {"resourceType": "Basic", "code": {"text": "x"}}
    return filled(type_.name) or ({"display": "x"} if type_.name == "Reference" else {"id": "x"})


def test_the_statement_is_a_valid_resource_that_names_every_type():
    put(statement() | {"id": "own"})

    assert statement()["fhirVersion"] == "4.0.1"
    assert described().keys() == TYPES.keys()


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_interaction_that_is_named_is_served(kind):
    named = {each["code"] for each in described()[kind]["interaction"]}
    done = set()

    created = call("POST", kind, smallest(kind))
    if created.status == 201:
        done.add("create")
    fhir_id = created.json["id"]
    if get(f"{kind}/{fhir_id}").body == created.body:
        done.add("read")
    if call("PUT", f"{kind}/{fhir_id}", created.json | {"language": "en"}).headers["ETag"] == 'W/"2"':
        done.add("update")
    if get(f"{kind}/{fhir_id}/_history/1").body == created.body:
        done.add("vread")
    if len(get(f"{kind}/{fhir_id}/_history").json["entry"]) == 2:
        done.add("history-instance")
    if len(get(f"{kind}/_history").json["entry"]) == 2:
        done.add("history-type")
    if get(kind).ids == [fhir_id]:
        done.add("search-type")
    if call("DELETE", f"{kind}/{fhir_id}").status == 204 and get(f"{kind}/{fhir_id}").status == 410:
        done.add("delete")

    assert done == named


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_search_parameter_that_is_named_works_and_comes_back_in_the_self_link(kind):
    put(smallest(kind) | {"id": "x"})
    for parameter in described()[kind]["searchParam"]:
        name, type_ = parameter["name"], parameter["type"]
        asked = COMPOSITES[name] if type_ == "composite" else VALUES[type_]

        result = call("GET", f"{kind}?{name}={asked}")

        assert result.status == 200, (name, result.body)
        assert name in result.json["link"][0]["url"]


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_include_that_is_named_works(kind):
    put(smallest(kind) | {"id": "x"})
    for name in ("Include", "RevInclude"):
        for include in described()[kind].get(f"search{name}", []):
            result = get(f"{kind}?_{name.lower()}={include}")
            assert (result.status, result.ids) == (200, ["x"]), include


ALL_MODIFIERS = (
    "missing", "exact", "contains", "not", "text", "in", "below", "above", "not-in", "identifier", "of-type",
    "Patient", "iterate",
)  # fmt: skip


def modifiers() -> dict[str, set[str]]:
    """Search parameter type -> modifiers, as the statement's documentation lists them."""
    lines = re.findall(r"^- (\w+): (.*)$", statement()["rest"][0]["documentation"], re.MULTILINE)
    return {kind: {each.strip(" :") for each in names.split(",")} for kind, names in lines}


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_modifier_that_is_named_works_and_every_other_is_refused(kind):
    named = modifiers()
    for parameter in described()[kind]["searchParam"]:
        name, type_ = parameter["name"], parameter["type"]
        taken = set() if name in {"_id", "_lastUpdated"} else set(named.get(type_, ()))
        taken |= {"Patient"} if "[type]" in taken else set()
        taken |= {"of-type"} if name == "identifier" and type_ == "token" else set()
        for modifier in ALL_MODIFIERS:
            asked = {"missing": "true", "of-type": "urn:x|a|b"}.get(modifier) or VALUES.get(type_, "x$y")
            result = get(f"{kind}?{name}:{modifier}={asked}&_id=x")
            assert (result.status == 200) == (modifier in taken), (name, modifier, result.body)


def test_contains_alone_is_refused_as_the_statement_says():
    assert "alone it is refused as too costly" in statement()["rest"][0]["documentation"].replace("\n", " ")
    for kind, parameters in PARAMETERS.items():
        for parameter in parameters.values():
            if parameter.kind == "string":
                result = get(f"{kind}?{parameter.code}:contains=x")
                assert (result.status, result.json["issue"][0]["code"]) == (400, "too-costly")


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_no_search_parameter_of_any_other_type_and_no_control_beside_those_named_is_served(kind):
    named = {parameter["name"] for parameter in described()[kind]["searchParam"]}
    everywhere = {code for parameters in PARAMETERS.values() for code in parameters} | COMPOSITES.keys()
    unnamed = {
        "_text",
        "_content",
        "_list",
        "_filter",
        "_query",
        "_type",
        "_contained",
        "_containedType",
        "_at",
    }

    assert named >= PARAMETERS[kind].keys()
    for name in (everywhere | unnamed) - named:
        assert get(f"{kind}?{name}=x").status == 400, name


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_no_operation_and_no_other_way_to_a_type_is_served(kind):
    put(smallest(kind) | {"id": "x"})
    operations = {each["name"] for each in described()[kind].get("operation", [])}

    assert call("PATCH", f"{kind}/x", {}).status == 405
    assert call("POST", f"{kind}/x", {}).status == 405
    for name in {
        "everything",
        "docref",
        "validate",
        "meta",
        "lastn",
        "expand",
        "export",
        "match",
    } - operations:
        assert get(f"{kind}/${name}").status == 404
        assert get(f"{kind}/x/${name}").status == 404
    for other in {"Patient", "Encounter", "Practitioner", "RelatedPerson", "Device"} - {"Patient"}:
        assert get(f"{other}/x/{kind}").status == 404  # a compartment that is not named
    assert (get(f"Patient/x/{kind}").status == 200) == (kind in COMPARTMENT)
    for include in ("_include", "_revinclude"):
        stated = described()[kind].get("searchInclude" if include == "_include" else "searchRevInclude", [])
        assert get(f"{kind}?{include}={kind}:nonsense").status == 400
        assert f"{kind}:nonsense" not in stated


@pytest.mark.parametrize(
    "url", ["", "_history", "?_id=x", "_search", "$export", "$everything", "Unicorn", "Unicorn/1"]
)
def test_nothing_of_the_whole_system_is_served_beside_bundles(url):
    assert get(url).status in {404, 405}


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_both_kinds_of_bundle_that_are_named_are_served(kind):
    assert {"code": kind} in statement()["rest"][0]["interaction"]
    result = call("POST", "", {"resourceType": "Bundle", "type": kind})
    assert result.json["type"] == f"{kind}-response"


def test_the_compartment_and_the_operations_that_are_named_are_served():
    put(smallest("Patient") | {"id": "alice"})
    for kind in COMPARTMENT:
        assert get(f"Patient/alice/{kind}").status == 200
    for kind, url in (("Patient", "Patient/alice/$everything"),
                      ("DocumentReference", "DocumentReference/$docref?patient=alice")):  # fmt: skip
        (operation,) = described()[kind]["operation"]
        assert operation["name"] in url
        assert get(url).status == 200


def test_conditional_interactions_that_are_named_are_served():
    one = described()["Organization"]
    body = smallest("Organization") | {"identifier": [{"system": "urn:x", "value": "1"}]}
    criteria = "identifier=urn:x|1"

    assert one["conditionalCreate"]
    assert call("POST", "Organization", body, if_none_exist=criteria).status == 201
    assert call("POST", "Organization", body, if_none_exist=criteria).status == 200
    assert one["conditionalUpdate"]
    assert call("PUT", f"Organization?{criteria}", body | {"name": "R"}).headers["ETag"] == 'W/"2"'
    assert one["conditionalRead"] == "full-support"
    fhir_id = get(f"Organization?{criteria}").ids[0]
    assert get(f"Organization/{fhir_id}", if_none_match='W/"2"').status == 304
    assert one["conditionalDelete"] == "single"
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert get(f"Organization/{fhir_id}", if_modified_since=later).status == 304
    assert call("DELETE", f"Organization?{criteria}").status == 204
    assert get(f"Organization/{fhir_id}").status == 410


def test_the_formats_that_are_named_are_answered_and_others_are_refused():
    for name in statement()["format"]:
        assert get("metadata", accept=name).status == 200
        assert get(f"metadata?_format={name}").status == 200
    for name in ("application/fhir+xml", "xml", "text/turtle"):
        assert get("metadata", accept=name).status == 406
        assert json.loads(get(f"metadata?_format={name}").body)["resourceType"] == "OperationOutcome"
