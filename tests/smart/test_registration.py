import pytest

from audit.models import AuditEvent
from smart.commands import InvalidClient, register_client
from smart.models import Client
from tests import factories

pytestmark = pytest.mark.django_db


def test_registration_stands_in_the_log():
    by = factories.create_user("Cora Lind")
    client = factories.acme_client(by=by)

    event = AuditEvent.objects.get(target=f"Client/{client.client_id}")
    assert (event.type, event.actor) == ("client:register", f"User/{by.pk}")
    assert Client.objects.get().status == "active"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": []},
        {"redirect_uris": ["/callback"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["https://app.example/callback#here"]},
        {"redirect_uris": ["https://me@app.example/callback"]},
        {"redirect_uris": ["https://app.example/a b"]},
        {"client_type": "confidential"},
        {"client_type": "confidential", "client_secret": "short"},
        {"client_type": "nonsense"},
        {"scope": "patient/Nonsense.rs"},
        {"privacy_policy_uri": "javascript:alert(1)"},
        {"privacy_policy_uri": "data:text/html,<script>alert(1)</script>"},
        {"privacy_policy_uri": "ftp://acme.example/privacy"},
        {"privacy_policy_uri": "//acme.example/privacy"},
        {"privacy_policy_uri": "https://"},
        {"privacy_policy_uri": "https://[acme"},
    ],
)
def test_what_cannot_be_registered(changes):
    registration = {
        "client_id": "acme",
        "name": "Acme",
        "vendor": "Acme Health",
        "purpose": "to show your sugar levels",
        "redirect_uris": ["https://app.example/callback"],
        "client_type": "public",
        "scope": "",
    }

    with pytest.raises(InvalidClient):
        register_client(**registration | changes)
    assert not Client.objects.exists()


def test_the_name_of_a_client_shows_no_secret():
    client = factories.acme_client(client_type="confidential", client_secret="s" * 43)

    assert "s" * 43 not in f"{client} {client!r}"
    assert client.client_secret.startswith("smart_sha256$")
