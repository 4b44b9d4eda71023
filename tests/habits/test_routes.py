"""A walk over every address: signed out, as somebody else, as the patient, and as staff.

`routes.txt` shows what each answers to whom. After adding a page, write it anew and look at the
difference: UPDATE_ROUTES=1 python -m pytest tests/habits/test_routes.py
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings

from tests.habits.cast import MARKER, create_people, create_things
from tests.habits.routes import Route, Visitor, answer, walk

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("routes")]  # one walk serves all tests here
TABLE = Path(__file__).with_name("routes.txt")
METHODS = ("GET", "POST")
KNOWING = ("patient", "compliance")  # one of them gets into whatever there is
WALKERS = ("signed-out", "mallory", "patient", "clinician", "compliance")
HEADING = f"""\
# What every address answers: {", ".join(WALKERS)}.
# "patient" is Alice; an address that names a thing is asked for with Alice's own.
# Written by: UPDATE_ROUTES=1 python -m pytest tests/habits/test_routes.py
"""

# Open to anyone, each for a reason.
PUBLIC = {
    # the way in, and out
    "account_confirm_email",
    "account_email_verification_sent",
    "account_inactive",
    "account_login",
    "account_logout",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_signup",
    "mfa_login_webauthn",
    # pages that name nobody: what this place is, help, which language; and who asks, before sign-in
    "portal:authorize",
    "portal:authorize-answer",
    "portal:end-session",
    "portal:end-session-answer",
    "portal:design",
    "portal:help",
    "portal:home",
    "portal:language",
    "portal:more",
    # what SMART and OAuth publish, and endpoints where a client proves itself by other means
    "fhirproxy:metadata",
    "fhirproxy:smart-configuration",
    "fhirproxy:source-metadata",
    "fhirproxy:source-smart-configuration",
    "brands",
    "smart:authorization-server",
    "smart:jwks",
    "smart:openid-configuration",
    "smart:protected-resource",
    "smart:protected-resource-path",
    "source-protected-resource",
    "smart:revoke",
    "smart:style",
    "smart:token",
    # SMART Health Links: the address is the secret (256 bits), and what it leads to is encrypted
    "shl:file",
    "shl:link",
    # what CDS Hooks publishes
    "cds-services",
    # whether this process answers, and which EHRs do
    "healthz",
    "status",
    # making an account with a clinic's code
    "portal:activate",
    "portal:activate-account",
    "portal:activate-confirm",
    # whether a session ends soon; to a visitor, that there is none
    "portal:session",
    # what the JSON API publishes of itself
    "api:schema",
}


@dataclass
class Walk:
    """What was answered: by (route, method, walker), the answers for each thing that was asked for."""

    answers: dict[tuple[Route, str, str], set[str]] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)  # addresses that showed somebody else a thing of Alice's
    errors: dict[str, str] = field(default_factory=dict)  # address -> what went wrong

    def guard(self, route: Route, method: str, walker: str) -> str:
        """One word for all things: open if one of them was."""
        found = self.answers[route, method, walker]
        return next((word for word in ("500", "open") if word in found), "/".join(sorted(found)))

    def lines(self) -> Iterator[str]:
        for route, method, _ in sorted(self.answers, key=lambda key: (key[0].pattern, key[0].name, key[1])):
            guards = [self.guard(route, method, walker) for walker in WALKERS]
            if set(guards) != {"405"}:
                yield f"{method:4} {route.pattern:60} {route.name:40} {' '.join(guards)}".rstrip()

    def where(self, walker: str, *words: str) -> list[str]:
        """Methods and names of the routes that answer `walker` with one of these words."""
        keys = ((route, method) for route, method, who in self.answers if who == walker)
        return sorted(f"{m} {r.name}" for r, m in keys if self.guard(r, m, walker) in words)


@pytest.fixture(scope="module")
def walked(django_db_setup, django_db_blocker) -> Walk:
    result = Walk()
    logging.disable(logging.CRITICAL)  # thousands of refusals; errors are kept in the result
    with (
        django_db_blocker.unblock(),
        override_settings(ACCOUNT_RATE_LIMITS=False),
        transaction.atomic(),
    ):
        people = create_people()
        things = create_things(people["patient"])
        knowing = [Visitor(people[who]) for who in KNOWING]
        addresses = {route: fitting(route.addresses(things), knowing) for route in walk()}
        for walker in WALKERS:
            visitor = Visitor(people.get(walker))
            for route, method in product(walk(), METHODS):
                assert addresses[route], f"Nothing fits {route.pattern}: add one to tests/habits/cast.py"
                visit(result, walker, visitor, route, method, addresses[route])
        transaction.set_rollback(True)
    logging.disable(logging.NOTSET)
    return result


def fitting(addresses: set[str], visitors: list[Visitor]) -> set[str]:
    """Of many addresses for a route, those that are something to somebody; else any one. The walk is long."""
    if len(addresses) < 2:
        return addresses
    answers = {a: {answer(v.ask(method, a)) for v in visitors for method in METHODS} for a in addresses}
    return {a for a, found in answers.items() if found - {"404", "405"}} or {min(addresses)}


def visit(
    result: Walk, walker: str, visitor: Visitor, route: Route, method: str, addresses: set[str]
) -> None:
    found = result.answers.setdefault((route, method, walker), set())
    for address in addresses:
        response = visitor.ask(method, address)
        found.add(answer(response))
        if exc_info := getattr(response, "exc_info", None):
            result.errors[f"{walker} {method} {route.pattern}"] = repr(exc_info[1])
        if walker in {"signed-out", "mallory"} and MARKER.encode() in response.content:
            result.leaks.append(f"{method} {route.name}")


def test_nobody_gets_in_without_signing_in(walked):
    is_open = {name.split()[1] for name in walked.where("signed-out", "open")}

    assert is_open - PUBLIC == set()


def test_the_public_list_names_only_what_is_there():
    assert PUBLIC - {route.name for route in walk()} == set()


def test_nobody_is_let_into_what_is_not_theirs(walked):
    named = {route.name for route in walk() if route.names_a_thing} - PUBLIC
    is_open = {name for name in walked.where("mallory", "open") if name.split()[1] in named}

    assert is_open == set()


def test_no_page_shows_somebody_else_a_word_of_alice(walked):
    assert walked.leaks == []


def test_no_address_fails(walked):
    assert walked.errors == {}
    assert [walked.where(walker, "500") for walker in WALKERS] == [[]] * len(WALKERS)


def test_the_patient_gets_in(walked):
    assert "GET portal:home" in walked.where("patient", "open")


def test_the_table_of_guards_is_the_one_that_was_reviewed(walked):
    table = HEADING + "".join(f"{line}\n" for line in dict.fromkeys(walked.lines()))
    if os.environ.get("UPDATE_ROUTES"):
        TABLE.write_text(table)

    assert TABLE.read_text().splitlines() == table.splitlines(), (
        "Guards changed. Look at the difference: UPDATE_ROUTES=1 python -m pytest tests/habits/test_routes.py"
    )
