"""What US Core 6.1 expects of a server, line by line out of its CapabilityStatement."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.fhirstore.calls import get

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "definitions" / "us-core-6.1.0"
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not on this machine"),
]

VALUES = {
    "token": "urn:x|1",
    "string": "x",
    "date": "ge2020-01-01",
    "reference": "Patient/1",
    "quantity": "1",
}
# SHOULD, and left to a terminology server.
NOT_HERE = {"expand"}


def lines(name: str) -> Iterator[dict[str, Any]]:
    if not DATA.is_dir():
        return
    with gzip.open(DATA / f"{name}.ndjson.gz") as file:
        yield from map(json.loads, file)


def resources() -> list[dict[str, Any]]:
    server = [each for each in lines("CapabilityStatement") if each["id"] == "us-core-server"]
    return server[0]["rest"][0]["resource"] if server else []


def combinations(resource: dict[str, Any]) -> Iterator[list[str]]:
    for extension in resource.get("extension", []):
        names = [each["valueString"] for each in extension.get("extension", []) if "valueString" in each]
        if names:
            yield names


@cache
def statement() -> dict[str, dict[str, Any]]:
    return {each["type"]: each for each in get("metadata").json["rest"][0]["resource"]}


def ours(kind: str) -> dict[str, Any]:
    return statement()[kind]


@pytest.mark.parametrize("expected", resources(), ids=lambda each: each["type"])
class TestResource:
    def test_each_search_parameter_and_each_combination_works(self, expected):
        kind = expected["type"]
        types = {each["name"]: each["type"] for each in expected.get("searchParam", [])}
        types |= {p["name"]: p["type"] for p in ours(kind)["searchParam"] if p["name"] not in types}
        for names in [[name] for name in types] + list(combinations(expected)):
            query = "&".join(f"{name}={VALUES.get(types[name], 'x')}" for name in names)
            if "composite" in {types[name] for name in names}:
                continue
            result = get(f"{kind}?{query}")
            assert result.status == 200, (names, result.body)
            assert all(name in result.json["link"][0]["url"] for name in names)

    def test_its_parameters_includes_and_operations_are_in_our_statement_too(self, expected):
        stated = ours(expected["type"])

        for name in ("searchParam", "operation"):
            named = {each["name"]: each.get("type") for each in expected.get(name, [])}
            mine = {each["name"]: each.get("type") for each in stated.get(name, [])}
            assert {n: t for n, t in named.items() if n not in NOT_HERE}.items() <= mine.items()
        for name in ("searchInclude", "searchRevInclude"):
            wanted = {":".join(each.split(":")[:2]) for each in expected.get(name, [])}
            assert wanted <= set(stated.get(name, []))

    def test_its_includes_work_with_their_target_types(self, expected):
        for name in ("Include", "RevInclude"):
            for each in expected.get(f"search{name}", []):
                assert get(f"{expected['type']}?_{name.lower()}={each}").status == 200

    def test_its_interactions_are_in_our_statement_too(self, expected):
        wanted = {each["code"] for each in expected.get("interaction", [])} - {"patch"}  # MAY
        assert wanted <= {each["code"] for each in ours(expected["type"])["interaction"]}


@pytest.mark.parametrize("parameter", list(lines("SearchParameter")), ids=lambda each: each["id"])
def test_each_search_parameter_has_the_comparators_lists_and_chains_that_it_names(parameter):
    kind, code = parameter["base"][0], parameter["code"]
    value = "2020" if parameter["type"] == "date" else VALUES[parameter["type"]]

    for prefix in parameter.get("comparator", []):
        assert get(f"{kind}?{code}={prefix}{value}").status == 200
    assert get(f"{kind}?{code}={value},{value}").status == 200
    assert get(f"{kind}?{code}={value}&{code}={value}").status == 200
    for inner in parameter.get("chain", []):
        assert get(f"{kind}?{code}.{inner}=x").status == 200
