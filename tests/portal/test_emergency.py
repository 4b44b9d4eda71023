"""A14: breaking the glass on pages: the reason, the proof, the record for minutes, what the patient reads."""

import pytest
from django.core.management import get_commands
from django.urls import get_resolver, reverse

from audit.models import AuditEvent
from consent import emergencies
from consent.emergency_models import EmergencyAccess
from tests import factories, proving
from tests.habits.routes import walk

pytestmark = pytest.mark.django_db
PAGE = "/review/emergency/"
FORM = {
    "name": "alice  MORENO",
    "born": "1979-04-17",
    "why": "unconscious",
    "text": "Found on the street, does not answer.",
    "agreed": "on",
}


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def osei(client):
    user = factories.dr_osei()
    proving.has_codes(user)
    client.force_login(user)
    return user


def prove(client, asked):
    return client.post(asked.url, {"code": proving.code_now()})


def open_record(client, **changes):
    return prove(client, client.post(PAGE, FORM | changes))


def events(type):
    return list(AuditEvent.objects.filter(type=type).order_by("xid", "id"))


def test_the_record_opens_after_reason_and_proof_and_the_patient_reads_of_it(client, osei, alice):
    asked = client.post(PAGE, FORM)
    assert "You are about to open a record in an emergency." in client.get(asked.url).text
    assert not EmergencyAccess.objects.exists()

    done = prove(client, asked)

    assert done.url == reverse("portal:chart", args=[alice.pk])
    page = client.get(done.url).text
    assert "LDL cholesterol" in page
    assert "It closes in 15 minutes" in page
    (opened,) = events("emergency:open")
    assert opened.context["stepup_action"] == "break-glass"

    client.force_login(alice.user)
    said = "A doctor opened your record in an emergency"
    assert said in client.get("/activity/").text
    assert said in client.get("/").text


def test_A14_a_password_is_no_proof(client, alice):
    client.force_login(factories.dr_osei())
    asked = client.post(PAGE, FORM)

    assert "You have none yet." in client.get(asked.url).text
    client.post(asked.url, {"password": factories.PASSWORD})
    assert not EmergencyAccess.objects.exists()


@pytest.mark.parametrize("field", ["name", "born", "why", "text", "agreed"])
def test_A14_each_field_is_needed_before_any_proof_is_asked(client, osei, alice, field):
    answer = client.post(PAGE, {name: value for name, value in FORM.items() if name != field})

    assert answer.status_code == 422
    assert not EmergencyAccess.objects.exists()


@pytest.mark.parametrize("changes", [{"name": "Alice"}, {"born": "1979-04-18"}, {"name": "A% _"}])
def test_A14_nothing_is_found_by_a_part_of_a_name(client, osei, alice, changes):
    answer = open_record(client, **changes)

    assert "No one record has this name and this day of birth." in answer.text
    assert events("emergency:open")[0].reasons == ["record.not-found"]


def test_A14_of_two_with_one_name_and_birthday_neither_opens(client, osei, alice):
    factories.create_patient("Alice Moreno", birth_date=alice.birth_date)

    assert "No one record" in open_record(client).text
    assert not EmergencyAccess.objects.exists()


def test_A14_who_guesses_has_to_wait(client, osei, alice):
    for _ in range(emergencies.MOST_MISSES):
        emergencies.missed(osei)

    assert "Too many tries." in open_record(client).text
    assert not EmergencyAccess.objects.exists()


def test_A14_the_own_record_has_a_clear_page(client, alice):
    alice.user.staff_roles.create(role="clinician", practitioner="Practitioner/alice")
    proving.has_codes(alice.user)
    client.force_login(alice.user)

    answer = open_record(client)

    assert answer.status_code == 422
    assert "This is your own record." in answer.text


def test_A14_after_its_end_the_page_is_not_there(client, osei, alice):
    page = open_record(client).url
    assert client.get(page).status_code == 200

    ended = client.post(f"{page}end/", follow=True)

    assert "The record is closed." in ended.text
    assert client.get(page).status_code == 404
    assert "The time was over." in client.post(f"{page}end/", follow=True).text
    refused = events("record:read")[-1]
    assert (refused.outcome, refused.patient) == ("deny", f"Patient/{alice.pk}")


def test_who_treats_the_patient_sees_the_chart_without_an_emergency(client, alice):
    client.force_login(factories.dr_osei(treats=[alice]))

    page = client.get(reverse("portal:chart", args=[alice.pk])).text

    assert "LDL cholesterol" in page
    assert "emergency." not in page
    assert {e.purpose for e in events("record:search")} == {"TREAT"}


@pytest.mark.parametrize(
    "role", ["support", "compliance", "privacy_officer", "administrator", "app_reviewer"]
)
def test_A14_to_other_staff_the_pages_do_not_exist(client, alice, role):
    client.force_login(factories.create_staff("Sam", role))

    for path in (PAGE, reverse("portal:chart", args=[alice.pk])):
        assert client.get(path).status_code == 404
        assert client.post(path, FORM).status_code in (404, 405)


OWN_PAGES = (
    *("/records/", "/results/", "/vitals/", "/medicines/", "/allergies/", "/conditions/", "/vaccines/"),
    *("/visits/", "/documents/", "/care-team/", "/activity/", "/sharing/", "/downloads/"),
)


def test_A14_staff_have_no_way_into_a_patients_own_pages(client, osei, alice):
    """Also not while an emergency view runs: those pages are of whoever signed in."""
    open_record(client)

    for path in OWN_PAGES:
        assert client.get(path, {"patient": alice.pk, "as": alice.pk}).status_code == 403


def test_A14_nothing_offers_to_be_somebody_else():
    words = ("login_as", "login-as", "impersonate", "hijack", "masquerade", "su/")
    named = [f"{route.pattern} {route.name}" for route in walk(get_resolver())]

    assert [name for name in named if any(word in name.lower() for word in words)] == []
    assert [command for command in get_commands() if any(word in command for word in words)] == []
