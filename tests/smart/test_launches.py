"""Launches from our own pages: for oneself, and by a clinician for a patient whom they treat."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client as Browser
from django.utils import timezone

from audit.models import AuditEvent
from consent.models import Consent
from smart import launches, sweeping
from smart.models import AccessToken, AuthorizationRequest, Launch, RefreshToken, SignIn, StaffAuthorization
from tests import factories
from tests.smart.app import App, answer_of

LAUNCH_URI = "http://127.0.0.1:8001/launch"
SCOPE = "launch openid fhirUser online_access user/Patient.rs user/Observation.rs user/Encounter.rs"


def launchable(app: App) -> App:
    app.client.launch_uri = LAUNCH_URI
    app.client.save()
    return app


def value_of(location: str) -> str:
    """The launch value that the app gets at its own address."""
    assert location.startswith(f"{LAUNCH_URI}?")
    told = parse_qs(urlsplit(location).query)
    assert told["iss"] == ["http://testserver/fhir/r4"]
    return told["launch"][0]


def opened(app: App) -> str:
    """Open the app from the page about it; the launch value."""
    return value_of(app.browser.post("/apps/open/", {"app": app.client.client_id})["Location"])


@pytest.fixture
def own(app: App) -> App:
    """Alice's app, which can be opened from her pages."""
    app.scope = "launch openid fhirUser offline_access patient/Patient.rs patient/Observation.rs"
    return launchable(app)


@pytest.fixture
def treated(db: None):
    return factories.alice()


@pytest.fixture
def clinic(treated) -> App:
    """The app of Dr Osei, who treats Alice."""
    browser = Browser()
    browser.force_login(factories.dr_osei(treats=[treated]))
    return launchable(App(browser, scope=SCOPE))


def visit_of(patient) -> str:
    id = f"{factories.fhir_id(patient)}-visit"
    factories.load_records(
        {
            "resourceType": "Encounter",
            "id": id,
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [{"text": "Yearly visit"}],
            "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
            "period": {"start": "2026-03-02T08:00:00-05:00"},
            "serviceProvider": {"reference": "Organization/riverside"},
        }
    )
    return id


def opened_for(clinic: App, patient, **chosen: str) -> str:
    form = {"app": clinic.client.client_id, "encounter": ""} | chosen
    return value_of(clinic.browser.post(f"/review/open/{patient.pk}/", form)["Location"])


def test_a_patient_opens_an_app_with_their_own_record(own, alice):
    page = own.browser.get("/apps/open/", {"app": own.client.client_id}).content.decode()
    assert "Opening it shares nothing" in page
    assert "127.0.0.1" in page

    answer = own.redeem(own.code(asked={"launch": opened(own)})).json()

    assert answer["patient"] == factories.fhir_id(alice)
    assert answer["need_patient_banner"] is True
    assert "launch" in answer["scope"].split()
    assert "encounter" not in answer
    assert Consent.objects.get().patient == alice


def test_to_open_an_app_shares_nothing_by_itself(own):
    opened(own)

    assert not Consent.objects.exists()
    assert not AccessToken.objects.exists()


def test_the_style_is_at_a_public_address(own):
    answer = own.redeem(own.code(asked={"launch": opened(own)})).json()

    style = Browser().get(urlsplit(answer["smart_style_url"]).path)
    assert style.status_code == 200
    assert style.json()["color_highlight"] == "#0f5c63"


def test_the_style_is_that_of_the_pages():
    from django.conf import settings

    css = (settings.ROOT / "static" / "app.css").read_text()
    style = Browser().get("/.well-known/smart-style.json").json()
    for token, name in [
        ("bg", "background"),
        ("bad", "error"),
        ("brand", "highlight"),
        ("good", "success"),
        ("ink", "text"),
    ]:
        assert f"--{token}: light-dark({style[f'color_{name}']}," in css


def test_A4_a_launch_works_once(own):
    value = opened(own)

    assert own.ask(launch=value)["Location"].startswith("/o/authorize/")
    again = answer_of(own.ask(launch=value))
    assert again["error"] == "invalid_request"
    assert again["state"] == "a-state-of-the-app"


def test_A4_a_launch_is_for_one_app(own):
    value = opened(own)
    other = launchable(App(own.browser, scope=own.scope))

    assert answer_of(other.ask(launch=value))["error"] == "invalid_request"
    assert own.ask(launch=value)["Location"].startswith("/o/authorize/")


def test_A4_a_launch_is_for_one_person(own):
    page = own.page(launch=opened(own))
    mallory = Browser()
    mallory.force_login(factories.mallory().user)

    shown = mallory.get(page)
    sent = mallory.post(page, {"do": "share", "what": "all", "days": "30", "shown": "0" * 64})

    for response in (shown, sent):
        assert response.status_code == 403
        assert "Nothing was shared" in response.content.decode()
        assert "Alice" not in response.content.decode()
    assert not Consent.objects.exists()


def test_A4_a_launch_ends_soon(own):
    value = opened(own)
    Launch.objects.update(created_at=timezone.now() - launches.OPEN_FOR - timedelta(seconds=1))

    assert answer_of(own.ask(launch=value))["error"] == "invalid_request"


def test_A6_a_launch_needs_its_scope_and_its_base(own):
    assert answer_of(own.ask(launch=opened(own), scope="patient/*.rs"))["error"] == "invalid_request"

    own.page(aud="http://testserver/fhir/r4/")
    factories.create_source()
    other_base = "http://testserver/fhir/riverside/r4"
    assert answer_of(own.ask(launch=opened(own), aud=other_base))["error"] == "invalid_request"


def test_A6_without_a_launch_its_scopes_are_not_granted(own):
    own.scope += " launch/encounter launch/patient"
    answer = own.connect()

    assert {"launch", "launch/encounter"}.isdisjoint(answer["scope"].split())
    assert "launch/patient" in answer["scope"].split()


def test_the_launch_value_is_not_kept(own):
    value = opened(own)

    assert value not in str(Launch.objects.values().get())


@pytest.mark.parametrize("change", [{"launch_uri": ""}, {"status": "suspended"}])
def test_only_an_app_that_may_be_used_can_be_opened(own, change):
    type(own.client).objects.update(**change)

    response = own.browser.post("/apps/open/", {"app": own.client.client_id})

    assert response.status_code == 404
    assert "Nothing was shared" in response.content.decode()
    assert not Launch.objects.exists()


def test_a_clinician_opens_an_app_with_patient_and_visit(clinic, treated):
    visit = visit_of(treated)
    page = clinic.browser.get(f"/review/open/{treated.pk}/").content.decode()
    assert "Yearly visit" in page

    asked = clinic.page(launch=opened_for(clinic, treated, encounter=visit))
    question = clinic.browser.get(asked).content.decode()
    assert "Open the record of <bdi>Alice Moreno</bdi>" in question
    answer = clinic.redeem(answer_of(clinic.answer(asked))["code"]).json()

    assert answer["patient"] == factories.fhir_id(treated)
    assert answer["encounter"] == visit
    assert answer["fhirContext"] == [{"reference": "Organization/riverside", "type": "Organization"}]
    assert answer["scope"].split() == SCOPE.split()
    assert not Consent.objects.exists()
    assert StaffAuthorization.objects.get().patient == treated


def test_fhirUser_of_a_clinician_is_a_practitioner(clinic, treated):
    answer = clinic.redeem(clinic.code(asked={"launch": opened_for(clinic, treated)})).json()

    claims = clinic.userinfo(answer["access_token"]).json()
    assert claims["fhirUser"] == "http://testserver/fhir/r4/Practitioner/dr-osei"


@pytest.fixture
def token(clinic, treated) -> str:
    return clinic.redeem(clinic.code(asked={"launch": opened_for(clinic, treated)})).json()["access_token"]


def get(token: str, path: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return Browser().get(f"/fhir/r4/{path}", headers=headers).status_code


def test_a_clinicians_app_reads_what_the_clinician_may_and_the_log_says_for_whom(token, clinic, treated):
    assert get(token, f"Patient/{factories.fhir_id(treated)}") == 200
    assert get(token, f"Observation/{factories.fhir_id(treated)}-ldl") == 200
    assert get(token, "Condition") == 403  # not in its scopes

    row = AuditEvent.objects.filter(patient=f"Patient/{treated.pk}", outcome="permit", type="record:read")
    last = row.order_by("recorded_at").last()
    assert last.client == f"Client/{clinic.client.client_id}"
    assert last.on_behalf_of.startswith("User/")
    assert last.purpose == "TREAT"


def test_A6_a_clinicians_app_reaches_nobody_else(token):
    other = factories.mallory()

    assert get(token, f"Patient/{factories.fhir_id(other)}") == 404
    headers = {"Authorization": f"Bearer {token}"}
    found = Browser().get(f"/fhir/r4/Observation?patient={factories.fhir_id(other)}", headers=headers)
    assert "entry" not in found.json()


def test_a_clinicians_app_ends_with_the_care(token, treated, monkeypatch):
    assert get(token, f"Patient/{factories.fhir_id(treated)}") == 200
    factories.load_records(factories._team(treated) | {"status": "inactive"})

    assert get(token, f"Patient/{factories.fhir_id(treated)}") == 403


def test_a_clinicians_app_ends_when_it_is_ended(token, treated):
    launches.end_staff(StaffAuthorization.objects.get().pk)

    assert get(token, f"Patient/{factories.fhir_id(treated)}") == 401


def test_A6_a_clinicians_app_changes_nothing(clinic, treated):
    clinic.scope = "launch offline_access user/Observation.cruds user/Consent.cruds user/Patient.cud"
    answer = clinic.redeem(clinic.code(asked={"launch": opened_for(clinic, treated)})).json()

    assert answer["scope"] == "launch user/Observation.rs user/Consent.rs"
    assert "refresh_token" not in answer
    body = {"resourceType": "Consent", "status": "active"}
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    sent = Browser().post("/fhir/r4/Consent", body, "application/fhir+json", headers=headers)
    assert sent.status_code == 403
    assert not Consent.objects.exists()


def test_nobody_opens_the_record_of_a_patient_whom_they_do_not_treat(clinic, treated):
    other = factories.mallory()
    form = {"app": clinic.client.client_id, "encounter": ""}

    assert clinic.browser.get(f"/review/open/{other.pk}/").status_code == 404
    assert clinic.browser.post(f"/review/open/{other.pk}/", form).status_code == 404
    page = clinic.browser.get("/review/open/").content.decode()
    assert "Alice Moreno" in page
    assert "Mallory" not in page
    assert not Launch.objects.exists()


def test_a_visit_of_somebody_else_cannot_be_named(clinic, treated):
    visit = visit_of(factories.mallory())
    form = {"app": clinic.client.client_id, "encounter": visit}

    assert clinic.browser.post(f"/review/open/{treated.pk}/", form).status_code == 422
    assert not Launch.objects.exists()


def test_a_patient_cannot_open_for_others(own, treated):
    assert own.browser.get(f"/review/open/{treated.pk}/").status_code == 404


def test_standalone_a_clinician_picks_a_patient(clinic, treated):
    clinic.scope = "launch/patient user/Patient.rs"
    other = factories.create_patient("Bo Diaz")
    factories.load_records(factories._team(other))
    page = clinic.page()

    shown = clinic.browser.get(page).content.decode()
    assert "Whose record?" in shown
    assert "Alice Moreno" in shown
    assert (
        clinic.browser.post(page, {"do": "record", "record": str(factories.mallory().pk)}).status_code == 422
    )
    assert clinic.browser.post(page, {"do": "record", "record": str(treated.pk)}).status_code == 302
    answer = clinic.redeem(answer_of(clinic.answer(page))["code"]).json()

    assert answer["patient"] == factories.fhir_id(treated)


def test_a_helper_is_told_why_they_cannot_connect_an_app(db):
    browser = Browser()
    browser.force_login(factories.amir())
    app = App(browser)
    page = app.page()

    shown = browser.get(page)
    assert shown.status_code == 403
    assert "Only they can connect an app" in shown.content.decode()
    app.answer(page, do="share")
    assert not Consent.objects.exists()


def test_online_access_lasts_as_long_as_the_session(clinic, treated):
    answer = clinic.redeem(clinic.code(asked={"launch": opened_for(clinic, treated)})).json()
    refreshed = clinic.refresh(answer["refresh_token"])
    assert refreshed.status_code == 200

    clinic.browser.post("/accounts/logout/")

    ended = clinic.refresh(refreshed.json()["refresh_token"])
    assert ended.status_code == 400
    assert ended.json()["error"] == "invalid_grant"
    assert get(refreshed.json()["access_token"], f"Patient/{factories.fhir_id(treated)}") == 401


def test_online_access_ends_with_a_session_that_is_deleted(app):
    app.scope = "online_access patient/Patient.rs"
    answer = app.connect()
    app.browser.session.delete()

    assert app.refresh(answer["refresh_token"]).json()["error"] == "invalid_grant"
    assert not RefreshToken.objects.filter(revoked=None).exists()


def test_offline_access_outlives_the_session(app):
    answer = app.connect()
    app.browser.post("/accounts/logout/")

    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_introspection_tells_the_launch_context(treated):
    secret = "s" * 43
    browser = Browser()
    browser.force_login(factories.dr_osei(treats=[treated]))
    client = factories.acme_client(client_type="confidential", client_secret=secret)
    app = launchable(App(browser, client=client, scope=SCOPE))
    value = opened_for(app, treated, encounter=visit_of(treated))
    answer = app.redeem(app.code(asked={"launch": value}), client_secret=secret).json()

    body = {"token": answer["access_token"], "client_id": client.client_id, "client_secret": secret}
    facts = app.post("/o/introspect/", body).json()

    for name in ("patient", "encounter", "fhirContext", "need_patient_banner", "smart_style_url", "scope"):
        assert facts[name] == answer[name]


def test_what_is_of_no_use_is_swept(own):
    own.redeem(own.code(asked={"launch": opened(own)}))
    assert set(sweeping.sweep().values()) == {0}
    for rows in (SignIn, Launch):
        rows.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert sweeping.sweep()["sign_ins"] == 0  # tokens rest on it
    RefreshToken.objects.all().delete()
    AccessToken.objects.all().delete()

    assert sweeping.sweep()["sign_ins"] == 1
    assert not Launch.objects.exists()
    assert AuthorizationRequest.objects.exists()


def test_a_public_client_may_leave_its_client_id_out_of_a_refresh_and_no_other(app):
    refresh_token = app.connect()["refresh_token"]
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token}

    assert app.post("/o/token/", body).status_code == 200
    assert app.post("/o/token/", body | {"refresh_token": "made-up"}).status_code == 401
    type(app.client).objects.update(client_type="confidential")
    latest = RefreshToken.objects.get(revoked=None)
    assert latest.application.client_type == "confidential"
    assert app.post("/o/token/", body).status_code == 401
