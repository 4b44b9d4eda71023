"""Create, update and delete, and what is refused."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.fhirstore.calls import call, get, observation, patient, post, put


@pytest.mark.django_db
class TestCreate:
    def test_create_gives_an_id_and_a_place(self):
        result = post("Patient", {"resourceType": "Patient", "active": True})

        fhir_id = result.json["id"]
        assert result.status == 201
        assert result.headers["Location"] == f"http://testserver/fhir/r4/Patient/{fhir_id}/_history/1"
        assert result.headers["ETag"] == 'W/"1"'
        assert get(f"Patient/{fhir_id}").body == result.body

    def test_create_does_not_take_the_id_of_the_client(self):
        assert post("Patient", patient("alice")).json["id"] != "alice"

    @pytest.mark.parametrize(
        ("prefer", "kind"),
        [("return=minimal", None), ("return=representation", "Patient"),
         ("respond-async, return=OperationOutcome", "OperationOutcome")],
    )  # fmt: skip
    def test_prefer_says_what_comes_back(self, prefer, kind):
        result = post("Patient", {"resourceType": "Patient"}, prefer=prefer)

        assert result.status == 201
        assert (result.json["resourceType"] if result.body else None) == kind

    def test_create_costs_few_statements(self, django_assert_max_num_queries):
        with django_assert_max_num_queries(6):  # savepoint, look, insert, dates, strings, release
            post("Patient", patient())

    def test_create_only_where_nothing_fits(self):
        person = {"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": "7"}]}
        first = post("Patient", person, if_none_exist="identifier=urn:mrn|7")
        second = post("Patient", person, if_none_exist="identifier=urn:mrn|7")
        post("Patient", person)
        third = post("Patient", person, if_none_exist="identifier=urn:mrn|7")

        assert [first.status, second.status, third.status] == [201, 200, 412]
        assert second.json["id"] == first.json["id"]

    @pytest.mark.parametrize("criteria", ["_count=1", "nonsense=1", "identifier="])
    def test_criteria_that_say_nothing_are_refused(self, criteria):
        assert post("Patient", {"resourceType": "Patient"}, if_none_exist=criteria).status == 400


def test_fifty_conditional_creates_at_once_create_one(committed):
    person = {"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": "race"}]}

    def create(_: int) -> int:
        try:
            return post("Patient", person, if_none_exist="identifier=urn:mrn|race").status
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        statuses = sorted(pool.map(create, range(50)))

    assert statuses == [200] * 49 + [201]
    assert len(get("Patient?identifier=urn:mrn|race").ids) == 1


def test_creating_one_id_at_once_makes_one_resource(committed):
    def create(number: int) -> int:
        try:
            return call("PUT", "Patient/alice", patient(multipleBirthInteger=number)).status
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(create, range(10)))

    kept = statuses.count(200) + statuses.count(201)
    assert statuses.count(201) == 1
    assert kept + statuses.count(409) == 10
    assert get("Patient/alice").json["meta"]["versionId"] == str(kept)


def test_twenty_updates_of_one_version_leave_one_winner(committed):
    put(patient())

    def update(number: int) -> int:
        try:
            body = patient(multipleBirthInteger=number)
            return call("PUT", "Patient/alice", body, if_match='W/"1"').status
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(update, range(20)))

    assert statuses == [200] + [412] * 19


@pytest.mark.django_db
class TestUpdate:
    def test_update_creates_under_the_id_of_the_client(self):
        result = call("PUT", "Patient/alice", patient())
        assert (result.status, result.headers["ETag"]) == (201, 'W/"1"')

    def test_update_makes_a_version(self):
        put(patient())
        result = call("PUT", "Patient/alice", patient(active=True))
        assert (result.status, result.headers["ETag"]) == (200, 'W/"2"')

    def test_update_with_the_same_content_makes_none(self):
        first = put(patient(meta={"tag": [{"code": "x"}]}))
        again = put(first.json)

        assert again.headers["ETag"] == 'W/"1"'
        assert again.body == first.body == get("Patient/alice").body

    def test_update_moves_the_index_along(self):
        put(observation("o1"))
        put(observation("o1", code={"coding": [{"code": "other"}]}, effectiveDateTime="2001"))

        assert get("Observation?code=2093-3").ids == []
        assert get("Observation?code=other&date=2001").ids == ["o1"]

    def test_update_of_another_version_than_thought_is_refused(self):
        put(patient())
        put(patient(active=True))

        stale = call("PUT", "Patient/alice", patient(active=False), if_match='W/"1"')

        assert stale.status == 412
        assert "version 2" in stale.diagnostics
        assert call("PUT", "Patient/alice", patient(active=False), if_match='W/"2"').status == 200
        assert call("PUT", "Patient/new", patient("new"), if_match='W/"1"').status == 412
        assert call("PUT", "Patient/alice", patient(), if_match="yesterday").status == 400

    def test_update_brings_back_what_was_deleted(self):
        put(patient())
        call("DELETE", "Patient/alice")

        result = call("PUT", "Patient/alice", patient())

        assert (result.status, result.headers["ETag"]) == (201, 'W/"3"')
        assert get("Patient?family=moreno").ids == ["alice"]

    def test_conditional_update_finds_creates_or_refuses(self):
        person = {"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": "7"}]}
        url = "Patient?identifier=urn:mrn|7"

        created = call("PUT", url, person)
        updated = call("PUT", url, person | {"active": True})
        other_id = call("PUT", url, person | {"id": "someone-else"})
        post("Patient", person)
        several = call("PUT", url, person)

        assert [r.status for r in (created, updated, other_id, several)] == [201, 200, 400, 412]
        assert created.json["id"] == updated.json["id"]

    def test_the_ids_must_agree(self):
        assert call("PUT", "Patient/alice", patient("bob")).status == 400
        assert call("PUT", "Patient/alice", {"resourceType": "Patient"}).status == 400
        assert call("PUT", "Patient/al_ice", patient("al_ice")).status == 422


@pytest.mark.django_db
class TestDelete:
    def test_delete_can_be_repeated(self):
        put(patient())
        assert [call("DELETE", "Patient/alice").status for _ in range(2)] == [204, 204]
        assert call("DELETE", "Patient/nobody").status == 204

    def test_delete_of_another_version_than_thought_is_refused(self):
        put(patient())
        assert call("DELETE", "Patient/alice", if_match='W/"9"').status == 412
        assert get("Patient/alice").status == 200


DEEP = b'{"resourceType":"Patient","x":' + b"[" * 101 + b"]" * 101 + b"}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b'"Patient"', 400),
        (b'{"resourceType":"Patient","a":NaN}', 400),
        (b'{"resourceType":"Patient","a":1,"a":2}', 400),
        (b'{"resourceType":"Patient","a":[{"b":1,"b":1}]}', 400),
        (b'{"resourceType":"Patient","a":"\xff"}', 400),
        (b'{"resourceType":"Patient","a":"\\ud800"}', 400),
        (b'{"resourceType":"Patient","a":"\\u0000"}', 400),
        (DEEP, 400),
        (b"[" * 100_000, 400),
        (b"{}", 422),
        (b'{"resourceType":"Unicorn"}', 422),
        (b'{"resourceType":["Patient"]}', 422),
        (b'{"resourceType":"Observation"}', 422),
        (b'{"resourceType":"Patient","id":"a/b"}', 422),
        (b'{"resourceType":"Patient","meta":[]}', 422),
        (b'{"resourceType":"Patient","birthDate":"last summer"}', 422),
        (b'{"resourceType":"Patient","birthDate":"2026-02-30"}', 422),
        (b'{"resourceType":"Patient","managingOrganization":{"reference":7}}', 422),
        (b'{"resourceType":"Patient","identifier":[7]}', 422),
        (b'{"resourceType":"Patient","link":[{"other":"Patient/1"},{"other":7}]}', 422),
        (b'{"resourceType":"Patient","identifier":[{"system":[],"value":"x"}]}', 422),
    ],
)  # fmt: skip
def test_what_is_not_a_resource_is_refused_and_not_kept(body, status):
    result = post("Patient", body)

    assert result.status == status
    assert 0 < len(result.diagnostics) < 300
    assert get("Patient").ids == []


@pytest.mark.django_db
def test_a_reference_without_a_target_is_kept():
    body = observation("o1", subject={"display": "somebody"})
    assert post("Observation", body).status == 201


@pytest.mark.django_db
def test_a_body_of_another_kind_is_refused():
    body = json.dumps(patient()).encode()
    assert post("Patient", body, content_type="application/fhir+xml").status == 415
    assert post("Patient", body, content_type="application/json-patch+json").status == 415
    assert post("Patient", body, content_type="application/fhir+json; charset=utf-8").status == 201


@pytest.mark.django_db
def test_an_escaped_backslash_before_u0000_is_text():
    result = post("Patient", rb'{"resourceType":"Patient","name":[{"text":"\\u0000"}]}')
    assert result.status == 201
    assert result.json["name"][0]["text"] == r"\u0000"
