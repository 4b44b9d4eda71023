"""The console's pages for where exports may be sent: only an administrator's; buttons do what they say."""

import pytest
from django.urls import reverse

from exports.bulk import approvals
from exports.models import Destination, Push
from tests import factories
from tests.exports.bulk.conftest import _folder, alice, mallory, run, service, start
from tests.exports.bulk.service import an_administrator
from tests.exports.push.conftest import place
from tests.exports.push.test_pushes import GROUP, sent
from tests.smart.site import HOST

__all__ = ["_folder", "alice", "mallory", "place", "service", "start"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client):
    user = factories.create_staff("Ada Min", "administrator")
    client.force_login(user)
    return user


def press(browser, destination, do, **more) -> str:
    address = reverse("admin:export-destination", args=[destination.pk])
    return browser.post(address, {"do": do, **more}, follow=True).text


def test_an_administrator_registers_proves_and_ends_a_destination(client, ada, place, service):
    said = {"client": service.client.client_id, "kind": "https", "url": f"{place.base}/in"}
    said |= {"pins": place.pin, "secret": "drop-token"}
    page = client.post(reverse("admin:export-destinations"), said, follow=True).text
    made = Destination.objects.get()
    assert made.challenge in page
    assert "Not proven yet" in page
    assert "drop-token" not in page
    assert "drop-token" not in made.secret

    assert "challenge is not at" in press(client, made, "prove")
    place.files[f"/.well-known/chartkey-export/{made.pk}"] = made.challenge.encode()
    assert "Proven" in press(client, made, "prove")
    assert f"{place.base}/in" in client.get(reverse("admin:export-destinations")).text
    assert "Ended" in press(client, made, "end")
    assert "Press one" in press(client, made, "")


def test_a_large_export_is_released_by_a_second_person_who_sees_it_on_the_list(
    client, ada, place, service, start, settings
):
    destination = place.proven(service.client, ada)
    start(f"{GROUP}{destination.pk}")
    run()
    settings.BULK_SECOND_PERSON_OVER = 1
    approvals.second(Push.objects.get().job.approval, by=an_administrator("Bo Berg"))
    push = sent(Push.objects.get())
    assert "Waiting for a second person" in client.get(reverse("admin:export-destinations")).text
    assert "cannot release it" in press(client, destination, "release", push=push.pk)
    assert "no such export" in press(client, destination, "release", push="x")

    client.force_login(an_administrator("Cleo Dahl"))
    press(client, destination, "release", push=push.pk)
    assert sent(push).status == "done"


@pytest.mark.parametrize("hosts", [[], [HOST]])
def test_without_hosts_of_the_operators_there_is_no_form(client, ada, settings, hosts):
    settings.EXPORT_PUSH_HOSTS = hosts

    page = client.get(reverse("admin:export-destinations")).text
    assert ("EXPORT_PUSH_HOSTS" in page) is not bool(hosts)
    assert ('name="secret"' in page) is bool(hosts)


def test_support_staff_find_no_destinations(client):
    client.force_login(factories.create_staff("Sam Oda", "support"))

    assert client.get(reverse("admin:export-destinations")).status_code == 403
    assert client.post(reverse("admin:export-destinations"), {}).status_code == 403
