"""Four documents that say the same, and that say what the server does."""

import pytest
from django.test import Client as Browser
from django.urls import Resolver404, resolve

from smart.views.discovery import CAPABILITIES

SMART = "/fhir/r4/.well-known/smart-configuration"
DOCUMENTS = [
    SMART,
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
]


def document(path: str) -> dict[str, object]:
    response = Browser().get(
        path, headers={"Accept": "application/fhir+xml", "Origin": "https://app.example"}
    )
    assert response.status_code == 200, path
    assert response["Content-Type"] == "application/json"
    assert response["Access-Control-Allow-Origin"] == "*"
    return response.json()


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_names_endpoints_that_are_there(path):
    found = document(path)

    endpoints = {name: url for name, url in found.items() if name.endswith(("_endpoint", "_uri"))}
    assert {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= set(endpoints)
    missing = []
    for name, url in endpoints.items():
        assert url.startswith("http://testserver/"), name
        try:
            resolve(url.removeprefix("http://testserver"))
        except Resolver404:
            missing.append(name)
    assert [name for name in missing if name != "management_endpoint"] == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_agree(path):
    found = document(path)

    assert found["issuer"] == "http://testserver"
    grant_types = ["authorization_code", "refresh_token", "client_credentials"]
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    assert found["grant_types_supported"] == [*grant_types, exchange]
    assert found["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["authorization_response_iss_parameter_supported"] is True


def test_smart_configuration_claims_whole_sets():
    """SMART 2.2, "Patient Access for Standalone Apps"; nothing is claimed that is not there."""
    capabilities = document(SMART)["capabilities"]

    assert {"launch-standalone", "client-public", "context-standalone-patient", "permission-patient"} <= set(
        capabilities
    )
    assert {"launch-ehr", "context-ehr-patient", "context-ehr-encounter", "permission-user"} <= set(
        CAPABILITIES
    )
    assert not {"context-standalone-encounter", "smart-app-state"} & set(CAPABILITIES)


@pytest.mark.parametrize(
    "path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/fhir/r4"]
)
def test_the_resource_names_its_authorization_server(path):
    found = document(path)

    assert found["resource"] == "http://testserver/fhir/r4"
    assert found["authorization_servers"] == ["http://testserver"]


def test_keys_are_public():
    keys = document("/.well-known/jwks.json")["keys"]

    assert [(key["kty"], key["alg"], key["use"]) for key in keys] == [
        ("RSA", "RS256", "sig"),
        ("EC", "ES384", "sig"),
    ]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for key in keys for name in key}


def test_urls_do_not_follow_the_host_header():
    found = Browser().get(SMART, headers={"Host": "localhost"}).json()

    assert found["token_endpoint"] == "http://testserver/o/token/"
