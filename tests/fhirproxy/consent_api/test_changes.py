"""FHIR Consent over HTTP: what the patient's own session makes and changes."""

import pytest
from django.test import Client as Browser

from accounts import stepup
from accounts.stepup import Action, Policy
from audit.models import AuditEvent
from consent import commands, fhir
from consent.decision import ProvisionType
from consent.models import Consent
from consent.provisions import read_back
from consent.versions import Act
from consent.vocabulary import ACT_REASON
from notices.models import Notice
from tests import factories
from tests.fhirproxy.consents import (
    ORGANIZATION,
    a_consent,
    ask,
    last_event,
    permit,
    refused_by,
    to_acme,
    with_version,
    without,
)

pytestmark = pytest.mark.django_db
OLD = Policy(max_age=-60)  # no sign-in is fresh enough


def test_the_patient_shares_by_post(alice, session):
    response = ask("POST", "", a_consent(alice, permit(ORGANIZATION)), browser=session)

    assert response.status_code == 201, response.content
    consent = Consent.objects.get()
    assert response["Location"] == f"http://testserver/fhir/r4/Consent/{consent.pk}/_history/1"
    assert response["ETag"] == 'W/"1"'
    assert (consent.kind, consent.recipient, consent.status) == ("share", "Organization/eye-clinic", "active")
    assert consent.current.channel == "fhir"
    assert consent.current.text_shown == ""
    assert response.json() == ask("GET", f"/{consent.pk}", browser=session).json()


def test_the_patient_lets_an_app_in_and_is_told_of_it(alice, session):
    ask("POST", "", a_consent(alice, permit(to_acme(), "demographics")), browser=session)

    consent = Consent.objects.get()
    assert (consent.kind, consent.is_active) == ("app", True)
    assert Notice.objects.filter(kind="app_connected").exists()
    assert consent.current.permit.categories == {"demographics"}
    # As on the consent page: contact details are a kind of their own.
    assert "Patient.address" in consent.current.permit.redacts


def test_the_patient_names_a_helper(alice, session):
    relation = factories.helps(factories.create_user("Amir Moreno"), alice, "SPS")
    helper = {"reference": f"RelatedPerson/{relation.pk}"}

    assert ask("POST", "", a_consent(alice, permit(helper)), browser=session).status_code == 201
    assert Consent.objects.get().helper == relation


def test_the_patient_makes_a_choice(alice, session):
    chosen = a_consent(
        alice,
        category=[fhir.concept(fhir.DIRECTIVE, "research")],
        provision={"type": "permit", "purpose": [{"system": ACT_REASON, "code": "HRESCH"}]},
    )

    assert ask("POST", "", chosen, browser=session).status_code == 201
    consent = Consent.objects.get()
    assert (consent.kind, consent.directive, consent.status) == ("preference", "research", "active")


@pytest.mark.parametrize("category", [[], [fhir.concept(fhir.DIRECTIVE, "restriction")]])
def test_a_limit_for_the_clinic_waits_for_the_clinic(alice, session, category):
    asked = a_consent(alice, category=category, provision={"type": "deny"})
    response = ask("POST", "", asked, browser=session)

    assert (response.status_code, response.json()["status"]) == (201, "proposed")
    consent = Consent.objects.get()
    assert (consent.kind, consent.status) == ("restriction", "proposed")
    said_yes = response.json() | {"status": "active"}
    answer = ask("PUT", f"/{consent.pk}", said_yes, browser=session, **with_version(consent))
    assert refused_by(answer) == (422, "Consent.status")
    consent.refresh_from_db()
    assert consent.status == "proposed"


def test_a_limit_can_name_whom_it_leaves_alone(alice, session):
    asked = a_consent(
        alice,
        permit({"reference": "Practitioner/1"}),
        permit({"reference": "Practitioner/2"}),
        category=[fhir.concept(fhir.DIRECTIVE, "restriction")],
    )

    assert ask("POST", "", asked, browser=session).status_code == 201
    denial, *_ = read_back(Consent.objects.get().current.provisions)
    assert denial.type is ProvisionType.DENY
    assert len(denial.exceptions) == 2


def test_F14_a_double_click_makes_one_consent(alice, session):
    resource = a_consent(alice, permit(ORGANIZATION))
    answers = [ask("POST", "", resource, browser=session) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert Consent.objects.get().current_number == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 415),
        ("{", 400),
        ("[]", 400),
        ('{"resourceType": "Patient"}', 400),
        ('{"resourceType": "Consent", "status": "\\u0000"}', 400),
        ('{"resourceType": "Consent", "status": "\\ud800"}', 400),
        ('{"resourceType": "Consent", "x": 1e999}', 400),
        ('{"resourceType": "Consent", "x": 99999999999999999999}', 400),
        ("[" * 50_000, 400),
        ('{"x": "' + "x" * 65_536 + '"}', 413),
        (b"\xff", 400),
    ],
)
def test_a_body_that_is_no_consent_is_refused(session, body, status):
    assert ask("POST", "", body, browser=session).status_code == status


def test_A10_a_consent_of_another_patient_is_as_if_there_were_none(alice, session, token):
    mallory = factories.create_patient("Mallory Quinn")
    before = Consent.objects.count()
    for who in ({"browser": session}, {"token": token}):
        theirs = ask("POST", "", a_consent(mallory, permit(ORGANIZATION)), **who)
        nobodys = a_consent(mallory, permit(ORGANIZATION)) | {"patient": {"reference": "Patient/nobody"}}
        assert theirs.status_code == 404
        assert theirs.content == ask("POST", "", nobodys, **who).content
    assert Consent.objects.count() == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/x", 405),
        ("PATCH", "/x", 405),
        ("POST", "/x", 405),
        ("PUT", "", 405),
        ("DELETE", "", 405),
        ("HEAD", "", 405),
        ("PUT", "/x/_history/1", 405),
        ("GET", "/x/$expire", 401),  # the EHR's side of the gate, which no session opens
        ("POST", "?status=active", 400),
        ("GET", "/x?_elements=id", 400),
    ],
)
def test_what_is_not_served_is_refused(session, method, path, status):
    response = ask(method, path, browser=session)

    assert response.status_code == status
    if status == 405:
        assert response["Allow"]


def test_a_conditional_create_is_refused(alice, session):
    resource = a_consent(alice, permit(ORGANIZATION))
    response = ask("POST", "", resource, browser=session, **{"if-none-exist": "status=active"})

    assert response.status_code == 400
    assert not Consent.objects.exists()


def test_a_consent_is_sent_as_json(alice, session):
    response = session.post("/fhir/r4/Consent", {"status": "active"})

    assert response.status_code == 415


def test_A16_a_page_elsewhere_cannot_change_anything(alice):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(alice.user)
    response = ask("POST", "", a_consent(alice, permit(ORGANIZATION)), browser=browser)

    assert response.status_code == 403
    assert response.json()["resourceType"] == "OperationOutcome"
    assert not Consent.objects.exists()
    assert ask("GET", browser=browser).status_code == 200


# Update


def test_the_patient_amends_what_she_shares(alice, session):
    created = ask("POST", "", a_consent(alice, permit(ORGANIZATION)), browser=session)
    consent = Consent.objects.get()
    changed = created.json() | {"provision": {"type": "deny", "provision": [permit(ORGANIZATION, "visits")]}}
    response = ask("PUT", f"/{consent.pk}", changed, browser=session, **with_version(consent))

    assert response.status_code == 200, response.content
    assert response["ETag"] == 'W/"2"'
    consent.refresh_from_db()
    assert consent.current.permit.categories == {"visits"}
    assert last_event().type == "consent:amend"


def test_the_patient_ends_a_consent_and_every_token_behind_it(alice, session, privacy, token):
    resource = ask("GET", f"/{privacy.pk}", browser=session).json() | {"status": "inactive"}
    response = ask("PUT", f"/{privacy.pk}", resource, browser=session, **with_version(privacy))

    assert (response.status_code, response.json()["status"]) == (200, "inactive")
    privacy.refresh_from_db()
    assert privacy.revoked_by == alice.user
    assert ask("GET", token=token).status_code == 401


def test_an_update_says_which_version_it_saw(alice, session, privacy):
    resource = ask("GET", f"/{privacy.pk}", browser=session).json()

    def put(**headers):
        return ask("PUT", f"/{privacy.pk}", resource, browser=session, **headers).status_code

    assert put() == 428
    assert put(**{"if-match": "*"}) == 400
    assert put(**{"if-match": 'W/"2"'}) == 412
    assert put(**{"if-match": '"1"'}) == 200
    assert put(**{"if-match": 'W/"1"'}) == 412


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "proposed"}, "status"),
        ({"status": "entered-in-error"}, "status"),
        ({"status": "inactive", "organization": [ORGANIZATION]}, "organization"),
        ({"provision": {"type": "deny", "provision": [permit(ORGANIZATION)]}}, "provision"),
    ],
)
def test_an_update_that_cannot_be_is_refused(session, privacy, changes, field):
    resource = ask("GET", f"/{privacy.pk}", browser=session).json() | changes
    response = ask("PUT", f"/{privacy.pk}", resource, browser=session, **with_version(privacy))

    assert refused_by(response) == (422, f"Consent.{field}")
    privacy.refresh_from_db()
    assert privacy.current_number == 1


def test_what_has_ended_stays_so(alice, session, privacy):
    commands.revoke(privacy, by=alice.user)
    privacy.refresh_from_db()
    for status in ("active", "inactive"):
        resource = ask("GET", f"/{privacy.pk}", browser=session).json() | {"status": status}
        response = ask("PUT", f"/{privacy.pk}", resource, browser=session, **with_version(privacy))
        assert refused_by(response) == (422, "Consent.status")


def test_what_is_paused_is_not_ended_by_sending_it_back(alice, session, privacy):
    commands.pause_all(alice, act=Act(by=alice.user, channel="portal"))
    privacy.refresh_from_db()
    read = ask("GET", f"/{privacy.pk}", browser=session).json()

    def put(resource):
        return refused_by(ask("PUT", f"/{privacy.pk}", resource, browser=session, **with_version(privacy)))

    assert read["status"] == "inactive"
    assert put(read) == (422, "Consent.extension")
    assert put(read | {"status": "active"}) == (422, "Consent.status")
    ended = ask("PUT", f"/{privacy.pk}", without(read, "extension"), browser=session, **with_version(privacy))
    assert ended.status_code == 200


def test_an_update_of_somebody_elses_or_under_another_id_is_refused(alice, session):
    theirs = factories.create_consent(factories.create_patient("Mallory Quinn"))
    resource = a_consent(alice, permit(ORGANIZATION)) | {"id": str(theirs.pk)}

    assert ask("PUT", f"/{theirs.pk}", resource, browser=session, **with_version(theirs)).status_code == 404
    assert ask("PUT", "/other", resource, browser=session, **with_version(theirs)).status_code == 400


def test_A15_sharing_through_FHIR_takes_the_proof_that_it_takes_on_the_page(alice, session, monkeypatch):
    monkeypatch.setattr("accounts.stepup.POLICIES", {**stepup.POLICIES, Action.SHARE: OLD})
    made = ask("POST", "", a_consent(alice, permit(ORGANIZATION)), browser=session)

    assert made.status_code == 403
    assert not Consent.objects.exists()


def test_a_proof_stands_in_the_event(alice, session):
    ask("POST", "", a_consent(alice, permit(ORGANIZATION)), browser=session)

    granted = AuditEvent.objects.get(type="consent:grant")
    assert granted.context["stepup_action"] == "share"


def test_ending_takes_none(alice, session, monkeypatch):
    ask("POST", "", a_consent(alice, permit(ORGANIZATION)), browser=session)
    monkeypatch.setattr("accounts.stepup.POLICIES", {**stepup.POLICIES, Action.SHARE: OLD})
    consent = Consent.objects.get()
    resource = ask("GET", f"/{consent.pk}", browser=session).json() | {"status": "inactive"}

    answer = ask("PUT", f"/{consent.pk}", resource, browser=session, **{"If-Match": 'W/"1"'})
    assert answer.status_code == 200
