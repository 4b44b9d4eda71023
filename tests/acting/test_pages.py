"""A helper reads for somebody else: whose record a page is about stands in its address and in the session."""

import pytest
from django.test import Client

from audit.models import AuditEvent
from tests import factories

pytestmark = pytest.mark.django_db
RECORDS = (
    "results",
    "vitals",
    "medicines",
    "allergies",
    "conditions",
    "vaccines",
    "visits",
    "care-team",
    "documents",
)


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def amir(client: Client):
    user = factories.create_user("Amir Moreno")
    client.force_login(user)
    return user


def act_for(client: Client, relation) -> str:
    """Begin to act, over the rules. The prefix of every address from then on."""
    client.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    return f"/for/{relation.pk}"


def test_a_helper_reads_what_the_patient_let_them_read(client, alice, amir):
    before = act_for(client, factories.let_help(amir, alice))
    page = client.get(f"{before}/results/")

    assert page.status_code == 200
    assert "LDL cholesterol" in page.text
    assert "Acting for <bdi>Alice Moreno</bdi>" in page.text
    assert (
        "<h1><bdi>Alice Moreno</bdi>&#x27;s test results</h1>" in page.text
        or "'s test results</h1>" in page.text
    )
    assert "Your result" not in page.text
    row = AuditEvent.objects.filter(type="record:search", outcome="permit").latest("recorded_at")
    assert (row.actor, row.on_behalf_of, row.role) == (
        f"User/{amir.pk}",
        f"Patient/{alice.pk}",
        "helper",
    )


def test_every_link_of_a_page_is_about_the_same_person(client, alice, amir):
    before = act_for(client, factories.let_help(amir, alice))
    page = client.get(f"{before}/results/").text
    ours = [part.split('"')[0] for part in page.split('href="')[1:]]

    assert all(link.startswith((before, "#", "tel:", "?", "/static/")) or link == "/" for link in ours), ours


def test_the_first_time_in_a_session_shows_the_rules(client, alice, amir):
    relation = factories.let_help(amir, alice)
    first = client.post("/acting/switch/", {"who": relation.pk})
    rules = client.get(first.headers["Location"])

    assert first.headers["Location"] == f"/acting/{relation.pk}/"
    assert "activity with your name" in rules.text
    assert client.get(f"/for/{relation.pk}/results/").status_code == 409
    act_for(client, relation)
    client.post("/acting/switch/", {"who": "me"})
    assert client.post("/acting/switch/", {"who": relation.pk}).headers["Location"] == f"/for/{relation.pk}/"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["results/", "medicines/", ""])
def test_an_old_tab_about_another_person_shows_and_does_nothing(client, alice, amir, method, path):
    tom = factories.tom()
    for_alice = act_for(client, factories.let_help(amir, alice))
    for_tom = act_for(client, factories.let_help(amir, tom, "PRN"))
    before = AuditEvent.objects.count()
    page = getattr(client, method)(f"{for_alice}/{path}")

    if method == "post":
        assert page.status_code in (405, 409)
    else:
        assert page.status_code == 409
        assert "You are now acting for <bdi>Tom Moreno</bdi>" in page.text
    assert "LDL" not in page.text
    assert AuditEvent.objects.count() == before
    assert client.get(f"{for_tom}/").status_code == 200


def test_an_old_tab_of_ones_own_record_says_for_whom_one_acts(client, alice):
    tom = factories.tom()
    client.force_login(alice.user)
    assert "LDL" in client.get("/results/").text
    act_for(client, factories.let_help(alice.user, tom, "PRN"))
    page = client.get("/results/")

    assert page.status_code == 409
    assert "LDL" not in page.text
    assert "Tom Moreno" in page.text


def test_a_stale_tab_can_be_switched_and_lands_on_its_own_page(client, alice, amir):
    tom = factories.tom()
    relation = factories.let_help(amir, alice)
    act_for(client, relation)
    act_for(client, factories.let_help(amir, tom, "PRN"))
    answer = client.post("/acting/switch/", {"who": relation.pk, "next": "/results/"})

    assert answer.headers["Location"] == f"/for/{relation.pk}/results/"
    assert client.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("next", ["//evil.example/", "https://evil.example/x", "/for/x/", "/admin/", "x"])
def test_switching_never_leads_elsewhere(client, alice, amir, next):
    relation = factories.let_help(amir, alice)
    act_for(client, relation)
    answer = client.post("/acting/switch/", {"who": relation.pk, "next": next})

    assert answer.headers["Location"].startswith(f"/for/{relation.pk}/")


@pytest.mark.parametrize(
    "path",
    ["sharing/", "apps/", "downloads/", "downloads/new/", "add/", "activity/list/", "activity/questions/"],
)
def test_what_is_the_patients_alone_is_closed_to_helpers(client, alice, amir, path):
    before = act_for(client, factories.let_help(amir, alice))
    page = client.get(f"{before}/{path}")

    assert page.status_code == 403
    assert "This page is not for helpers" in page.text


def test_the_address_of_somebody_elses_relationship_opens_nothing(client, alice, amir):
    theirs = factories.let_help(amir, alice)
    mallory = factories.mallory()
    client.force_login(mallory.user)
    client.post("/acting/switch/", {"who": theirs.pk, "agree": "yes"})
    page = client.get(f"/for/{theirs.pk}/results/")

    assert page.status_code == 409
    assert "Alice" not in page.text


@pytest.mark.parametrize("path", ["fhir/r4/Patient", "o/token/", "admin/", "healthz", "for/x/results/"])
def test_only_pages_stand_below_a_subject(client, alice, amir, path):
    before = act_for(client, factories.let_help(amir, alice))

    assert client.get(f"{before}/{path}").status_code == 404


def test_a_level_shows_its_kinds_and_refuses_the_others(client, alice, amir):
    before = act_for(client, factories.let_help(amir, alice, level="visits"))
    hub = client.get(f"{before}/records/").text

    assert f'href="{before}/visits/"' in hub
    assert f'href="{before}/results/"' not in hub
    assert client.get(f"{before}/visits/").status_code == 200
    page = client.get(f"{before}/results/")
    assert page.status_code == 403
    assert "you do not see this kind of record" in page.text
    assert AuditEvent.objects.filter(outcome="deny", reasons__contains=["consent.category"]).exists()


def test_private_topics_are_left_out_for_helpers_whatever_the_consent_says(client, alice, amir):
    factories.load_records(
        factories.lab_result(
            alice,
            "secret",
            code={"text": "HIV test"},
            meta={
                "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}]
            },
        )
    )
    before = act_for(client, factories.let_help(amir, alice))
    page = client.get(f"{before}/results/")

    assert "LDL" in page.text
    assert "HIV" not in page.text


def test_the_feed_of_the_patient_names_the_helper(client, alice, amir):
    before = act_for(client, factories.let_help(amir, alice))
    client.get(f"{before}/results/")
    own = client.get(f"{before}/activity/")
    client.force_login(alice.user)
    page = client.get("/activity/").text

    assert "<bdi>Amir Moreno</bdi>, your helper, saw" in page
    assert "You, for <bdi>Alice Moreno</bdi>, looked at: Test results" in own.text


def test_ending_a_helper_closes_their_open_pages_at_once(client, alice, amir):
    from accounts.relation_states import Why
    from consent import helping

    relation = factories.let_help(amir, alice)
    before = act_for(client, relation)
    helping.end(relation, Why.PATIENT_STOPPED, by=alice.user, role="patient")
    page = client.get(f"{before}/results/")

    assert page.status_code == 403
    assert "Your help for <bdi>Alice Moreno</bdi> ended on" in page.text
    assert "LDL" not in page.text
