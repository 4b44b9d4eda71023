"""Identity providers come out of the environment, and a mistake there is said at the start."""

import pytest

from config import providers
from config.env import BadVariable, MissingVariable

START = "IDENTITY_PROVIDER_STATE_ID_"
WHOLE = {
    "IDENTITY_PROVIDERS": "state-id",
    f"{START}ISSUER": "https://id.example",
    f"{START}CLIENT_ID": "chartkey",
    f"{START}SECRET": "s",
    f"{START}LABEL": "State ID",
    f"{START}ASSURANCE": "acr:http://idmanagement.gov/ns/assurance/aal/2=mfa, ial:2=identified",
}


@pytest.fixture
def told(monkeypatch):
    def tell(**changes):
        for name, value in (WHOLE | changes).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return tell


def test_each_is_read_with_what_its_claims_count_as(told):
    told()

    found = providers.read(plain=False)["state-id"]
    assert (found.label, found.issuer) == ("State ID", "https://id.example")
    assert found.acr_values == ("http://idmanagement.gov/ns/assurance/aal/2",)
    assert found.assurance[1] == ("ial", "2", "identified")


def test_none_is_the_default(told):
    told(IDENTITY_PROVIDERS=None)

    assert providers.read(plain=False) == {}


@pytest.mark.parametrize("text", ["ial:2", "ial=identified", "ial:2=certain", "=mfa"])
def test_assurance_that_cannot_be_read_is_refused(told, text):
    told(**{f"{START}ASSURANCE": text})

    with pytest.raises(BadVariable):
        providers.read(plain=False)


def test_issuer_without_tls_is_for_tests_alone(told):
    told(**{f"{START}ISSUER": "http://id.example"})

    with pytest.raises(BadVariable):
        providers.read(plain=False)
    assert providers.read(plain=True)


def test_provider_without_a_secret_names_what_is_missing(told):
    told(**{f"{START}SECRET": None})

    with pytest.raises(MissingVariable, match=f"{START}SECRET"):
        providers.read(plain=False)


def test_name_that_is_no_part_of_an_address_is_refused(told):
    told(IDENTITY_PROVIDERS="State ID")

    with pytest.raises(BadVariable):
        providers.read(plain=False)
