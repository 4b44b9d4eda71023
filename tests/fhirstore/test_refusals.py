"""What a refusal says: the element at fault, or, where none is, the parameter or header; and its limits."""

import json

import pytest

from tests.fhirstore.calls import bundle, call, entry, get, observation, patient, post, put

pytestmark = pytest.mark.django_db

ALICE = patient()
NO_ID = {name: value for name, value in ALICE.items() if name != "id"}


@pytest.mark.parametrize(("method", "url", "body", "expression"), [
    ("POST", "", {"resourceType": "Bundle", "type": "collection"}, "Bundle.type"),
    ("POST", "", bundle("transaction", {}), "Bundle.entry[0].request"),
    ("POST", "", bundle("transaction", entry("POST", "/", ALICE)), "Bundle.entry[0].request.url"),
    ("POST", "", bundle("transaction", entry("PATCH", "Patient/a", ALICE)), "Bundle.entry[0].request.method"),
    ("POST", "", bundle("transaction", entry("POST", "Patient")), "Bundle.entry[0].resource"),
    ("POST", "", bundle("transaction", entry("PUT", "Patient/other", ALICE)), "Bundle.entry[0].resource.id"),
    ("POST", "", bundle("transaction", entry("POST", "Patient/alice", ALICE)), "Bundle.entry[0]"),
    ("POST", "", bundle("transaction", entry("DELETE", "Patient")), "Bundle.entry[0]"),
    ("POST", "", bundle("transaction", *[entry("PUT", "Patient/alice", ALICE)] * 2), "Bundle.entry[1]"),
    ("POST", "", bundle("transaction", entry("POST", "Observation", ALICE)), "Bundle.entry[0]"),
    ("POST", "", bundle("transaction", entry("POST", "Observation", observation("x", subject={
        "reference": "urn:uuid:lost"}))), "Bundle.entry[0]"),
    ("PUT", "Patient/other", ALICE, "Patient.id"),
    ("PUT", "Patient/alice", NO_ID, "Patient.id"),
    ("POST", "Patient/alice/$everything", {"parameter": [{"name": "_count"}]}, "Parameters.parameter"),
])  # fmt: skip
def test_a_bad_request_names_the_element_at_fault(method, url, body, expression):
    put(ALICE)

    result = call(method, url, body)

    assert result.status == 400
    assert result.json["issue"][0]["expression"] == [expression]


@pytest.mark.parametrize("wrong", [{}, entry("PATCH", "Patient/a", ALICE), entry("PUT", "Patient/b", ALICE)])
def test_an_entry_of_a_batch_names_its_element_as_one_of_a_transaction_does(wrong):
    put(ALICE)
    good = entry("GET", "Patient/alice")

    whole = post("", bundle("transaction", good, wrong)).json
    single = post("", bundle("batch", good, wrong)).json["entry"][1]["response"]["outcome"]

    assert single["issue"][0]["expression"] == whole["issue"][0]["expression"]
    assert single["issue"][0]["expression"][0].startswith("Bundle.entry[1].")


@pytest.mark.parametrize(("url", "named"), [
    ("Observation?nonsense=1", "`nonsense`"), ("Observation?code:text=x", "`code:text`"),
    ("Observation?date=soon", "`date`"), ("Observation?value-quantity=x", "`value-quantity`"),
    ("Observation?_count=many", "`_count`"), ("Observation?_sort=code", "`_sort`"),
    ("Observation?_include=Patient:x", "`_include`"), ("Observation?_revinclude=x", "`_revinclude`"),
    ("Observation?_include:iterate=x", "`:iterate`"), ("Observation?_cursor=x", "`_cursor`"),
    ("Observation?_summary=x", "`_summary`"), ("Observation?_total=x", "`_total`"),
    ("Observation?code:missing=x", "`code:missing`"), ("Patient?_has:x=1", "`_has`"),
    ("Observation?code.name=x", "`code`"), ("Patient?family:contains=x", "`family:contains`"),
    ("Observation/_history?nonsense=1", "`nonsense`"), ("Observation/_history?_since=x", "`_since`"),
    ("Observation/_history?_count=x", "`_count`"), ("Patient/alice/_history?_cursor=\u00b2", "`_cursor`"),
    ("Patient/alice/$everything?nonsense=1", "`nonsense`"),
    ("Patient/alice/$everything?_count=x", "`_count`"),
    ("DocumentReference/$docref", "`patient`"), ("DocumentReference/$docref?patient=alice&x=1", "`x`"),
])  # fmt: skip
def test_where_a_parameter_is_at_fault_there_is_no_element_and_the_text_names_the_parameter(url, named):
    put(ALICE)

    issue = get(url).json["issue"][0]

    assert get(url).status == 400
    assert "expression" not in issue
    assert named in issue["diagnostics"]


def test_where_a_header_is_at_fault_the_text_names_it():
    result = call("PUT", "Patient/alice", ALICE, if_match="x")

    assert result.status == 400
    assert "If-Match" in result.diagnostics


@pytest.mark.parametrize(("body", "place"), [
    (b'{"a":', "line 1"), (b"[]", "not a JSON object"), (b'{"a":1,"a":2}', "twice"), (b"\xff", "UTF-8"),
    (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "deeper than 100"),
])  # fmt: skip
def test_a_body_that_is_no_json_has_no_elements_and_the_text_says_where_it_ends(body, place):
    result = call("POST", "Patient", body)

    assert result.status == 400
    assert place in result.diagnostics


@pytest.mark.parametrize(("method", "url"), [("POST", "Patient"), ("PUT", "Patient/alice"), ("POST", "")])
def test_a_body_over_the_limit_is_refused_unread_and_one_at_the_limit_is_not(settings, method, url):
    body = json.dumps(ALICE).encode()
    settings.FHIRSTORE_MAX_BODY = len(body)

    assert call(method, url, body).status != 413
    result = call(method, url, body + b" ")

    assert (result.status, result.json["issue"][0]["code"]) == (413, "too-long")
    assert str(len(body)) in result.diagnostics


@pytest.mark.parametrize(("search", "many"), [
    ("Observation?code-value-quantity=", "2093-3$5"), ("Patient?name=", "a"), ("Observation?date=", "2026"),
])  # fmt: skip
def test_more_values_than_a_search_should_look_for_are_refused(search, many):
    answer = get(search + ",".join([many] * 1001))

    assert (answer.status, answer.json["issue"][0]["code"]) == (400, "too-costly")
    assert get(search + ",".join([many] * 100)).status == 200
