"""The console's pages for bulk exports: only an administrator's, and each button does what it says."""

import pytest
from django.urls import reverse

from exports.models import Group, GroupApproval
from tests import factories
from tests.exports.bulk.service import Service

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client):
    user = factories.create_staff("Ada Min", "administrator")
    client.force_login(user)
    return user


@pytest.fixture
def bea():
    return factories.create_staff("Bea Min", "administrator")


def made(client, **more) -> Group:
    said = {"id": "diabetes", "name": "Diabetes", "kind": "list"} | more
    client.post(reverse("admin:export-groups"), said)
    return Group.objects.get(pk=said["id"])


def press(browser, group, do, **more):
    return browser.post(reverse("admin:export-group", args=[group.pk]), {"do": do, **more}, follow=True)


def test_an_administrator_makes_a_group_fills_it_and_approves_a_service(client, ada):
    alice, service = factories.alice(), Service()
    group = made(client)

    press(client, group, "add", patients=f"Patient/{factories.fhir_id(alice)}")
    page = press(client, group, "approve", client=service.client.client_id, purpose="HOPERAT").text

    assert "1 patients" in page
    assert "In force" in page
    assert GroupApproval.objects.get().approved_by == ada
    assert "diabetes" in client.get(reverse("admin:export-groups")).text
    assert reverse("admin:export-groups") in client.get(reverse("admin:index")).text


def test_a_large_group_waits_for_a_second_person_who_sees_it_on_the_list(client, ada, bea, settings):
    settings.BULK_SECOND_PERSON_OVER = 0
    alice, service, group = factories.alice(), Service(), made(client)
    press(client, group, "add", patients=factories.fhir_id(alice))
    page = press(client, group, "approve", client=service.client.client_id, purpose="TREAT").text
    assert "Waits for a second person" in page
    assert "I approve it too" not in page

    approval = GroupApproval.objects.get()
    assert "cannot be the second" in press(client, group, "second", approval=approval.pk).text
    client.force_login(bea)
    assert "Waiting for a second person" in client.get(reverse("admin:export-groups")).text
    assert "In force" in press(client, group, "second", approval=approval.pk).text
    assert "Ended" in press(client, group, "end", approval=approval.pk).text


def test_a_rule_is_made_and_a_group_is_closed(client, ada):
    group = made(client, id="grown", kind="rule", born_until="2008-01-01")
    assert "born on or before 2008-01-01" in client.get(reverse("admin:export-group", args=["grown"])).text
    assert "Closed" in press(client, group, "close").text


@pytest.mark.parametrize(
    ("do", "more", "said"),
    [
        ("add", {"patients": "nobody-here"}, "1 of 1 are not known here"),
        ("add", {"patients": ""}, "0 of 0 are not known here"),
        ("approve", {"client": "none"}, "Choose a service."),
        ("end", {"approval": "77"}, "There is no such approval."),
        ("end", {"approval": "x"}, "There is no such approval."),
        ("dance", {}, "Press one of the buttons."),
    ],
)
def test_what_cannot_be_done_says_why(client, ada, do, more, said):
    assert said in press(client, made(client), do, **more).text


def test_a_group_that_cannot_be_made_says_why(client, ada):
    made(client)
    for wrong, said in [({}, "There is a group of this id"), ({"id": "a b"}, "letters, digits")]:
        body = {"id": "diabetes", "name": "x", "kind": "list"} | wrong
        assert said in client.post(reverse("admin:export-groups"), body, follow=True).text
    body = {"id": "r", "name": "x", "kind": "rule", "born_from": "soon"}
    assert "1990-12-31" in client.post(reverse("admin:export-groups"), body, follow=True).text


@pytest.mark.parametrize("role", ["compliance", "privacy_officer", "app_reviewer", "support", "clinician"])
def test_nobody_else_opens_it(client, role):
    client.force_login(factories.create_staff("Not One", role))
    assert client.get(reverse("admin:export-groups")).status_code == 403
    body = {"id": "x", "name": "x", "kind": "list"}
    assert client.post(reverse("admin:export-groups"), body).status_code == 403
    assert not Group.objects.exists()
