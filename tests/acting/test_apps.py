"""Apps in a helper's hands: what the helper may see and no more, and only as long as they help."""

import pytest
from django.test import Client as Browser

from accounts.models import Patient, RelatedPerson
from accounts.relation_states import Why
from audit.models import AuditEvent
from consent import commands, helping
from consent.models import Consent
from consent.versions import Act
from smart.models import Client, StaffAuthorization
from tests import factories
from tests.smart.app import App, answer_of
from tests.smart.test_launches import value_of

pytestmark = pytest.mark.django_db
SCOPE = "openid fhirUser launch/patient online_access patient/Patient.rs patient/Observation.rs"


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def amir():
    return factories.create_user("Amir Moreno")


@pytest.fixture
def relation(amir, alice) -> RelatedPerson:
    return factories.let_help(amir, alice, level="most", may_share=True)


@pytest.fixture
def app(amir, relation) -> App:
    browser = Browser()
    browser.force_login(amir)
    return App(browser, scope=SCOPE)


@pytest.fixture
def token(app) -> str:
    return app.redeem(app.code()).json()["access_token"]


def status(token: str, path: str) -> int:
    return Browser().get(f"/fhir/r4/{path}", headers={"Authorization": f"Bearer {token}"}).status_code


def test_the_helper_is_asked_in_words_about_the_other_person(app, alice):
    page = app.browser.get(app.page()).text

    assert "Open the record of <bdi>Alice Moreno</bdi> in" in page
    assert "It ends with your help." in page


def test_an_app_on_trial_reads_of_test_patients_in_a_helpers_hands_too(app, alice, token):
    Client.objects.update(status=Client.Status.SANDBOX)
    address = f"Observation/{factories.fhir_id(alice)}-ldl"

    assert status(token, address) != 200
    Patient.objects.update(is_test=True)
    assert status(token, address) == 200


def test_the_app_reads_as_the_helper_and_the_log_says_for_whom(app, alice, amir, token):
    answer = app.redeem(app.code()).json()

    assert answer["patient"] == factories.fhir_id(alice)
    assert not Consent.objects.filter(kind="app").exists()
    assert status(token, f"Observation/{factories.fhir_id(alice)}-ldl") == 200
    row = AuditEvent.objects.filter(type="record:read", outcome="permit").latest("recorded_at")
    assert (row.client, row.on_behalf_of, row.role, row.purpose) == (
        f"Client/{app.client.client_id}",
        f"User/{amir.pk}",
        "helper",
        "FAMRQT",
    )


def test_fhirUser_of_a_helper_is_a_related_person(app, relation):
    answer = app.redeem(app.code()).json()
    claims = app.userinfo(answer["access_token"]).json()

    assert claims["fhirUser"] == f"http://testserver/fhir/r4/RelatedPerson/{relation.pk}"


def test_a_narrower_helper_makes_a_narrower_app_at_once(token, alice, relation):
    assert status(token, f"Observation/{factories.fhir_id(alice)}-ldl") == 200
    helping.change(
        relation,
        level="own",
        categories=["demographics"],
        may_share=True,
        may_write=False,
        until=relation.period_end,
        act=Act(by=alice.user, channel="portal"),
        seen=1,
    )

    assert status(token, f"Observation/{factories.fhir_id(alice)}-ldl") == 403
    assert status(token, f"Patient/{factories.fhir_id(alice)}") == 200


@pytest.mark.parametrize("how", ["stop", "sharing", "no more apps", "pause"])
def test_the_app_ends_with_the_help(token, alice, relation, how):
    if how == "stop":
        helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    elif how == "sharing":
        commands.revoke(relation.consents.get(), by=alice.user)
    elif how == "pause":
        commands.pause_all(alice, act=Act(by=alice.user, channel="portal"))
    else:
        helping.change(
            relation,
            level="most",
            categories=[],
            may_share=False,
            may_write=False,
            until=relation.period_end,
            act=Act(by=alice.user, channel="portal"),
            seen=1,
        )

    assert status(token, f"Observation/{factories.fhir_id(alice)}-ldl") in (401, 403)
    assert StaffAuthorization.in_force().exists() is (how == "pause")


def test_an_app_of_old_help_does_not_come_back_with_new_help(token, alice, amir, relation):
    RelatedPerson.objects.update(status="ended")
    factories.let_help(amir, alice, level="most", may_share=True)

    assert status(token, f"Observation/{factories.fhir_id(alice)}-ldl") == 403


def test_a_birthday_ends_the_app_too():
    tom, alice = factories.tom(), factories.create_user("Alice Moreno")
    factories.let_help(alice, tom, "PRN", may_share=True)
    browser = Browser()
    browser.force_login(alice)
    app = App(browser, scope=SCOPE)
    token = app.redeem(app.code()).json()["access_token"]
    assert status(token, f"Patient/{factories.fhir_id(tom)}") == 200

    tom.birth_date = tom.birth_date.replace(year=tom.birth_date.year - 8)
    tom.save(update_fields=["birth_date"])

    assert status(token, f"Patient/{factories.fhir_id(tom)}") == 403


def test_private_topics_and_other_patients_stay_closed(token, alice):
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}
    factories.load_records(factories.lab_result(alice, "secret", meta={"security": [code]}))
    other = factories.mallory()

    assert status(token, "Observation/secret") == 404
    assert status(token, f"Patient/{factories.fhir_id(other)}") == 404


def test_without_leave_to_share_there_is_no_record_to_choose(amir, alice):
    factories.let_help(amir, alice, level="most", may_share=False)
    browser = Browser()
    browser.force_login(amir)
    app = App(browser, scope=SCOPE)
    page = browser.get(app.page())

    assert page.status_code == 403
    assert "Only they can connect an app" in page.text


def test_a_helper_says_no_and_nothing_is_kept(app):
    answer = answer_of(app.answer(app.page(), do="deny"))

    assert answer["error"] == "access_denied"
    assert not StaffAuthorization.objects.exists()


@pytest.fixture
def launched(app, relation) -> App:
    """An app that can be opened from our pages; Amir acts for Alice."""
    Client.objects.update(launch_uri="http://127.0.0.1:8001/launch")
    app.scope = f"{SCOPE.replace('launch/patient', 'launch')}"
    app.browser.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    return app


def opened(app, relation) -> str:
    answer = app.browser.post(f"/for/{relation.pk}/apps/open/", {"app": app.client.client_id})
    assert answer.status_code == 302, answer.content
    return value_of(answer["Location"])


def test_a_helper_opens_an_app_for_whom_they_act_for(launched, alice, amir, relation):
    has_own = factories.create_patient("Amir Moreno", signs_in=False)
    has_own.user = amir
    has_own.save()
    shown = launched.browser.get(f"/for/{relation.pk}/apps/open/?app={launched.client.client_id}").text
    answer = launched.redeem(launched.code(asked={"launch": opened(launched, relation)})).json()

    assert "what you may see of <bdi>Alice Moreno</bdi>" in shown
    assert answer["patient"] == factories.fhir_id(alice)
    assert StaffAuthorization.objects.get().helper == relation
    assert status(answer["access_token"], f"Observation/{factories.fhir_id(alice)}-ldl") == 200
    assert status(answer["access_token"], f"Patient/{factories.fhir_id(has_own)}") == 404


def test_A13_a_launch_as_a_helper_is_answered_in_no_other_capacity(launched, alice, amir, relation):
    """The help ends while the question is open; that they treat the patient since does not answer it."""
    page = launched.page(launch=opened(launched, relation))
    helping.end(relation, Why.HELPER_STOPPED, by=amir, role="helper")
    amir.staff_roles.create(role="clinician", practitioner="Practitioner/dr-osei")
    factories.load_records(factories._team(alice))

    assert launched.browser.get(page).status_code == 403
    assert not StaffAuthorization.objects.exists()


def test_who_may_not_connect_apps_opens_none(launched, relation):
    RelatedPerson.objects.update(may_share=False)

    answer = launched.browser.post(f"/for/{relation.pk}/apps/open/", {"app": launched.client.client_id})
    assert answer.status_code == 403


def test_A13_a_tab_that_is_about_oneself_opens_nothing_while_one_acts(launched):
    assert launched.browser.post("/apps/open/", {"app": launched.client.client_id}).status_code == 409
