"""Production refuses what belongs to the demo, and what protects nobody."""

import pytest

from config import keys
from config.checks import no_demo_in_production
from config.safety import UnsafeStart, refuse_unsafe_start
from tests import factories

HEX = ("FIELD_KEY", "AUDIT_MAC_KEY", "AUDIT_SIGNING_KEY")


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return keys.ensure_oidc_key(tmp_path_factory.mktemp("keys") / "oidc.pem").read_text()


@pytest.fixture
def production(settings, pem):
    settings.DEMO, settings.SECURE, settings.ALLOWED_HOSTS = False, True, ["records.clinic.example"]
    put(settings, keys.fresh_secrets())
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "OIDC_RSA_PRIVATE_KEY": pem}
    return settings


def put(settings, values):
    for name, value in values.items():
        setattr(settings, name, bytes.fromhex(value) if name in HEX else value)


def complaints():
    return {error.id for error in no_demo_in_production(None)}


def test_A27_production_with_real_keys_has_nothing_to_say(production):
    assert complaints() == set()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SECRET_KEY", "demo-" + "kmnpqrst" * 8, "chartkey.E002"),
        ("SECRET_KEY", "short", "chartkey.E002"),
        ("SECRET_KEY", "k" * 60, "chartkey.E002"),
        ("DEBUG", True, "chartkey.E001"),
        ("SECURE", False, "chartkey.E003"),
        ("ALLOWED_HOSTS", ["records.clinic.example", "*"], "chartkey.E004"),
        *[(name, b"demo" + bytes(range(28)), "chartkey.E005") for name in HEX],
        *[(name, b"\x11" * 32, "chartkey.E006") for name in HEX],
    ],
)
def test_A27_production_refuses(production, name, value, complaint):
    setattr(production, name, value)

    assert complaints() == {complaint}


@pytest.mark.parametrize("name", HEX)
def test_A27_every_key_that_the_demo_makes_is_refused(production, name):
    put(production, {name: keys.fresh_secrets(demo=True)[name]})

    assert complaints() == {"chartkey.E005"}


def test_A27_two_keys_are_not_one(production):
    production.AUDIT_MAC_KEY = production.FIELD_KEY

    assert complaints() == {"chartkey.E007"}


def test_A27_a_key_is_not_the_secret_key_either(production):
    production.SECRET_KEY = production.FIELD_KEY.hex()

    assert complaints() == {"chartkey.E007"}


@pytest.mark.parametrize(
    ("written", "complaint"), [("", "chartkey.E009"), ("no key", "chartkey.E009"), ("demo", "chartkey.E008")]
)
def test_A27_the_key_of_id_tokens_is_there_and_not_the_demo_s(production, tmp_path, written, complaint):
    if written == "demo":
        written = keys.ensure_oidc_key(tmp_path / "oidc.pem", demo=True).read_text()
    production.OAUTH2_PROVIDER = {**production.OAUTH2_PROVIDER, "OIDC_RSA_PRIVATE_KEY": written}

    assert complaints() == {complaint}


@pytest.mark.django_db
def test_A27_production_refuses_demo_log_ins(production):
    factories.create_user("Dana Demo")

    with pytest.raises(UnsafeStart, match="demo log-ins"):
        refuse_unsafe_start()


@pytest.mark.django_db
def test_A27_the_owner_of_the_log_serves_nobody(production):
    with pytest.raises(UnsafeStart, match="owns audit_event"):
        refuse_unsafe_start()
