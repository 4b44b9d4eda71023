"""Pages that few people come to, in a real browser and both languages: see test_accessibility."""

import pytest
from django.test import Client

from accounts import activation
from accounts.models import User
from tests import factories
from tests.portal.browsing import browsing
from tests.portal.looking import LOOKS, wrong_on
from tests.portal.test_accessibility import Pages

pytestmark = pytest.mark.django_db
LAUNCH = "http://127.0.0.1:8001/launch"


def pages_of(language: str) -> Pages:
    """Address → response, of a helper's, a clinician's, billing's and a visitor's pages."""
    tom, acme = factories.tom(), factories.acme_client(launch_uri=LAUNCH)
    mother = factories.alice()
    helping = factories.let_help(mother.user, tom, "PRN")
    watched = factories.create_patient("Vera Ip")
    type(watched).objects.filter(pk=watched.pk).update(watched_since="2026-01-05T09:00:00Z")
    staff = factories.dr_osei(treats=[watched]), factories.create_staff("Bill Ward", "billing")
    patient, doctor, desk = (_browser(user, language) for user in (mother.user, *staff))
    visitor = Client()
    visitor.post("/language/", {"language": language})
    child = {"code": activation.issue(tom, by=None), "name": tom.name, "birth_date": tom.birth_date}
    type(tom).objects.filter(pk=tom.pk).update(birth_date="2024-05-05")
    child["birth_date"] = "2024-05-05"
    stop, chart = f"/acting/{helping.pk}/stop/", f"/review/chart/{watched.pk}/"
    desk.post("/billing/", {"name": mother.name, "born": mother.birth_date})
    return {
        stop: patient.get(stop),
        "/apps/open/": patient.get("/apps/open/"),
        "/app/": patient.get("/apps/open/", {"app": acme.client_id}),
        "/gone/": patient.get("/apps/open/", {"app": "none"}),
        chart: doctor.get(chart),
        "/child/": visitor.post("/activate/", child),
        "/billing/": desk.post("/billing/", {"name": "Nobody Here", "born": "1980-01-01"}),
        "/billing/account/": desk.get("/billing/account/"),
    }


def _browser(user: User, language: str) -> Client:
    client = Client()
    client.force_login(user)
    client.post("/language/", {"language": language})
    return client


@pytest.mark.parametrize(("language", "looks"), [("en", LOOKS), ("es", [(390, "light")])])
def test_pages_are_accessible(language, looks):
    pages = pages_of(language)
    assert {name: page.status_code for name, page in pages.items() if page.status_code >= 404} == {
        "/gone/": 404,
        "/billing/": 422,
    }
    with browsing(pages) as page:
        found = wrong_on(page, pages, looks, language=language)

    assert found == {}
