"""Every address of the site, and what it answers to whom."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import resolve_url
from django.test import Client
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RegexPattern
from django.utils.regex_helper import normalize

ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")  # of a path(): <uuid:consent_id>
REFUSALS = {"sign-in", "401", "403", "404", "405"}


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the URLconf: the pattern as it is written there, and its full name."""

    pattern: str
    name: str

    def addresses(self, things: dict[str, str]) -> set[str]:
        """The addresses that this pattern takes: an argument stands for the thing of its name, and
        where there is none of that name for each of them in turn."""
        names = [name for _, name in ARGUMENT.findall(self.pattern)]
        choices = things.values() if set(names) - set(things) else [""]
        return set(filter(leads_somewhere, (self._filled(things, other) for other in choices)))

    def _filled(self, things: dict[str, str], other: str) -> str:
        return ARGUMENT.sub(lambda argument: things.get(argument[2], other), self.pattern)

    @property
    def names_a_thing(self) -> bool:
        return bool(ARGUMENT.search(self.pattern))


def leads_somewhere(address: str) -> bool:
    try:
        resolve(address)
    except Resolver404:
        return False
    return True


def walk(resolver: URLResolver | None = None, before: str = "/", space: str = "") -> Iterator[Route]:
    for entry in (resolver or get_resolver()).url_patterns:
        pattern = before + _as_path(entry)
        if isinstance(entry, URLResolver):
            yield from walk(entry, pattern, f"{space}{entry.namespace}:" if entry.namespace else space)
        else:
            yield Route(pattern, space + (entry.name or "-"))


def _as_path(entry: URLPattern | URLResolver) -> str:
    """The pattern as path() writes it; a regular expression is turned into one."""
    if not isinstance(entry.pattern, RegexPattern):
        return str(entry.pattern)
    text, names = normalize(str(entry.pattern))[0]
    return text % {name: f"<{name}>" for name in names}


class Visitor:
    """A browser in which one person is signed in, or nobody, and stays so whatever it asks."""

    def __init__(self, user: object = None) -> None:
        self.client = Client(raise_request_exception=False)
        if user is not None:
            self.client.force_login(user)
        self.cookies = self.client.cookies.output()

    def ask(self, method: str, path: str) -> HttpResponse:
        """One request of which nothing stays, neither in the database nor in the browser."""
        self.client.cookies.clear()
        self.client.cookies.load(self.cookies.replace("Set-Cookie: ", ""))
        with transaction.atomic():
            response = self.client.generic(method, path)
            if response.streaming:
                content = b"".join(response.streaming_content)
                response = HttpResponse(content, status=response.status_code, headers=response.headers)
            transaction.set_rollback(True)
        return response


def answer(response: HttpResponse) -> str:
    """ "sign-in" for a way to the sign-in page, the status of a refusal or an error, else "open"."""
    if response.status_code in {301, 302, 303, 307}:
        to_sign_in = urlsplit(response.url).path == resolve_url(settings.LOGIN_URL)
        return "sign-in" if to_sign_in else "open"
    status = str(response.status_code)
    return status if status in REFUSALS or status == "500" else "open"
