"""FHIR Consent over HTTP: what the patient's own session makes and changes, and what a client can ask for."""

import pytest
from django.test import Client as Browser

from consent import commands, fhir
from consent.decision import ProvisionType
from consent.models import Consent
from consent.provisions import read_back
from consent.versions import Act
from consent.vocabulary import ACT_REASON, Category
from fhirproxy import consent_changes
from notices.models import Notice
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.consents import (
    ALL,
    ORGANIZATION,
    a_consent,
    ask,
    last_event,
    permit,
    privacy_consent,
    refused_by,
    session_of,
    to_acme,
    with_version,
    without,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.create_patient("Alice Moreno")


@pytest.fixture
def session(alice):
    return session_of(alice)


@pytest.fixture
def privacy(alice):
    return privacy_consent(alice)


@pytest.fixture
def token(privacy):
    return issue(privacy, ALL)


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


# A client


def test_what_a_client_makes_is_only_proposed(alice, privacy, token):
    response = ask("POST", "", a_consent(alice, permit(to_acme())), token=token)

    assert (response.status_code, response.json()["status"]) == (201, "proposed")
    consent = Consent.objects.get(status="proposed")
    assert not consent.is_active
    event = last_event()
    assert (event.type, event.actor) == ("consent:propose", f"Client/{privacy.client.client_id}")
    assert (event.role, event.on_behalf_of) == ("client", f"User/{alice.user.pk}")
    assert not Notice.objects.filter(kind="app_connected", context={"app": "Other"}).exists()


@pytest.mark.parametrize("yes", [True, False])
def test_a_proposal_holds_once_the_patient_said_yes(alice, token, session, yes):
    ask("POST", "", a_consent(alice, permit(ORGANIZATION), status="proposed"), token=token)
    consent = Consent.objects.get(status="proposed")
    proposed = ask("GET", f"/{consent.pk}", browser=session).json()
    answer = proposed | {"status": "active" if yes else "rejected"}
    changed = answer | {"provision": {"type": "deny", "provision": [permit(ORGANIZATION, "notes")]}}

    refused = ask("PUT", f"/{consent.pk}", changed, browser=session, **with_version(consent))
    assert refused_by(refused) == (422, "Consent.provision")
    response = ask("PUT", f"/{consent.pk}", answer, browser=session, **with_version(consent))
    assert response.json()["status"] == answer["status"]
    assert last_event().type == "consent:answer"


def test_a_client_cannot_say_yes_to_its_own_proposal(alice, token):
    proposed = ask("POST", "", a_consent(alice, permit(ORGANIZATION)), token=token).json()
    consent = Consent.objects.get(status="proposed")
    for status in ("active", "rejected", "proposed"):
        response = ask(
            "PUT", f"/{consent.pk}", proposed | {"status": status}, token=token, **with_version(consent)
        )
        assert refused_by(response) == (422, "Consent.status")


def test_a_client_cannot_widen_its_own_consent(alice, privacy, token):
    resource = ask("GET", f"/{privacy.pk}", token=token).json()
    resource["provision"]["provision"][0]["code"] = [fhir.concept(fhir.DATA_CATEGORY, "notes")]
    response = ask("PUT", f"/{privacy.pk}", resource, token=token, **with_version(privacy))

    assert refused_by(response) == (422, "Consent.status")


def test_a_client_may_end_a_consent_and_is_told_no_more(alice, privacy, token):
    other = factories.create_consent(alice)
    resource = without(a_consent(alice, id=str(other.pk), status="inactive"), "provision", "category")
    resource["category"] = other.current.as_fhir()["category"]
    response = ask("PUT", f"/{other.pk}", resource, token=token, **with_version(other))

    assert (response.status_code, response.content) == (200, b"")
    other.refresh_from_db()
    assert (other.status, other.revoked_by) == ("inactive", alice.user)
    event = last_event()
    assert (event.type, event.actor) == ("consent:revoke", f"Client/{privacy.client.client_id}")


def test_a_client_cannot_end_what_denies(alice, token):
    act = Act(by=alice.user, channel="portal")
    opted_out = commands.prefer(patient=alice, directive="treatment", permit=False, act=act)
    limit = commands.ask_restriction(patient=alice, provision={"type": "deny"}, act=act)
    for consent in (opted_out, commands.answer(limit, agreed=True, act=act)):
        resource = without(a_consent(alice, id=str(consent.pk), status="inactive"), "provision", "category")
        resource["category"] = consent.current.as_fhir()["category"]
        token = issue(Consent.objects.get(kind="app"), ALL)
        response = ask("PUT", f"/{consent.pk}", resource, token=token, **with_version(consent))
        assert response.status_code in (403, 422), response.content
        consent.refresh_from_db()
        assert consent.status == "active"


def test_a_client_asks_for_no_limit(alice, token):
    response = ask("POST", "", a_consent(alice, provision={"type": "deny"}), token=token)

    assert refused_by(response) == (422, "Consent.provision")


def test_a_client_that_may_not_write_makes_nothing(alice):
    consent = factories.create_consent(alice, categories=[Category.PRIVACY])
    resource = a_consent(alice, permit(ORGANIZATION))
    without_scope = ask("POST", "", resource, token=issue(consent, "patient/Consent.rs"))
    without_yes = ask("POST", "", resource, token=issue(consent, ALL))

    assert without_scope.json()["issue"][0]["diagnostics"] == "scope-not-granted"
    assert without_yes.json()["issue"][0]["diagnostics"] == "no-consent"
    assert (last_event().type, last_event().reasons) == ("record:refuse", ["consent.write"])
    assert not Consent.objects.filter(kind="share").exists()


def test_nothing_is_changed_once_the_clients_own_consent_has_ended(alice, privacy, token, monkeypatch):
    decide_on = consent_changes.decide_on

    def decide_and_revoke(*args):
        commands.revoke(privacy, by=alice.user)
        return decide_on(*args)

    monkeypatch.setattr(consent_changes, "decide_on", decide_and_revoke)
    response = ask("POST", "", a_consent(alice, permit(ORGANIZATION)), token=token)

    assert (response.status_code, last_event().reasons) == (403, ["consent.revoked"])
    assert not Consent.objects.filter(kind="share").exists()


def test_a_client_cannot_bury_the_patient_in_proposals(alice, token, monkeypatch):
    monkeypatch.setattr("fhirproxy.consent_changes.MOST_WAITING", 2)
    statuses = [
        ask("POST", "", a_consent(alice, permit({"reference": f"Group/{i}"})), token=token).status_code
        for i in range(3)
    ]

    assert statuses == [201, 201, 409]
