"""Batch and transaction Bundles."""

import pytest

from tests.fhirstore.calls import bundle, call, entry, get, observation, patient, post, put

pytestmark = pytest.mark.django_db

ALICE, READING = (
    "urn:uuid:0f7e3c1c-0000-4000-8000-000000000001",
    "urn:uuid:0f7e3c1c-0000-4000-8000-000000000002",
)


def send(kind, *entries, **headers):
    return post("", bundle(kind, *entries), **headers)


def statuses(result):
    return [each["response"]["status"][:3] for each in result.json["entry"]]


def new_patient(**more):
    return {"resourceType": "Patient"} | more


class TestTransaction:
    def test_references_within_the_bundle_become_real_ones(self):
        reading = observation("ignored", subject={"reference": ALICE}, derivedFrom=[{"reference": READING}])
        result = send(
            "transaction",
            entry("POST", "Observation", reading, READING),
            entry("POST", "Patient", new_patient(), ALICE),
        )

        assert statuses(result) == ["201", "201"]
        kept = get("Observation").json["entry"][0]["resource"]
        assert kept["subject"]["reference"] == f"Patient/{get('Patient').ids[0]}"
        assert kept["derivedFrom"][0]["reference"] == f"Observation/{kept['id']}"
        assert result.json["entry"][0]["response"]["location"].endswith(
            f"Observation/{kept['id']}/_history/1"
        )

    def test_answers_come_in_the_order_of_the_entries_not_of_the_work(self):
        put(patient("bob"))
        result = send(
            "transaction",
            entry("GET", "Patient?_id=alice,bob"),
            entry("PUT", "Patient/alice", patient()),
            entry("POST", "Observation", observation("x")),
            entry("DELETE", "Patient/bob"),
        )

        assert statuses(result) == ["200", "201", "201", "204"]
        seen = result.json["entry"][0]["resource"]
        assert [each["resource"]["id"] for each in seen["entry"]] == ["alice"]

    @pytest.mark.parametrize(
        "bad",
        [
            entry("POST", "Patient", new_patient(birthDate="soon")),
            entry("POST", "Patient", {"resourceType": "Unicorn"}),
            entry("POST", "Observation", new_patient()),
            entry("POST", "Patient"),
            entry("PUT", "Patient/a", patient("b")),
            entry("PUT", "Patient", patient("b")),
            entry("PATCH", "Patient/a", patient("a")),
            entry("DELETE", "Patient"),
            entry("GET", "Unicorn"),
            entry("GET", "Patient/nobody"),
            entry("POST", "Observation", observation("x", subject={"reference": "urn:uuid:nobody"})),
            entry("POST", "Observation", observation("x", subject={"reference": "Patient?identifier=none"})),
            entry("POST", "Patient", new_patient(), ifNoneExist="nonsense=1"),
            entry("PUT", "Patient/b", patient("b"), ifMatch='W/"3"'),
            entry("PUT", "Patient/alice", patient("alice", active=True)),  # as the good one does
            {"resource": new_patient()},
            entry("POST", "http://[", new_patient()),
            entry("GET", "http://["),
            "an entry",
        ],
    )
    def test_one_bad_entry_keeps_all_out_and_is_named(self, bad):
        result = send("transaction", entry("PUT", "Patient/alice", patient()), bad)

        assert result.status in {400, 404, 412, 422}
        assert result.json["issue"][0]["expression"][0].startswith("Bundle.entry[1]")
        assert get("Patient").ids == []
        assert get("Observation").ids == []

    def test_conditional_references_find_what_is_there(self):
        put(patient(identifier=[{"system": "urn:mrn", "value": "7"}]))
        reading = observation("x", subject={"reference": "Patient?identifier=urn:mrn|7"})

        send("transaction", entry("POST", "Observation", reading))

        assert get("Observation?patient=alice").json["total"] == 1

    def test_conditional_references_find_what_the_transaction_itself_makes(self):
        reading = observation("x", subject={"reference": "Patient?identifier=urn:mrn|7"})
        person = new_patient(identifier=[{"system": "urn:mrn", "value": "7"}])

        result = send("transaction", entry("POST", "Observation", reading), entry("POST", "Patient", person))

        assert statuses(result) == ["201", "201"]
        [made] = get("Patient").ids
        assert get(f"Observation?patient={made}").json["total"] == 1

    def test_a_conditional_reference_that_finds_nothing_leaves_nothing_of_the_transaction(self):
        reading = observation("x", subject={"reference": "Patient?identifier=urn:mrn|8"})
        person = new_patient(identifier=[{"system": "urn:mrn", "value": "7"}])

        assert (
            send(
                "transaction", entry("POST", "Observation", reading), entry("POST", "Patient", person)
            ).status
            == 412
        )
        assert get("Patient").ids == []

    def test_a_conditional_reference_to_several_is_refused(self):
        for fhir_id in ("alice", "bob"):
            put(patient(fhir_id, active=True))
        reading = observation("x", subject={"reference": "Patient?active=true"})

        assert send("transaction", entry("POST", "Observation", reading)).status == 412

    def test_what_exists_is_not_created_and_is_referred_to(self):
        put(patient(identifier=[{"value": "7"}]))
        result = send(
            "transaction",
            entry(
                "POST", "Patient", new_patient(identifier=[{"value": "7"}]), ALICE, ifNoneExist="identifier=7"
            ),
            entry("POST", "Observation", observation("x", subject={"reference": ALICE})),
        )

        assert statuses(result) == ["200", "201"]
        assert get("Patient").ids == ["alice"]
        assert get("Observation?patient=alice").json["total"] == 1

    def test_conditional_update_within(self):
        put(patient(identifier=[{"value": "7"}]))
        person = new_patient(identifier=[{"value": "7"}], active=True)

        result = send("transaction", entry("PUT", "Patient?identifier=7", person, ALICE))

        assert statuses(result) == ["200"]
        assert get("Patient/alice").json["active"] is True

    def test_prefer_representation_gives_the_resources(self):
        result = send("transaction", entry("PUT", "Patient/alice", patient()), prefer="return=representation")
        assert result.json["entry"][0]["resource"]["id"] == "alice"

    def test_a_hundred_creates_cost_as_many_statements_as_one(self, django_assert_num_queries):
        one = bundle("transaction", entry("POST", "Observation", observation("x")))
        hundred = bundle("transaction", *(entry("POST", "Observation", observation("x")) for _ in range(100)))
        for each in (one, hundred):
            with django_assert_num_queries(5):  # savepoint, look, insert, quantities, release
                assert post("", each).status == 200
        assert get("Observation?_summary=count").json["total"] == 101


class TestBatch:
    def test_each_entry_stands_for_itself(self):
        result = send(
            "batch",
            entry("PUT", "Patient/alice", patient()),
            entry("PUT", "Patient/bob", new_patient(id="bob", birthDate="soon")),
            entry("GET", "Patient/alice"),
            entry("GET", "Patient/nobody"),
            "an entry",
        )

        assert statuses(result) == ["201", "422", "200", "404", "400"]
        assert result.json["entry"][1]["response"]["outcome"]["issue"][0]["code"] == "value"
        assert result.json["entry"][2]["resource"]["id"] == "alice"
        assert get("Patient").ids == ["alice"]

    def test_conditional_headers_are_honoured(self):
        put(patient())
        result = send(
            "batch",
            entry("PUT", "Patient/alice", patient(active=True), ifMatch='W/"9"'),
            entry("GET", "Patient/alice", ifNoneMatch='W/"1"'),
        )
        assert statuses(result) == ["412", "304"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"{}", 422),
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Bundle"}, 400),
        ({"resourceType": "Bundle", "type": "searchset"}, 400),
        ({"resourceType": "Bundle", "type": ["batch"]}, 400),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, 400),
        ({"resourceType": "Bundle", "type": "transaction", "entry": [{}] * 10_001}, 400),
    ],
)
def test_what_is_not_a_bundle_to_process_is_refused(body, status):
    assert post("", body).status == status


def test_an_empty_transaction_is_answered():
    assert post("", {"resourceType": "Bundle", "type": "transaction"}).json == {
        "resourceType": "Bundle",
        "type": "transaction-response",
    }


def test_bundles_do_not_nest():
    inner = entry("POST", "", bundle("transaction"))
    assert statuses(send("batch", inner)) == ["400"]
    assert send("transaction", inner).status == 400
    assert call("GET", "Bundle").ids == []


def test_one_full_url_for_two_is_refused_for_nobody_knows_whose_a_record_would_be():
    before = get("Observation?_summary=count").json["total"]
    named = {"fullUrl": "urn:uuid:11111111-1111-4111-8111-111111111111"}
    result = observation("x", subject={"reference": named["fullUrl"]})
    sent = bundle(
        "transaction",
        entry("POST", "Patient", {"resourceType": "Patient", "gender": "female"}) | named,
        entry("POST", "Patient", {"resourceType": "Patient", "gender": "male"}) | named,
        entry("POST", "Observation", result),
    )

    answer = post("", sent)

    assert (answer.status, answer.json["issue"][0]["code"]) == (400, "duplicate")
    assert answer.json["issue"][0]["expression"] == ["Bundle.entry[1]"]
    assert get("Observation?_summary=count").json["total"] == before
