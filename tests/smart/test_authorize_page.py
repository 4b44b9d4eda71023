"""The pages on the way to an answer: which account, who asks, and names that mean harm."""

import pytest

from accounts.models import Patient
from consent.models import Consent
from portal.app_names import mixes_alphabets, plain
from smart.models import Client
from tests import factories
from tests.smart.app import answer_of


def test_select_account_asks_first_who_it_is_for(app, alice):
    page = app.page(prompt="select_account")

    first = app.browser.get(page).content.decode()
    assert "Go on as <bdi>Alice Moreno</bdi>" in first
    assert "Share with" not in first
    early = app.browser.post(page, {"do": "share", "what": "all", "days": "30", "shown": ""})
    assert early.status_code == 200
    assert not Consent.objects.exists()

    app.browser.post(page, {"do": "continue"})
    assert "code" in answer_of(app.answer(page))


def test_select_account_is_asked_again_of_the_next_person(app):
    page = app.page(prompt="select_account")
    app.browser.post(page, {"do": "continue"})
    app.browser.force_login(factories.mallory().user)

    assert "Go on as <bdi>Mallory Quinn</bdi>" in app.browser.get(page).content.decode()


@pytest.mark.parametrize("scope", ["patient/Patient.rs", "openid patient/Patient.rs"])
def test_A4_prompt_none_shares_nothing_with_openid_or_without(app, scope):
    answer = answer_of(app.ask(prompt="none", scope=scope))

    assert answer["error"] == "consent_required"
    assert not Consent.objects.exists()


def test_prompt_consent_asks_though_it_was_answered_before(app):
    app.connect()

    assert "Share with" in app.browser.get(app.page(prompt="consent")).content.decode()


HOSTILE = {
    "html": "<script>alert(1)</script>",
    "direction": "\N{RIGHT-TO-LEFT OVERRIDE}emca\N{POP DIRECTIONAL FORMATTING}",
    "isolate": "Acme\N{FIRST STRONG ISOLATE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}",
    "lines": "Acme\r\n\u2028\u2029It is part of your clinic.",
    "long": "W" * 255,
    "marks": "A" + "\N{COMBINING ACUTE ACCENT}" * 200,
    "nothing": "\N{ZERO WIDTH SPACE}",
    "template": "{{ settings.SECRET_KEY }}{% load x %}",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_of_an_app_is_only_text(app, name):
    Client.objects.update(name=name, vendor=name[:200], purpose=name[:60])
    page = app.page()

    for shown in (app.browser.get(page), app.machine.get(page)):
        text = shown.content.decode()
        assert shown.status_code == 200
        assert "<script>alert" not in text
        assert not set("\u202e\u202c\u2068\u200b\u200d\u2028\u2029") & set(text)
        assert "W" * 81 not in text
        assert "\u0301" * 3 not in text
    assert "<bdi></bdi>" not in text


@pytest.mark.parametrize(
    ("name", "mixes"),
    [
        ("Acme Health", False),
        ("Здоровье", False),
        ("\u0410cme", True),  # a Cyrillic A
        ("G\u03bfogle", True),  # a Greek o
        ("Clínica Ñandú", False),
        ("健康 App", False),
        ("\U0001d400cme", False),
    ],
)
def test_a_name_of_two_alphabets_that_look_alike_is_told(app, name, mixes):
    Client.objects.update(name=name)
    assert mixes_alphabets(name) is mixes
    shown = app.browser.get(app.page()).content.decode()

    assert ("mixes letters of two alphabets" in shown) is mixes


def test_plain_keeps_ordinary_names_as_they_are():
    assert plain("  Clínica   Ñandú ", 80) == "Clínica Ñandú"
    assert plain("एक्मे स्वास्थ्य", 80) == "एक्मे स्वास्थ्य"


def test_an_app_that_is_tried_out_says_so(app):
    assert "still being tried out" not in app.browser.get(app.page()).content.decode()
    Client.objects.update(status=Client.Status.SANDBOX)
    Patient.objects.update(is_test=True)  # with others it works for nobody

    assert "still being tried out" in app.browser.get(app.page()).content.decode()


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("patient/Patient.rs", ["It cannot add or change anything.", "It stops after a few minutes."]),
        ("patient/Observation.cruds offline_access", ["Send new readings", "while you are away"]),
        ("patient/Patient.rs online_access", ["until you sign out here"]),
        ("user/Patient.rs", ["Read what you choose here."]),
    ],
)
def test_the_page_says_what_the_app_could_do(app, scope, words):
    app.scope = scope
    shown = app.browser.get(app.page()).content.decode()

    assert [word for word in words if word not in shown] == []


def test_user_scopes_of_a_patient_are_their_own_record(app, alice):
    factories.load_records(factories.patient_record(alice), factories.lab_result(alice))
    app.scope = "user/Patient.rs user/Observation.rs"
    answer = app.connect()

    assert answer["scope"] == app.scope
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    read = app.machine.get(f"/fhir/r4/Patient/{factories.fhir_id(alice)}", headers=headers)
    assert read.status_code == 200
    other = factories.mallory()
    assert app.machine.get(f"/fhir/r4/Patient/{factories.fhir_id(other)}", headers=headers).status_code == 404
