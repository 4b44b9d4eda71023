"""Production refuses to start with anything that belongs to the demo."""

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def no_demo_in_production(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    if settings.DEMO:
        return []
    problems: list[CheckMessage] = []
    if settings.DEBUG:
        problems.append(Error("DEBUG is on.", hint="Leave it off.", id="chartkey.E001"))
    if settings.SECRET_KEY.startswith("demo-") or len(settings.SECRET_KEY) < 50:
        problems.append(
            Error(
                "SECRET_KEY is the demo's, or short.",
                hint="Make one: openssl rand -base64 48",
                id="chartkey.E002",
            )
        )
    if not settings.SECURE:
        problems.append(Error("BASE_URL is not https.", hint="Serve it over TLS.", id="chartkey.E003"))
    return problems
