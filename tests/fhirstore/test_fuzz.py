"""Whatever is sent, the answer is FHIR: never a 500, and nothing half-written."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirstore.definitions import PARAMETERS
from fhirstore.server import handle
from tests.examples import examples
from tests.fhirstore.calls import bundle, call, entry, get, observation, patient, post

pytestmark = pytest.mark.django_db
fuzzed = settings(examples(600), suppress_health_check=list(HealthCheck))

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["coding", "value", "reference", "start", "_x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from([
    "id", "meta", "status", "code", "subject", "valueQuantity", "effectivePeriod", "component", "contained",
    "_status", "identifier", "extension", "text",
])  # fmt: skip
CODES = [*sorted(PARAMETERS["Observation"]), "_id", "_lastUpdated", "_sort", "_count", "_include", "_has",
    "_cursor", "_elements", "_summary", "_total", "patient.name", "code-value-quantity"]  # fmt: skip
MODIFIERS = st.sampled_from(
    ["", ":not", ":missing", ":exact", ":contains", ":of-type", ":identifier", ":Patient", ":"]
)
TEXTS = st.text(max_size=12) | st.text(alphabet="0123456789-:.,|$\\TZ+geltnap", max_size=12)
HEADERS = ["if-match", "if-none-match", "if-modified-since", "prefer"]
SEGMENTS = st.sampled_from(["Patient", "_history", "_search", "$everything", "x", "metadata"]) | TEXTS


@fuzzed
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_resource_of_any_shape_is_kept_or_refused(changed):
    result = call("POST", "Observation", observation("x") | changed)

    assert result.status in {201, 400, 422}
    assert result.status == 201 or result.json["issue"][0]["diagnostics"]


@fuzzed
@given(st.binary(max_size=60) | st.builds(lambda n: json.dumps(patient())[:n].encode(), st.integers(0, 80)))
def test_bytes_that_are_not_a_resource_are_refused(body):
    assert call("POST", "Patient", body).status in {201, 400, 422}


@fuzzed
@given(st.lists(st.tuples(st.sampled_from(CODES), MODIFIERS, TEXTS), min_size=1, max_size=3))
def test_a_search_of_any_kind_is_answered_or_refused(asked):
    pairs = [(f"{code}{modifier}", text) for code, modifier, text in asked]
    status, _, body = handle("GET", "Observation", pairs, {}, b"")

    assert status in {200, 400}
    assert json.loads(body)["resourceType"] in {"Bundle", "OperationOutcome"}


@fuzzed
@given(st.lists(VALUES | st.fixed_dictionaries({"request": VALUES, "resource": VALUES}), max_size=3))
def test_a_transaction_with_entries_of_any_shape_keeps_nothing(bad):
    good = entry("PUT", "Patient/alice", patient())
    wrong = entry("POST", "Patient", {"resourceType": "Patient", "gender": 7})

    result = post("", bundle("transaction", good, *bad, wrong))

    assert result.status in {400, 422}
    assert result.json["issue"][0]["diagnostics"]
    assert get("Patient/alice").status == 404


@fuzzed
@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]), st.lists(SEGMENTS, max_size=4),
       st.dictionaries(st.sampled_from(HEADERS), TEXTS))  # fmt: skip
def test_no_path_and_no_header_fails_inside(method, segments, headers):
    assert call(method, "/".join(segments).replace("?", ""), {}, **headers).status < 500
