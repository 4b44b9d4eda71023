"""What stands around every page."""

import re

import pytest

pytestmark = pytest.mark.django_db
SCRIPT = r'<script(?![^>]*\s(?:src=|type="application/json"))'  # data is not run


@pytest.mark.parametrize("path", ["/", "/help/", "/design/", "/accounts/login/"])
def test_page_holds_no_inline_script_or_style(client, path):
    page = client.get(path).text

    assert "MISSING-VARIABLE" not in page
    assert not re.search(rf"<style|\sstyle=|\son\w+=|hx-on|javascript:|{SCRIPT}", page)


def test_visitor_sees_no_tabs(client):
    assert 'class="tabs"' not in client.get("/").text


def test_language_changes_without_javascript(client):
    response = client.post("/language/", {"language": "es", "next": "/help/"}, follow=True)

    assert response.redirect_chain == [("/help/", 302)]
    assert '<html lang="es"' in response.text


def test_language_form_does_not_lead_off_the_site(client):
    response = client.post("/language/", {"language": "es", "next": "https://evil.example/"})

    assert response.headers["Location"] == "/"


def test_wrong_password_is_said_clearly(client):
    response = client.post("/accounts/login/", {"login": "nobody@demo.example", "password": "wrong"})

    assert response.status_code == 200
    assert 'class="note bad" role="alert"' in response.text
