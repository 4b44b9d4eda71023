"""Reading one resource: current, earlier, and its history."""

import json

import pytest

from tests.fhirstore.calls import call, get, observation, patient, post, put

pytestmark = pytest.mark.django_db


def test_read_gives_the_resource_with_version_and_time():
    put(patient())

    result = get("Patient/alice")

    assert result.status == 200
    assert result.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert result.headers["ETag"] == 'W/"1"'
    assert result.headers["Last-Modified"].endswith("GMT")
    assert result.json["meta"]["versionId"] == "1"
    assert result.json["name"] == [{"family": "Moreno", "given": ["Alice"]}]


@pytest.mark.parametrize(
    "digits", ["1.50", "0.000000001", "1E+2", "-0.0", "100000000000000000000000", "1.0e-3"]
)
def test_numbers_keep_the_digits_they_came_with(digits):
    body = json.dumps(observation("o1")).replace('"value": 5,', f'"value": {digits},').encode()
    assert call("PUT", "Observation/o1", body).status == 201

    assert f'"value":{digits},'.encode() in get("Observation/o1").body


def test_properties_keep_their_order_and_unicode_stays():
    body = (
        '{"resourceType":"Patient","name":[{"text":"Zoë \\u00e9 😀"}],"active":true,"id":"zoe",'
        '"gender":"female"}'
    )
    call("PUT", "Patient/zoe", body.encode())

    served = get("Patient/zoe").json

    assert list(served) == ["resourceType", "id", "meta", "name", "active", "gender"]
    assert served["name"][0]["text"] == "Zoë é 😀"


def test_meta_of_the_client_is_kept_and_its_version_is_not():
    put(patient(meta={"versionId": "77", "tag": [{"code": "demo"}], "lastUpdated": "1999-01-01T00:00:00Z"}))

    meta = get("Patient/alice").json["meta"]

    assert meta["tag"] == [{"code": "demo"}]
    assert meta["versionId"] == "1"
    assert not meta["lastUpdated"].startswith("1999")


def test_read_costs_one_statement(django_assert_num_queries):
    put(patient())
    with django_assert_num_queries(1):
        get("Patient/alice")


def test_read_not_modified():
    put(patient())
    modified = get("Patient/alice").headers["Last-Modified"]

    assert get("Patient/alice", if_none_match='W/"1"').status == 304
    assert get("Patient/alice", if_none_match='W/"2"').status == 200
    assert get("Patient/alice", if_modified_since=modified).status == 304
    assert get("Patient/alice", if_modified_since="Mon, 01 Jan 2001 00:00:00 GMT").status == 200
    assert get("Patient/alice", if_modified_since="yesterday").status == 200


def test_vread_gives_each_version():
    put(patient())
    put(patient(active=True))

    assert "active" not in get("Patient/alice/_history/1").json
    assert get("Patient/alice/_history/2").json["active"] is True
    assert get("Patient/alice/_history/3").status == 404
    assert get("Patient/alice/_history/two").status == 404


def test_history_is_newest_first_with_the_deletion_in_it():
    put(patient())
    put(patient(active=True))
    call("DELETE", "Patient/alice")
    put(patient(active=False))

    history = get("Patient/alice/_history").json

    assert history["type"] == "history"
    assert [e["request"]["method"] for e in history["entry"]] == ["PUT", "DELETE", "PUT", "PUT"]
    assert [e["response"]["etag"] for e in history["entry"]] == ['W/"4"', 'W/"3"', 'W/"2"', 'W/"1"']
    assert "resource" not in history["entry"][1]


def test_history_goes_on_page_by_page():
    for number in range(5):
        put(patient(multipleBirthInteger=number))

    first = get("Patient/alice/_history?_count=2")
    second = get(first.next)
    third = get(second.next)

    etags = [e["response"]["etag"] for page in (first, second, third) for e in page.json["entry"]]
    assert etags == ['W/"5"', 'W/"4"', 'W/"3"', 'W/"2"', 'W/"1"']
    assert third.next is None


def test_deleted_is_gone_and_says_so():
    put(patient())
    deleted = call("DELETE", "Patient/alice")

    assert (deleted.status, deleted.headers["ETag"]) == (204, 'W/"2"')
    assert get("Patient/alice").status == 410
    assert get("Patient/alice/_history/2").status == 410
    assert get("Patient/alice/_history/1").status == 200
    assert get("Patient?_id=alice").ids == []


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "Patient/nobody", 404),
        ("GET", "Patient/nobody/_history", 404),
        ("GET", "Unicorn", 404),
        ("GET", "Unicorn/1", 404),
        ("GET", "Patient/alice/$unheard-of", 404),
        ("GET", "Patient/a/b/c/d/e", 404),
        ("GET", "Patient/a\x00b", 404),
        ("GET", "Patient/a_b", 404),
        ("GET", "Patient/" + "a" * 65, 404),
        ("GET", "", 405),
        ("PATCH", "Patient/alice", 405),
        ("DELETE", "Patient", 400),
        ("POST", "Patient/alice", 405),
        ("GET", "Patient/alice/_history?_count=few", 400),
    ],
)
def test_what_is_not_there_or_not_possible_is_an_operation_outcome(method, url, status):
    result = call(method, url)

    assert result.status == status
    assert result.diagnostics
    assert ("Allow" in result.headers) == (status == 405)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/json;q=0.9, application/fhir+xml", 200),
        ("text/html,*/*;q=0.8", 200),
        ("application/fhir+xml", 406),
        ("text/turtle", 406),
    ],
)
def test_only_json_is_served(accept, status):
    put(patient())
    assert get("Patient/alice", accept=accept).status == status


def test_format_in_the_url_wins_over_accept():
    put(patient())
    assert get("Patient/alice?_format=xml").status == 406
    assert get("Patient/alice?_format=json", accept="application/fhir+xml").status == 200
    assert post("Patient/_search?_format=xml", b"").status == 406
