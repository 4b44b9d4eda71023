"""Production refuses to start with anything that belongs to the demo, or that protects nobody."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from config.keys import DEMO_MARK, DEMO_PEM

KEYS = ("FIELD_KEY", "AUDIT_MAC_KEY", "AUDIT_SIGNING_KEY")  # bytes
MAKE_A_KEY = "Make one: openssl rand -hex 32"


@register(Tags.security)
def no_demo_in_production(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    return [] if settings.DEMO else [*_modes(), *_secrets(), *_oidc_key()]


def _modes() -> Iterator[Error]:
    if settings.DEBUG:
        yield Error("DEBUG is on.", hint="Leave it off.", id="chartkey.E001")
    if not settings.SECURE:
        yield Error("BASE_URL is not https.", hint="Serve it over TLS.", id="chartkey.E003")
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS takes any name.", hint="Name the hosts of this site.", id="chartkey.E004")


def _secrets() -> Iterator[Error]:
    secret = settings.SECRET_KEY
    if secret.startswith("demo-") or len(secret) < 50 or len(set(secret)) < 5:
        yield Error(
            "SECRET_KEY is the demo's, short, or of few characters.",
            hint="Make one: openssl rand -base64 48",
            id="chartkey.E002",
        )
    values = {name: getattr(settings, name) for name in KEYS}
    for name, value in values.items():
        if value.startswith(DEMO_MARK):
            yield Error(f"{name} is the demo's.", hint=MAKE_A_KEY, id="chartkey.E005")
        if len(set(value)) == 1:
            yield Error(f"{name} is one byte, repeated.", hint=MAKE_A_KEY, id="chartkey.E006")
    written = [secret.lower(), *(value.hex() for value in values.values())]
    if len(set(written)) < len(written):
        names = ", ".join(("SECRET_KEY", *KEYS))
        yield Error(f"Two of {names} are equal.", hint="Make each on its own.", id="chartkey.E007")


def _oidc_key() -> Iterator[Error]:
    pem = str(settings.OAUTH2_PROVIDER["OIDC_RSA_PRIVATE_KEY"])
    if DEMO_PEM.strip() in pem:
        yield Error(
            "OIDC_KEY_FILE is the demo's.", hint="python -m config.keys makes one.", id="chartkey.E008"
        )
    elif not _is_rsa_key(pem):
        yield Error(
            "OIDC_KEY_FILE is not there, or holds no RSA key of 2048 bits or more.",
            hint="python -m config.keys makes one.",
            id="chartkey.E009",
        )


def _is_rsa_key(pem: str) -> bool:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        return False
    return isinstance(key, RSAPrivateKey) and key.key_size >= 2048
