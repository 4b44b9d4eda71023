"""A developer registers an app, in the sandbox at once; the clinic lets it in, or says why not."""

import base64
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from audit.models import AuditEvent
from notices.models import Notice
from smart import commands
from smart.models import Client, InitialAccess
from smart.states import Act
from tests import factories
from tests.smart import signing

pytestmark = pytest.mark.django_db
FILLED = {
    "client_name": "Sugar",
    "vendor": "Dana Cho",
    "purpose": "to show your sugar levels",
    "user": "person",
    "redirect_uris": "https://sugar.example/callback\nhttps://sugar.example/other",
    "proof": "none",
    "policy_uri": "https://sugar.example/privacy",
    "contacts": "dana@sugar.example",
    "algorithm": "RS256",
}


def of(user) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def dana() -> Browser:
    """Who writes software: any person who can sign in, without a record."""
    return of(factories.create_user("Dana Cho"))


@pytest.fixture
def ada() -> Browser:
    return of(factories.create_staff("Ada Brook", "administrator", "app_reviewer"))


def register(browser, **changes) -> Client:
    response = browser.post("/developers/new/", FILLED | changes)
    assert response.status_code == 302, response.content.decode()
    return Client.objects.get(client_id=response["Location"].split("/")[-2])


def test_an_app_is_in_the_sandbox_at_once(dana):
    client = register(dana)

    page = dana.get(f"/developers/{client.client_id}/").content.decode()
    assert client.client_id in page
    assert "made-up test patients only" in page
    assert (client.status, client.redirect_uris.split()[1]) == ("sandbox", "https://sugar.example/other")
    assert AuditEvent.objects.get(type="client:register").role == "client"
    assert "Sugar" in dana.get("/developers/").content.decode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_name": ""}, "client_name"),
        ({"client_name": "<b>"}, "client_name"),
        ({"redirect_uris": ""}, "redirect_uris"),
        ({"redirect_uris": "https://sugar.example/*"}, "redirect_uris"),
        ({"purpose": "p" * 201}, "purpose"),
        ({"launch_uri": "javascript:alert(1)"}, "launch_uri"),
        ({"policy_uri": "nowhere"}, "policy_uri"),
        ({"proof": "jwks"}, "jwks"),
        ({"proof": "jwks", "jwks": "{"}, "jwks"),
        ({"proof": "jwks_uri", "jwks_uri": "http://sugar.example/jwks"}, "jwks_uri"),
        ({"scope": "everything"}, "scope"),
        ({"contacts": "nobody"}, "contacts"),
        ({"user": "itself"}, "proof"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(dana, changes, field):
    response = dana.post("/developers/new/", FILLED | changes)

    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert not Client.objects.exists()


def test_a_secret_is_shown_once(dana):
    client = register(dana, proof="client_secret_basic")

    shown = dana.post(f"/developers/{client.client_id}/secret/").content.decode()
    secret = re.search(r'<code class="long">([\w-]{43})</code>', shown)[1]

    assert secret not in dana.get(f"/developers/{client.client_id}/").content.decode()
    body = {"token": "x"}
    basic = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
    asked = Browser().post("/o/introspect/", body, headers={"Authorization": f"Basic {basic}"})
    assert asked.json() == {"active": False}


def test_keys_are_pasted(dana):
    key = signing.ec()
    client = register(
        dana, proof="jwks", jwks=json.dumps(signing.public(key)), user="itself", redirect_uris=""
    )

    assert (client.signs_assertions, client.authorization_grant_type) == (True, "client-credentials")


@pytest.mark.parametrize("path", ["", "change/", "secret/", "move/"])
def test_another_persons_app_is_not_there(dana, path):
    client = register(dana)
    other = of(factories.create_patient("Mallory Reed").user)

    for method in (other.get, other.post) if path not in ("secret/", "move/") else (other.post,):
        assert method(f"/developers/{client.client_id}/{path}").status_code in (404, 405)
    assert "Sugar" not in other.get("/developers/").content.decode()


def test_who_is_not_signed_in_signs_in_first():
    assert "/accounts/login/" in Browser().get("/developers/")["Location"]


@pytest.mark.parametrize("act", ["approve", "unblock", "resume", "nonsense", ""])
def test_a_developer_lets_nothing_in(dana, act):
    client = register(dana)

    assert dana.post(f"/developers/{client.client_id}/move/", {"do": act}).status_code == 404
    assert Client.objects.get().status == "sandbox"


def ask(dana, client):
    dana.post(f"/developers/{client.client_id}/move/", {"do": "ask"})


def test_the_clinic_says_not_yet_and_why(dana, ada):
    client = register(dana)
    ask(dana, client)
    assert "Sugar" in ada.get("/admin/apps/").content.decode()

    words = {"do": "refuse", "reason": "policy", "words": "Say how long you keep records."}
    ada.post(f"/admin/apps/{client.client_id}/", words)

    page = dana.get(f"/developers/{client.client_id}/").content.decode()
    assert "Say how long you keep records." in page
    assert "does not say what becomes of records" in page
    assert Client.objects.get().status == "sandbox"


def test_the_clinic_lets_it_in_and_it_stays_as_it_was_seen(dana, ada):
    client = register(dana)
    ask(dana, client)
    ada.post(f"/admin/apps/{client.client_id}/", {"do": "approve"})
    assert Client.objects.get().status == "active"

    held = dana.post(f"/developers/{client.client_id}/change/", FILLED | {"client_name": "Bank"})
    assert held.status_code == 422
    kept = dana.post(f"/developers/{client.client_id}/change/", FILLED | {"contacts": "d@sugar.example"})
    assert kept.status_code == 302
    assert (Client.objects.get().name, Client.objects.get().contacts) == ("Sugar", ["d@sugar.example"])


def test_a_reviewer_sees_what_the_name_looks_like(dana, ada):
    factories.acme_client(name="Riverside Sugar")
    client = register(dana, client_name="Riverside Sug\u0430r")
    ask(dana, client)

    page = ada.get(f"/admin/apps/{client.client_id}/").content.decode()

    assert "may be taken for: <bdi>Riverside Sugar</bdi>" in page


def test_a_review_waits_for_what_is_missing(dana):
    client = register(dana, purpose="")

    assert "What it is for" in dana.get(f"/developers/{client.client_id}/").content.decode()
    ask(dana, client)
    assert Client.objects.get().status == "sandbox"


def test_a_removed_app_is_gone(dana):
    client = register(dana)

    response = dana.post(f"/developers/{client.client_id}/move/", {"do": "remove"}, follow=True)

    assert "The app is removed." in response.content.decode()
    assert dana.get(f"/developers/{client.client_id}/").status_code == 404


def test_an_administrator_gives_an_initial_access_token_once(ada, settings):
    settings.DYNAMIC_REGISTRATION = "token"

    shown = ada.post("/admin/apps/", {"do": "give", "note": "Acme"}).content.decode()
    token = re.search(r"<code>([\w-]{43})</code>", shown)[1]

    assert token not in ada.get("/admin/apps/").content.decode()
    said = {"client_name": "S", "redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "none"}
    headers = {"Authorization": f"Bearer {token}"}
    assert Browser().post("/o/register/", said, "application/json", headers=headers).status_code == 201
    ada.post("/admin/apps/", {"end": InitialAccess.objects.get().pk})
    assert Browser().post("/o/register/", said, "application/json", headers=headers).status_code == 401


def test_where_the_site_takes_no_tokens_none_is_given(ada):
    ada.post("/admin/apps/", {"do": "give", "note": "Acme"})

    assert not InitialAccess.objects.exists()


@pytest.mark.parametrize("role", ["support", "clinician", "compliance"])
def test_other_staff_decide_nothing(dana, role):
    client = register(dana)
    ask(dana, client)
    other = of(factories.create_staff("Sam Fox", role))

    assert other.post(f"/admin/apps/{client.client_id}/", {"do": "approve"}).status_code == 403
    assert Client.objects.get().status == "in-review"


def test_pages_are_in_spanish_too(dana):
    client = register(dana)
    dana.cookies["django_language"] = "es"

    page = dana.get(f"/developers/{client.client_id}/", headers={"Accept-Language": "es"}).content.decode()

    assert "pacientes de prueba" in page
    assert commands.apps_of(client.user).count() == 1


# An app that registered itself


@pytest.fixture
def by_itself(settings) -> tuple[Client, str]:
    settings.DYNAMIC_REGISTRATION = "token"
    said = {
        "client_name": "Sugar",
        "redirect_uris": ["https://a.example/"],
        "token_endpoint_auth_method": "none",
    }
    client, _ = commands.register_app(said, by=None, credential="InitialAccess/1")
    return client, commands.new_management_token(client)


def add(browser: Browser, client_id: str, token: str):
    return browser.post("/developers/claim/", {"client_id": client_id, "token": token})


def test_who_holds_the_token_of_an_app_that_registered_itself_makes_it_theirs(dana, by_itself):
    client, token = by_itself
    assert "/developers/claim/" in dana.get("/developers/").content.decode()

    assert add(dana, client.client_id, token)["Location"] == f"/developers/{client.client_id}/"

    assert "Sugar" in dana.get("/developers/").content.decode()
    assert AuditEvent.objects.get(type="client:change").detail["change"] == "claim"


def test_A22_who_does_not_learns_nothing_of_it(dana, by_itself):
    client, token = by_itself
    answers = {
        add(dana, *pair).status_code for pair in ((client.client_id, "x"), ("nobody", token), ("nobody", "x"))
    }
    add(dana, client.client_id, token)
    mallory = of(factories.create_user("Mallory Quinn"))

    again = add(mallory, client.client_id, token)

    assert answers == {422} == {again.status_code}
    assert "There is no such app, or it is not yours to add." in again.content.decode()
    assert Client.objects.get(pk=client.pk).user.name == "Dana Cho"


def test_A6_an_app_that_registered_nobody_can_be_claimed_without_a_token(dana):
    client = factories.acme_client()

    assert add(dana, client.client_id, "").status_code == 422
    assert add(dana, client.client_id, "x").status_code == 422


# What the clinic decided


@pytest.mark.parametrize(
    ("act", "more"), [("approve", {}), ("refuse", {"reason": "purpose", "words": "Say what for."})]
)
def test_a_developer_is_told_what_the_clinic_decided(dana, act, more):
    client = register(dana)
    commands.move(client, Act.ASK, by=client.user)
    assert not Notice.objects.exists()  # of what they did themselves

    commands.move(client, Act(act), by=factories.create_staff("Ada Brook", "administrator"), **more)

    notice = Notice.objects.get()
    assert (notice.kind, notice.recipient) == ("client_decided", f"User/{client.user.pk}")
    assert notice.email == client.user.email


def test_nobody_is_told_of_an_app_that_nobody_owns(by_itself):
    commands.move(by_itself[0], Act.BLOCK, by=factories.create_staff("Ada Brook", "administrator"))

    assert not Notice.objects.exists()


# Test patients


def test_a_person_is_marked_as_made_up_by_a_command_and_the_log_says_so():
    patient = factories.create_patient("Testa Probe")
    type(patient).objects.update(is_test=False)

    call_command("test_patient", str(patient.pk), stdout=io.StringIO())
    patient.refresh_from_db()
    assert patient.is_test

    with pytest.raises(CommandError, match="so already"):
        call_command("test_patient", str(patient.pk))
    call_command("test_patient", str(patient.pk), "--off", stdout=io.StringIO())
    patient.refresh_from_db()
    assert not patient.is_test
    events = AuditEvent.objects.filter(type="admin:change", target=f"Patient/{patient.pk}")
    assert [event.detail["change"] for event in events.order_by("recorded_at")] == [
        "test-patient-on",
        "test-patient-off",
    ]


def test_nobody_else_is_marked():
    for wrong in ("nobody", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(CommandError, match="no such patient"):
            call_command("test_patient", wrong)
