"""FHIR Consent over HTTP: what a client can ask for, and end, for its patient."""

import pytest

from consent import commands, fhir
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category
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
    refused_by,
    to_acme,
    with_version,
    without,
)

pytestmark = pytest.mark.django_db


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
