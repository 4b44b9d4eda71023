"""An app sends something to the chart: FHIR create and update, receipts, and what is refused."""

import json
from datetime import timedelta

import pytest

from audit.models import AuditEvent
from consent import commands as consents
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands, dispatch
from tests import factories
from tests.writes.conftest import answers, clinician, command_of, in_chart, let_in, own

pytestmark = pytest.mark.django_db


def issues(response):
    return json.loads(response.content)["issue"]


def refused():
    return [e.reasons for e in AuditEvent.objects.filter(type="record:refuse").order_by("recorded_at")]


def test_a_reading_is_taken_in_with_a_receipt(app, alice, reading):
    response = app.post(reading(), x_client_version="4.2.1")

    assert response.status_code == 202
    command = command_of(response)
    task = json.loads(response.content)
    assert (task["resourceType"], task["status"], task["intent"]) == ("Task", "requested", "proposal")
    assert (command.status, command.kind, command.channel) == ("awaiting_review", "vital-signs", "smart")
    assert (command.client, command.client_version) == (app.consent.client, "4.2.1")
    assert (command.consent, command.consent_number) == (app.consent, 1)
    assert (command.author, command.has_key) == (alice.user, False)
    assert in_chart(alice) == []
    event = AuditEvent.objects.get(type="write:submit")
    assert (event.client, event.consent) == (
        f"Client/{app.consent.client.client_id}",
        f"Consent/{app.consent.pk}",
    )


def test_the_receipt_tells_how_it_stands_until_it_is_in_the_chart(app, alice, osei, reading):
    response = app.post(reading())
    address = response.headers["Content-Location"].rpartition("/r4/")[2]
    assert app.get(address).json()["businessStatus"]["coding"][0]["code"] == "awaiting_review"

    commands.approve(command_of(response), requester=clinician(osei, alice), by=osei)
    dispatch.send(command_of(response).id)

    task = app.get(address).json()
    (observation,) = in_chart(alice)
    assert task["status"] == "completed"
    assert task["output"][0]["valueReference"]["reference"].startswith(f"Observation/{observation['id']}")


def test_what_nobody_has_to_look_at_is_written_at_once(app, alice):
    response = app.post(answers(alice))

    (found,) = in_chart(alice, "QuestionnaireResponse")
    assert response.status_code == 201
    assert f"/QuestionnaireResponse/{found['id']}/_history/" in response.headers["Location"]
    assert command_of(response).status == "applied"


def test_respond_async_is_a_receipt_and_written_later(app, alice, monkeypatch):
    monkeypatch.setattr(dispatch, "STUCK", timedelta(seconds=-1))
    response = app.post(answers(alice), prefer="respond-async")

    assert response.status_code == 202
    assert command_of(response).status == "approved"
    dispatch.sweep()
    assert command_of(response).status == "applied"


def test_another_app_and_another_patient_see_no_receipt(app, alice, reading):
    response = app.post(reading())
    address = response.headers["Content-Location"].rpartition("/r4/")[2]

    assert let_in(alice).get(address).status_code == 404
    assert let_in(factories.mallory()).get(address).status_code == 404


def test_an_app_takes_back_what_waits_and_not_what_is_done(app, alice, reading):
    waiting, done = app.post(reading()), app.post(answers(alice))
    waiting_at, done_at = (r.headers["Content-Location"].rpartition("/r4/")[2] for r in (waiting, done))

    assert app.send("DELETE", waiting_at).status_code == 204
    assert app.send("DELETE", done_at).status_code == 409
    assert (command_of(waiting).status, command_of(done).status) == ("cancelled", "applied")
    assert AuditEvent.objects.filter(type="write:cancel").count() == 1


@pytest.mark.parametrize("scope", ["patient/*.rs", "patient/Observation.ru", "patient/Condition.c"])
def test_a_scope_that_does_not_write_writes_nothing(alice, reading, scope):
    response = let_in(alice, scope=scope).post(reading())

    assert response.status_code == 403
    assert issues(response)[0]["diagnostics"] == "scope-not-granted"


def test_a_consent_that_only_reads_writes_nothing(alice, reading):
    response = let_in(alice, can_write=False).post(reading())

    assert (response.status_code, issues(response)[0]["diagnostics"]) == (403, "no-consent")
    assert not WriteCommand.objects.exists()


def test_a_scope_for_one_category_takes_that_category_only(alice, reading):
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    app = let_in(alice, scope=f"patient/Observation.c?category={system}|vital-signs")
    life = [{"coding": [{"system": system, "code": "social-history"}]}]

    assert app.post(reading()).status_code == 202
    assert app.post(reading(category=life)).status_code == 403


def test_nothing_is_taken_after_a_revoke(app, alice, reading):
    consents.revoke(app.consent, by=alice.user)

    assert app.post(reading()).status_code == 401
    assert not WriteCommand.objects.exists()


@pytest.mark.parametrize(
    "kind", ["MedicationRequest", "DiagnosticReport", "Practitioner", "Provenance", "Binary"]
)
def test_what_is_read_only_is_405(app, kind):
    response = app.post({"resourceType": kind})

    assert response.status_code == 405
    assert not WriteCommand.objects.exists()


def test_a_laboratory_result_is_read_only_among_observations(app, alice):
    result = {k: v for k, v in factories.lab_result(alice).items() if k != "id"}

    assert app.post(result).status_code == 405


WRONG = [
    ({"status": None}, 422, "Observation.status"),
    ({"status": "nonsense"}, 422, "Observation.status"),
    ({"nonsense": 1}, 422, "Observation.nonsense"),
    ({"subject": None}, 403, "Observation.subject"),
    ({"subject": {"reference": "Patient/someone-else"}}, 403, "Observation.subject"),
    ({"performer": [{"reference": "Practitioner/dr-osei"}]}, 403, "Observation.performer[0]"),
    ({"performer": [{"display": "Dr. Osei"}]}, 403, "Observation.performer[0]"),
    ({"focus": [{"reference": "Patient/someone-else"}]}, 403, "Observation.focus[0].reference"),
    ({"contained": [{"resourceType": "Patient", "id": "p"}]}, 403, "Observation.contained[0]"),
    (
        {"contained": [{"resourceType": "Bundle", "id": "b", "type": "batch"}]},
        422,
        "Observation.contained[0]",
    ),
    ({"encounter": {"reference": "Encounter/of-somebody"}}, 422, "Observation.encounter.reference"),
    ({"implicitRules": "http://example.org/rules"}, 422, "Observation.implicitRules"),
    ({"effectiveDateTime": "2199-01-01"}, 422, "Observation.effectiveDateTime"),
    (
        {"identifier": [{"system": "https://chartkey.example/fhir/write-command", "value": "x"}]},
        422,
        "Observation.identifier[0].system",
    ),
    (
        {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]},
        422,
        "Observation.modifierExtension",
    ),
]


@pytest.mark.parametrize(("change", "status", "expression"), WRONG)
def test_A10_what_is_wrong_is_named_and_nothing_is_kept(app, reading, change, status, expression):
    response = app.post(reading(**change))

    assert response.status_code == status
    assert expression in [e for issue in issues(response) for e in issue.get("expression", [])]
    assert not WriteCommand.objects.exists()
    assert len(refused()) == 1


def test_impossible_values_and_units_are_named(app, reading):
    too_high, wrong_unit = reading(systolic=900), reading()
    wrong_unit["component"][0]["valueQuantity"]["code"] = "kPa"

    assert issues(app.post(too_high))[0]["expression"] == ["Observation.component[0].valueQuantity.value"]
    assert issues(app.post(wrong_unit))[0]["expression"] == ["Observation.component[0].valueQuantity.code"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[]", 400),
        ("{", 400),
        ('{"resourceType":"Observation","resourceType":"Observation"}', 400),
        ('{"resourceType":"Condition"}', 400),
        ('{"resourceType":"Observation","valueString":"' + "x" * 70_000 + '"}', 413),
        ('{"resourceType":"Observation","valueString":"' + "x" * 5_800_000 + '"}', 413),
    ],
)
def test_a_body_that_cannot_be_taken(app, body, status, reading):
    if status == 413 and len(body) < 1_000_000:
        body = json.dumps(reading(note=[{"text": "x" * 70_000}]))

    assert app.send("POST", "Observation", body).status_code == status
    assert not WriteCommand.objects.exists()


def test_a_document_must_be_what_it_says(alice):
    def submit(**attachment):
        return commands.submit(
            {
                "resourceType": "DocumentReference",
                "status": "current",
                "subject": {"reference": f"Patient/{factories.fhir_id(alice)}"},
                "content": [{"attachment": attachment}],
            },
            requester=own(alice),
            patient=alice,
            author=alice.user,
            channel="portal",
            idempotency_scope="portal/1",
            idempotency_key=str(attachment),
        )

    assert submit(contentType="image/png", data="iVBORw0KGgo=").origin == "document"
    for kind, data in {"image/png": "PGh0bWw+", "application/pdf": "JVBE", "text/html": "PGh0bWw+"}.items():
        with pytest.raises(commands.InvalidResource) as refusal:
            submit(contentType=kind, data=data)
        assert refusal.value.wrong[0].expression.startswith("DocumentReference.content[0].attachment")
    with pytest.raises(commands.InvalidResource):
        submit(contentType="image/png", url="http://example.org/photo.png")


def test_numbers_keep_their_digits_and_what_is_not_the_apps_to_say_is_left_out(app, alice, osei, reading):
    body = json.dumps(reading(id="x", text={"status": "generated", "div": "<div>Hi</div>"}))
    response = app.send("POST", "Observation", body.replace('"value": 128', '"value": 128.50'))

    command = command_of(response)
    assert sorted(command.transformations) == ["id-left-out", "narrative-left-out"]
    assert '"value":128.50' in command.resource
    assert "<div>" not in command.resource


class TestUpdates:
    @pytest.fixture
    def stored(self, app, alice, osei, reading):
        """A reading that is in the chart, and the ETag that the app read."""
        command = command_of(app.post(reading()))
        commands.approve(command, requester=clinician(osei, alice), by=osei)
        dispatch.send(command.id)
        (found,) = in_chart(alice)
        response = app.get(f"Observation/{found['id']}")
        return response.json(), response.headers["ETag"]

    def test_an_update_says_which_version_it_saw(self, app, stored):
        resource, etag = stored

        assert app.put(resource).status_code == 428
        assert app.put(resource, if_match="1").status_code == 400
        assert app.put(resource, if_match='W/"99"').status_code == 412
        assert app.put(resource, if_match=etag).status_code == 202
        assert refused() == [["request.428"], ["request.400"], ["request.412"]]

    def test_an_update_that_was_approved_changes_the_chart(self, app, alice, osei, stored):
        resource, etag = stored
        response = app.put(resource | {"note": [{"text": "After coffee"}]}, if_match=etag)
        command = command_of(response)

        commands.approve(command, requester=clinician(osei, alice), by=osei)
        assert dispatch.send(command.id).status == "applied"
        (found,) = in_chart(alice)
        assert found["note"] == [{"text": "After coffee"}]
        assert found["meta"]["versionId"] != resource["meta"]["versionId"]

    def test_the_id_in_the_body_is_the_one_in_the_address(self, app, stored):
        resource, etag = stored

        response = app.send("PUT", f"Observation/{resource['id']}", resource | {"id": "other"}, if_match=etag)

        assert (response.status_code, issues(response)[0]["expression"]) == (400, ["Observation.id"])

    def test_what_is_not_hers_is_not_there(self, app, reading):
        mallory = factories.mallory()
        theirs = factories.lab_result(mallory)
        response = app.put(reading(id=theirs["id"]), if_match='W/"1"')

        assert response.status_code == 404
        nothing = app.put(reading(id="nothing"), if_match='W/"1"')
        assert (nothing.status_code, nothing.content) == (404, response.content)


def test_a_conditional_create_is_not_served(app, reading):
    assert app.post(reading(), if_none_exist="identifier=x").status_code == 400


def test_A10_a_batch_takes_no_changes(app, reading):
    entry = {"request": {"method": "POST", "url": "Observation"}, "resource": reading()}
    for kind in ("batch", "transaction"):
        app.send("POST", "", {"resourceType": "Bundle", "type": kind, "entry": [entry]})

    assert not WriteCommand.objects.exists()


def test_no_log_line_says_what_was_sent(app, reading, caplog):
    app.post(reading(note=[{"text": "SECRET-WORD"}], status="nonsense"))

    assert "SECRET-WORD" not in caplog.text
