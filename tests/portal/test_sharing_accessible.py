"""The pages about sharing, as full as they get, in a real browser: axe, reflow, target size."""

from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from consent import commands
from consent.vocabulary import Category
from tests import factories
from tests.portal.browsing import browsing
from tests.portal.looking import wrong_on
from tests.portal.sharing import HTMX, act, helper_of, limit_of, propose
from tests.portal.test_who_sees import question

__all__ = ["question"]  # a fixture
COUNTED = {"do": "preview", "what": "all", "days": "30"}


@pytest.fixture
def pages(alice: User, client: Client, question: str) -> dict[str, HttpResponse]:
    """Address → response, with something in every part of the pages, before and after a pause."""
    patient, month = alice.patient, timezone.now() + timedelta(days=30)
    consent, helper = factories.create_consent(patient), helper_of(patient)
    commands.share(
        patient=patient,
        recipient="Organization/riverside",
        categories=[Category.IMAGING],
        labels=["HIV"],
        until=month,
        act=act(patient),
    )
    commands.prefer(patient=patient, directive="research", permit=True, act=act(patient))
    propose(patient)
    commands.answer(limit_of(patient), agreed=True, act=act(patient))
    limit_of(patient)
    addresses = [
        "/",
        reverse("portal:sharing"),
        reverse("portal:sharing-limit"),
        reverse("portal:sharing-use", args=["research"]),
        reverse("portal:sharing-use", args=["treatment"]),
        reverse("portal:share", args=[helper.pk]),
        reverse("portal:app", args=[consent.pk]),
        reverse("portal:who", args=["Observation", "alice-ldl-7"]),
        reverse("portal:who", args=["DocumentReference", "alice-document-3"]),
    ]
    open_pages = {path: client.get(path) for path in addresses}
    counts = reverse("portal:app-sees", args=[consent.pk])
    open_pages |= {counts: client.get(counts, headers=HTMX), "/counts/": client.get(counts)}
    open_pages["/wrong/limit/"] = client.post(reverse("portal:sharing-limit"), {"what": "choose"})
    open_pages["/counted/"] = client.post(question, COUNTED)
    commands.pause_all(patient, act=act(patient))
    paused = {f"/paused{path}": client.get(path) for path in (*addresses[:2], *addresses[5:7])}
    return open_pages | paused


def whole(pages: dict[str, HttpResponse]) -> list[str]:
    """Without what htmx asks for."""
    return [path for path, response in pages.items() if "<html" in response.text]


@pytest.fixture
def spanish(client: Client) -> None:
    client.post("/language/", {"language": "es"})


def test_pages_about_sharing_are_accessible(pages):
    with browsing(pages) as page:
        found = wrong_on(page, whole(pages))

    assert found == {}
    assert {response.status_code for response in pages.values()} == {200, 422}


def test_pages_about_sharing_are_accessible_in_spanish(spanish, pages):
    with browsing(pages, width=320) as page:
        found = wrong_on(page, whole(pages), [(320, "light")], language="es")

    assert found == {}
    assert "Quién puede ver su historial" in pages[reverse("portal:sharing")].text
