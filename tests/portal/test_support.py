"""A14: support finds who reads out a code, sees states and counts, and more only for minutes."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import F
from django.test import Client

from accounts import elevations, endings, support
from accounts.elevation_models import Elevation
from accounts.factors import Factor
from accounts.support_models import SupportCode
from audit.models import AuditEvent
from consent.models import Consent
from exports.models import ExportJob
from fhirproxy import health
from notices.models import Notice
from portal import account_state
from tests import factories, proving

pytestmark = pytest.mark.django_db
WHY = {"why": "identity", "text": "She wants to be sure who calls.", "ticket": "HELP-17"}


@pytest.fixture
def alice():
    patient = factories.alice()
    factories.create_consent(patient)
    return patient


@pytest.fixture
def sam(client):
    user = factories.create_staff("Sam Park", "support")
    proving.has_codes(user)
    client.force_login(user)
    return user


@pytest.fixture
def opened(client, sam, alice):
    """Sam's browser, with Alice's account open."""
    code = support.make_code(alice, by=alice.user)
    assert client.post("/support/", {"code": code.lower()}).url == "/support/account/"
    return client


def elevate(client, **changes):
    asked = client.post("/support/account/more/", WHY | changes)
    return client.post(asked.url, {"code": proving.code_now()}, follow=True)


def events(type):
    return list(AuditEvent.objects.filter(type=type).order_by("xid", "id"))


def test_the_patient_gets_a_code_that_is_kept_as_a_digest(client, alice):
    client.force_login(alice.user)

    page = client.post("/help/code/").text

    code = page.split("<code>")[1].split("</code>")[0]
    assert code not in str(SupportCode.objects.values().get())
    assert support.find(code, by=factories.create_staff("Sam", "support")) == alice


def test_A14_the_account_is_masked_and_holds_states_and_counts_only(opened, alice):
    page = opened.get("/support/account/").text

    assert "A… M…" in page
    assert "1979" in page
    assert "On: 1" in page
    for hidden in (
        "Moreno",
        "Alice",
        alice.user.email,
        "17 April",
        "April 17",
        "Acme",
        "test-results",
        "LDL",
    ):
        assert hidden not in page
    assert {e.patient for e in events("support:find")} == {f"Patient/{alice.pk}"}


def test_the_patient_reads_of_each_look(opened, client, alice):
    client.force_login(alice.user)

    assert "They did not see your health records." in client.get("/activity/").text


@pytest.mark.parametrize("how", ["used", "late", "replaced", "wrong", "empty-ish"])
def test_A14_a_code_opens_once_and_for_minutes(client, sam, alice, how):
    code = support.make_code(alice, by=alice.user)
    if how == "used":
        support.find(code, by=factories.create_staff("Other", "support"))
    elif how == "late":
        SupportCode.objects.update(expires_at=F("made_at") - timedelta(seconds=1))
    elif how == "replaced":
        support.make_code(alice, by=alice.user)
    else:
        code = "AAAAA-AAAAA" if how == "wrong" else "-"

    answer = client.post("/support/", {"code": code})

    assert answer.status_code == 422
    assert "This code opens nothing." in answer.text
    assert events("support:find")[-1].reasons == ["support.code"]


def test_A14_who_guesses_codes_has_to_wait_even_with_a_right_one(client, sam, alice):
    for _ in range(support.MOST_ATTEMPTS):
        client.post("/support/", {"code": "AAAAA-AAAAA"})

    assert client.post("/support/", {"code": support.make_code(alice, by=alice.user)}).status_code == 422
    assert events("support:find")[-1].reasons == ["support.attempts"]


def test_A14_nobody_helps_themself(client, alice):
    alice.user.staff_roles.create(role="support")
    client.force_login(alice.user)

    assert client.post("/support/", {"code": support.make_code(alice, by=alice.user)}).status_code == 422
    assert events("support:find")[-1].reasons == ["support.own"]


def test_A14_an_account_stays_open_for_minutes_only(opened):
    session = opened.session
    session["portal.support"] |= {"at": session["portal.support"]["at"] - support.LIFE.total_seconds() - 1}
    session.save()

    assert opened.get("/support/account/").url == "/support/"


def test_a_link_for_a_new_password_goes_to_the_patient_who_is_told(opened, alice):
    opened.post("/support/account/reset/")

    assert [message.to for message in mail.outbox] == [[alice.user.email]]
    assert Notice.objects.get(kind="support_helped").recipient == f"User/{alice.user.pk}"
    assert events("support:help")[0].detail == {"what": "password-reset"}


def test_what_they_saw_is_by_reference_and_of_this_patient_only(opened, alice):
    looked = events("support:find")[0].correlation_id
    page = opened.get("/support/account/", {"reference": looked}).text
    other = opened.get("/support/account/", {"reference": "another"}).text

    assert "<code>support:find</code> <code>permit</code>" in page
    assert "<strong>support</strong> <code>fresh</code>" in page
    assert "Nothing of this account has that code." in other


def test_what_they_saw_names_the_page_its_state_and_reasons_and_no_value(opened, alice, monkeypatch):
    own = Client()
    own.force_login(alice.user)
    factories.load_records(factories.lab_result(alice, f"{factories.fhir_id(alice)}-secret"))
    address = f"/results/{factories.fhir_id(alice)}-ldl/"
    shown = own.get(address)
    page = opened.get("/support/account/", {"reference": shown["X-Request-Id"]}).text
    missing = own.get("/results/not-there/")
    lost = opened.get("/support/account/", {"reference": missing["X-Request-Id"]}).text

    assert "LDL" in shown.text
    assert "<strong>result</strong> <code>fresh</code>" in page
    assert "<strong>result</strong> <code>withheld</code>" in lost
    assert "<code>record.not-found</code>" in lost
    assert not {"LDL", "Observation", "test-results", factories.fhir_id(alice)} & set(
        re.split(r"[^\w-]", page)
    )


def test_A14_elevation_shows_who_it_is_for_minutes_and_tells_the_patient(opened, sam, alice):
    page = elevate(opened).text

    assert "Alice Moreno" in page
    assert "15 minutes are left." in page
    assert alice.user.email in page
    assert "LDL" not in page
    elevation = Elevation.objects.get()
    assert elevation.ends_at - elevation.started_at == timedelta(minutes=15)
    assert Notice.objects.get(kind="staff_elevated").recipient == f"User/{alice.user.pk}"
    (started,) = events("elevation:start")
    assert started.context["stepup_action"] == "elevation"
    assert started.detail == {"why": "identity", "ticket": "HELP-17"}


@pytest.mark.parametrize("how", ["by hand", "by time"])
def test_A14_after_its_end_the_account_is_masked_again(opened, sam, how):
    elevate(opened)
    if how == "by hand":
        opened.post("/support/account/end/")
        assert len(events("elevation:end")) == 1
    else:
        past = timedelta(minutes=15)
        Elevation.objects.update(started_at=F("started_at") - past, ends_at=F("ends_at") - past)

    page = opened.get("/support/account/").text
    assert "Moreno" not in page
    assert "A… M…" in page


def test_A14_elevation_for_one_patient_shows_no_other(opened, sam, alice):
    elevate(opened)
    mallory = factories.mallory()
    opened.post("/support/", {"code": support.make_code(mallory, by=mallory.user)})

    page = opened.get("/support/account/").text
    assert "M… Q…" in page
    assert "Quinn" not in page


def test_A14_elevation_is_seen_on_every_page_of_its_own_until_it_ends(opened, sam):
    factories.StaffRole.objects.create(user=sam, role="compliance")
    sam.is_staff = True
    sam.save()
    elevate(opened)

    pages = "/support/", "/support/account/more/", "/settings/", "/help/", "/admin/", "/admin/cases/"
    for path in pages:
        assert "You see more until" in opened.get(path).text, path
        assert 'action="/support/account/end/"' in opened.get(path).text
    opened.post("/support/account/end/")
    assert all("You see more until" not in opened.get(path).text for path in pages)


def test_A14_elevation_twice_is_one(opened, sam):
    elevate(opened)
    again = opened.post("/support/account/more/", WHY | {"why": "fault"}, follow=True)

    assert Elevation.objects.count() == 1
    assert [e.outcome for e in events("elevation:start")] == ["permit", "deny"]
    assert "You see more already." in again.text


def test_A14_elevation_ends_with_the_account(opened, sam):
    elevate(opened)
    endings.close(sam, by=factories.create_staff("Ada", "administrator"))

    assert not elevations.is_running(sam)


@pytest.mark.parametrize("changes", [{"ticket": ""}, {"ticket": "a b"}, {"text": "no"}, {"why": "curious"}])
def test_A14_without_reason_and_ticket_there_is_no_elevation(opened, sam, changes):
    assert opened.post("/support/account/more/", WHY | changes).status_code == 422
    with pytest.raises(elevations.Refused):
        elevations.start(sam, **WHY | changes)
    assert events("elevation:start")[0].reasons == ["elevation.reason"]


def test_every_state_has_words_and_no_code_stands_alone():
    codes = {*Consent.Status.values, *ExportJob.Status.values, *(set(Factor) - {Factor.PROVIDER_MFA})}

    assert codes | {health.UP, health.DOWN, health.UNKNOWN} <= set(account_state.WORDS)
