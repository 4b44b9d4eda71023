"""Error pages work signed out, and when the database is down."""

import pytest
from django.test import Client, RequestFactory

from portal.views import problems

pytestmark = pytest.mark.urls("config.urls")


@pytest.mark.django_db
def test_unknown_address_says_so(client):
    response = client.get("/no-such-page/")

    assert response.status_code == 404
    assert "We could not find that page" in response.text


@pytest.mark.django_db
def test_old_form_is_explained(client):
    response = Client(enforce_csrf_checks=True).post("/language/", {"language": "es"})

    assert response.status_code == 403
    assert "This page was open too long" in response.text


def test_server_error_page_needs_no_database():
    # Without the django_db mark, any query of this test fails.
    response = problems.server_error(RequestFactory().get("/"))

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text
    assert "MISSING-VARIABLE" not in response.text


@pytest.mark.parametrize("view", [problems.bad_request, problems.forbidden, problems.not_found])
@pytest.mark.django_db
def test_problem_pages_name_a_cure(view, rf):
    response = view(rf.get("/"), Exception("secret words"))

    assert response.status_code in {400, 403, 404}
    assert "secret words" not in response.text
    assert "Go to Home" in response.text


@pytest.mark.django_db
def test_too_many_tries_are_explained(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    for _ in range(2):
        response = client.post("/accounts/login/", {"login": "nobody@demo.example", "password": "wrong"})

    assert response.status_code == 429
    assert "Wait 5 minutes and try again." in response.text
