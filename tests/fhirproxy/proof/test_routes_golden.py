"""A11: every address below /fhir/, who asks, what decides, what the log says, and the status: a golden file.

Written by: UPDATE_GATE=1 python -m pytest tests/fhirproxy/proof/test_routes_golden.py
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import Max
from django.test import Client as Browser
from django.urls import resolve
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands
from consent.vocabulary import Category
from fhirproxy.served import SERVED
from smart.models import AccessToken
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import FHIR_JSON, FORM
from tests.fhirproxy.proof.cases import OWNED, REACHED, UNSERVED
from tests.fhirproxy.proof.conftest import World
from tests.habits.routes import walk

GATE = Path(__file__).with_name("gate.txt")
pytestmark = pytest.mark.django_db
# Who asks: without anything, with a token that nobody was given, with one that has run out, with one whose
# consent was stopped, with a scope that does not reach, signed in in a browser, and with all it needs.
ASKERS = ("none", "unknown", "expired", "stopped", "no-scope", "session", "good")
GROUPS = {"owned": "Observation", "reached": "Medication", "shared": "Practitioner", "unserved": "Account"}
HEADER = """\
# Every address below /fhir/: method, path, who asks (see ASKERS), what decides, what the log says, status.
# {owned} is a type of the patient's own, {reached} one that is read through others, {shared} the clinic's,
# {unserved} any other of R4. What decides: nobody (public), the token, the list of what is served, decide().
# Written by: UPDATE_GATE=1 python -m pytest tests/fhirproxy/proof/test_routes_golden.py
"""
BATCH = '{"resourceType":"Bundle","type":"%s","entry":[{"request":{"method":"GET","url":"Observation"}}]}'
OF_A_TYPE = (
    *(("GET", "{type}"), ("GET", "{type}?_id=x"), ("GET", "{type}?unknown=x"), ("GET", "{type}?_id:not=x")),
    *(("POST", "{type}/_search"), ("GET", "{type}/_search"), ("GET", "{type}/_history"), ("POST", "{type}")),
    *(("GET", "{type}/{id}"), ("GET", "{type}/{id}?_elements=id"), ("GET", "{type}/{id}?unknown=x")),
    *(("GET", "{type}/{id}/_history"), ("GET", "{type}/{id}/_history/{version}"), ("GET", "{type}/nobody")),
    *(("GET", "{type}/{id}/$everything"), ("GET", "{type}/{id}/$meta"), ("GET", "{type}/$match")),
    *(("HEAD", "{type}/{id}"), ("PUT", "{type}/{id}"), ("PATCH", "{type}/{id}"), ("DELETE", "{type}/{id}")),
    *(("PUT", "{type}?_id=x"), ("DELETE", "{type}?_id=x"), ("OPTIONS", "{type}/{id}")),
)
OF_ALL = (
    *(("GET", "metadata"), ("POST", "metadata"), ("GET", ".well-known/smart-configuration")),
    *(("GET", ""), ("POST", "", BATCH % "batch"), ("POST", "", BATCH % "transaction"), ("POST", "", "{}")),
    *(("GET", "Patient/{patient}/$everything"), ("GET", "Patient/{patient}/$everything?_type=Observation")),
    *(("GET", "Patient/{patient}/$everything?unknown=x"), ("POST", "Patient/{patient}/$everything")),
    *(("GET", "Patient/{patient}/Observation"), ("GET", "Patient/$everything"), ("GET", "$everything")),
    *(("GET", "$export"), ("GET", "Patient/$export"), ("GET", "Group/1/$export"), ("GET", "_history")),
    *(("GET", "_search"), ("POST", "_search"), ("GET", "Nonsense"), ("GET", "Nonsense/1"), ("GET", "x/y/z")),
    *(("GET", "observation/1"), ("GET", "Binary/{binary}"), ("GET", "$graphql"), ("POST", "$graphql")),
)
CONSENTS = (
    *(("GET", "Consent"), ("POST", "Consent/_search"), ("GET", "Consent?unknown=x"), ("POST", "Consent")),
    *(("GET", "Consent/{consent}"), ("GET", "Consent/{consent}/_history"), ("PUT", "Consent/{consent}")),
    *(("GET", "Consent/{consent}/_history/1"), ("GET", "Consent/nobody"), ("DELETE", "Consent/{consent}")),
    *(("PATCH", "Consent/{consent}"), ("GET", "Consent/{consent}/$everything")),
)
AUDIT_EVENTS = (
    *(("GET", "AuditEvent"), ("POST", "AuditEvent/_search"), ("GET", "AuditEvent?unknown=x")),
    *(("GET", "AuditEvent/nobody"), ("POST", "AuditEvent"), ("PUT", "AuditEvent/nobody")),
    *(("DELETE", "AuditEvent/nobody"), ("GET", "AuditEvent/nobody/_history")),
)
JOB = "bulk/00000000-0000-4000-8000-000000000000"
SERVICES = (  # for backend services, and so for nobody here
    *(("GET", "Group"), ("POST", "Group/_search"), ("GET", "Group/1"), ("POST", "Group/1/$export")),
    *(("GET", JOB), ("DELETE", JOB), ("GET", f"{JOB}/Patient.1.ndjson")),
)
PEOPLE = tuple(("GET", f"{kind}/nobody") for kind in ("Person", "PractitionerRole", "RelatedPerson"))
PEOPLE = (*PEOPLE, ("GET", "RelatedPerson"), ("POST", "RelatedPerson/_search"))
RECEIPTS = (("GET", "Task/{task}"), ("DELETE", "Task/{task}"), ("PUT", "Task/{task}"), ("GET", "Task"))


@dataclass(frozen=True, slots=True)
class Row:
    method: str
    path: str  # pattern
    decides: str
    said: str  # in the log
    status: int

    def of(self, who: str) -> str:
        told = f"{who:42} {self.decides:8} {self.said:60} {self.status}"
        return f"{self.method:7} {self.path:52} {told}"


def asked(base: str) -> Iterator[tuple[str, str, str]]:
    """Method, pattern and body."""
    for one in (*OF_ALL, *CONSENTS, *AUDIT_EVENTS, *PEOPLE, *RECEIPTS, *SERVICES):
        method, path, *body = one
        yield method, f"{base}{path}", body[0] if body else ""
    for group in GROUPS:
        for method, path in OF_A_TYPE:
            yield method, f"{base}{path.replace('{type}', f'{{{group}}}')}", ""


def patterns() -> list[tuple[str, str, str]]:
    # Of an EHR's own base: the same view, so a few say it.
    other = ("metadata", ".well-known/smart-configuration", "", "{owned}", "{owned}/{id}", "{unserved}/{id}")
    of_source = [("GET", f"/fhir/{{source}}/r4/{path}", "") for path in other]
    nowhere = [("GET", path, "") for path in ("/fhir/nowhere/r4/{owned}", "/fhir/r5/metadata", "/fhir/")]
    bare = [("GET", path, "") for path in ("/fhir/r4", "/fhir/{source}/r4")]
    return [*asked("/fhir/r4/"), *bare, *of_source, *nowhere]


@pytest.fixture
def visitors(world: World) -> dict[str, tuple[Browser, dict[str, str]]]:
    """By who asks: a browser, and the headers it sends."""
    signed_in = Browser(raise_request_exception=False)
    signed_in.force_login(world.patient.user)
    nobody = Browser(raise_request_exception=False)
    ended = factories.create_consent(world.patient, categories=list(Category))
    tokens = {"unknown": "nobody-gave-this", "stopped": issue(ended), "good": world.app.token}
    commands.revoke(ended, by=world.patient.user)
    tokens |= {"expired": issue(world.consent), "no-scope": issue(world.consent, "patient/Immunization.rs")}
    late = AccessToken.objects.order_by("-pk")[1]
    AccessToken.objects.filter(pk=late.pk).update(expires=timezone.now() - timedelta(minutes=1))
    return {
        who: (
            signed_in if who == "session" else nobody,
            {"Authorization": f"Bearer {tokens[who]}"} if who in tokens else {},
        )
        for who in ASKERS
    }


def fill(pattern: str, world: World, types: dict[str, str] = GROUPS) -> str:
    kind = next((types[group] for group in GROUPS if f"{{{group}}}" in pattern), "Observation")
    values = {
        **types,
        "id": records.id_of(kind, world.alice),
        "version": "1",
        "patient": f"{world.alice}-patient",
        "binary": f"{world.alice}-binary",
        "consent": str(world.consent.pk),
        "task": "00000000-0000-4000-8000-000000000001",  # of nobody
        "source": "embedded",
    }
    return pattern.format(**values)


def ask(visitor: tuple[Browser, dict[str, str]], pattern: str, method: str, path: str, body: str) -> Row:
    browser, headers = visitor
    latest = AuditEvent.objects.aggregate(at=Max("recorded_at"))["at"]
    searching = path.endswith("_search")
    content = {"content_type": FORM if searching else FHIR_JSON, "data": "_count=1" if searching else body}
    response = browser.generic(
        method, path, headers={"Accept": FHIR_JSON, **headers}, **({} if method == "GET" else content)
    )
    events = AuditEvent.objects.filter(recorded_at__gt=latest).order_by("recorded_at", "id")
    said = " + ".join(" ".join((e.type, e.outcome, ",".join(e.reasons))).strip() for e in events)
    return Row(method, pattern, decides(response.status_code, said), said or "-", response.status_code)


def decides(status: int, said: str) -> str:
    if status == 401:
        return "token"
    if not said:
        return "public" if status < 400 else "list"
    return "list" if said.startswith("record:refuse") else "decide()"


def lines(world: World, visitors: dict[str, tuple[Browser, dict[str, str]]]) -> Iterator[str]:
    for method, pattern, body in patterns():
        rows: dict[Row, list[str]] = {}
        for who in ASKERS:
            path = fill(pattern, world)
            rows.setdefault(ask(visitors[who], pattern, method, path, body), []).append(who)
        sent = next((word for word in ("batch", "transaction") if word in body), body and "no Bundle")
        shown = f"{pattern} {sent}"
        for row, who in rows.items():
            yield Row(method, shown.strip(), row.decides, row.said, row.status).of(",".join(who)).rstrip()


def test_A11_the_gate_answers_as_the_golden_file_says(world, visitors):
    found = HEADER + "\n".join(lines(world, visitors)) + "\n"
    if os.environ.get("UPDATE_GATE"):
        GATE.write_text(found)

    assert found.splitlines() == GATE.read_text().splitlines()


def test_A11_every_route_below_fhir_has_a_line(world):
    """A route that nobody wrote a line for would not be in the file, and not be looked at."""
    asked_for = {resolve(fill(pattern, world).partition("?")[0]).route for _, pattern, _ in routed()}
    routes = {route.pattern.removeprefix("/") for route in walk() if route.pattern.startswith("/fhir/")}

    routes.discard("fhir/")  # whatever has no address of its own: "/fhir/" and others stand for it

    assert routes
    assert routes == asked_for & routes, routes - asked_for


def routed() -> Iterator[tuple[str, str, str]]:
    return iter(patterns())


def test_A11_only_what_is_public_is_open_to_nobody():
    public = {
        line.split()[1].rpartition("/")[2] for line in GATE.read_text().splitlines() if " public " in line
    }

    assert public == {"metadata", "smart-configuration"}


@pytest.mark.parametrize("group", GROUPS)
def test_A11_every_type_is_answered_as_the_one_that_stands_for_its_group(world, visitors, group):
    of_group = {"owned": OWNED, "reached": REACHED, "shared": records.SHARED, "unserved": UNSERVED}[group]
    apart = {"Patient", "Binary", "Provenance"}  # each in its own way, in OF_ALL and in the matrix
    assert set(of_group) <= set(SERVED) or group == "unserved"
    for method, path in OF_A_TYPE[:: 8 if group == "unserved" else 1]:
        pattern = f"/fhir/r4/{path.replace('{type}', f'{{{group}}}')}"
        said = {
            kind: ask(visitors["good"], pattern, method, fill(pattern, world, GROUPS | {group: kind}), "")
            for kind in of_group
            if kind not in apart
        }
        assert set(said.values()) == {said[GROUPS[group]]}, {
            k: v for k, v in said.items() if v != said[GROUPS[group]]
        }
