"""One decision, whichever way it is asked for; and less is never more.

For generated consents: a resource that can be read is found by a search of its type, stands in the whole
record, is let out by a batch and in its history, in the same bytes; and no other. A consent that says less
shows no more resources, and no more of any.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import authority, commands, fhir
from consent.fhir import RESOURCE_TYPES, Terms
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import ACT_CODE, CONFIDENTIALITY, LABELS, TOPICS, Category
from exports.choices import EXPORTABLE
from exports.models import ExportFile, ExportJob
from exports.personal import REFERRED
from fhirproxy.interactions import Interaction
from fhirproxy.served import SERVED
from portal import records as portal_records
from tests import factories
from tests.exports.making import kickoff, made, package
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import App, Case
from tests.fhirproxy.proof.conftest import World, key

pytestmark = pytest.mark.django_db
bounded = settings(max_examples=15, deadline=None, derandomize=True, database=None)
few = settings(bounded, max_examples=5)

OBSERVED = {
    "laboratory": ("SUD", "HIV", "PSY", "R", "unheard-of"),
    "vital-signs": ("SUD", "V"),
    "social-history": ("GDIS",),
    "survey": ("PSY",),
    "imaging": (),
}
CHOICES = [c for c in Category if c is not Category.CONTACT]
CONTACT_WORD = b"CONTACTWORD"
Bodies = dict[str, bytes]  # "Type/id" → what came


@dataclass(frozen=True)
class Yes:
    """What a generated consent says."""

    categories: frozenset[Category]
    labels: frozenset[str] = frozenset()
    since: int | None = None  # only records of this year and after
    denied: frozenset[str] = frozenset()  # instances that it leaves out
    restricted: frozenset[str] = frozenset()  # and what a limit of its own takes away: types

    def provision(self, client_id: str) -> dict[str, Any]:
        now = timezone.now()
        terms = Terms(
            categories=self.categories, labels=self.labels, start=now, until=now + timedelta(days=9)
        )
        root = fhir.permit(terms, fhir.client_reference(client_id, "Acme"))
        [permit] = root["provision"]
        if self.since:
            permit["dataPeriod"] = {"start": f"{self.since}-01-01"}
        data = [{"meaning": "instance", "reference": {"reference": one}} for one in sorted(self.denied)]
        denial = {"type": "deny", "data": data}
        return root | {"provision": [permit, *([denial] if data else [])]}


def observation(world_key: str, code: str, **changes: Any) -> records.Resource:
    category = {"system": records.LABORATORY["system"], "code": code}
    lab = records.resource_of("Observation", world_key, "plain")
    return lab | {"id": f"{world_key}-{code}", "category": [{"coding": [category]}]} | changes


def record(alice: str) -> Iterator[records.Resource]:
    """A resource of every type that is served, and Observations of each category with each label."""
    yield from (records.resource_of(kind, alice, "plain") for kind in SERVED if kind != "Patient")
    yield contact(records.resource_of("Patient", alice, "plain"))
    helper = contact(records.resource_of("RelatedPerson", alice, "plain"))
    yield helper | {"id": f"{alice}-helper"}
    for code, labels in OBSERVED.items():
        yield observation(alice, code, effectiveDateTime="2019-05-01")
        for label in labels:
            system = CONFIDENTIALITY if label in "RV" else ACT_CODE
            meta = {"security": [{"system": system, "code": label}]}
            yield observation(alice, code, meta=meta) | {"id": f"{alice}-{code}-{label.lower()}"}
    condition = records.resource_of("Condition", alice, "plain") | {"id": "diagnosis"}
    inside = {"contained": [helper | {"id": "helper"}, condition], "text": helper["text"]}
    yield observation(alice, "laboratory", **inside) | {"id": f"{alice}-contains"}
    report = records.resource_of("DiagnosticReport", alice, "plain")
    yield report | {"id": f"{alice}-tells", "result": [{"reference": f"Observation/{alice}-laboratory-hiv"}]}
    mixed = [{"reference": f"Observation/{alice}-{code}"} for code in ("laboratory", "vital-signs-sud")]
    yield records.resource_of("Provenance", alice, "plain") | {"id": f"{alice}-tells-both", "target": mixed}


def contact(person: records.Resource) -> records.Resource:
    word = CONTACT_WORD.decode()
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{word}</div>'
    return person | {
        "text": {"status": "generated", "div": div},
        "address": [{"line": [word], "city": word}],
        "telecom": [{"system": "phone", "value": word}],
        "_address": [{"id": word}],
        "photo": [{"title": word}],
        **({"contact": [{"name": {"text": word}}]} if person["resourceType"] == "Patient" else {}),
    }


@pytest.fixture(scope="module")
def hers(django_db_setup, django_db_blocker) -> Iterator[World]:
    """Alice's record alone, with two versions of each resource, of which the first had no label."""
    with django_db_blocker.unblock(), transaction.atomic():
        alice = key("al")
        patient = factories.create_patient("Alice Moreno", fhir_id=f"{alice}-patient")
        everything = list(record(alice))
        records.keep({k: v for k, v in r.items() if k != "meta"} | {"language": "en"} for r in everything)
        records.keep(everything)
        consent = factories.create_consent(patient)
        app = App(issue(consent))
        yield World(alice, key("mq"), key("gh"), patient, patient, consent, app, app)
        transaction.set_rollback(True)


@contextmanager
def agreed(world: World, yes: Yes) -> Iterator[App]:
    """An app with the token of such a consent; undone at the end."""
    act = Act(by=world.patient.user, channel="portal", text_shown="", language="en")
    with transaction.atomic():
        client = factories.acme_client()
        consent = commands.record_resource(
            {"provision": yes.provision(client.client_id)},
            patient=world.patient,
            act=act,
            kind=Consent.Kind.APP,
            whom={"client": client},
        )
        if yes.restricted:
            limit = {"type": "deny", "class": [{"system": RESOURCE_TYPES, "code": t} for t in yes.restricted]}
            asked = commands.ask_restriction(patient=world.patient, provision=limit, act=act)
            commands.answer(asked, agreed=True, act=act)
        yield App(issue(consent))
        transaction.set_rollback(True)


def stored(world: World) -> list[str]:
    return sorted({f"{r['resourceType']}/{r['id']}" for r in record(world.alice)})


def read(app: App, references: list[str], tail: str = "") -> Bodies:
    """What a read gives of each, as far as it gives anything."""
    answers = {one: app.get(f"{one}{tail}", accept="application/fhir+json") for one in references}
    assert {a.status for a in answers.values()} <= {200, 403, 404}
    return {one: answer.body for one, answer in answers.items() if answer.status == 200}


class Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class Bundle(msgspec.Struct):
    entry: list[Entry] = []
    link: list[dict[str, str]] = []


def bodies(app: App, path: str) -> Bodies:
    """The resources of a Bundle and of those that follow it, as bytes."""
    found: Bodies = {}
    while path:
        answer = app.get(path)
        assert answer.status in (200, 403), answer
        bundle = msgspec.json.decode(answer.body, type=Bundle)
        found |= by_reference(bytes(entry.resource) for entry in bundle.entry)
        path = next((link["url"].partition("/fhir/r4/")[2] for link in bundle.link), "")
    return found


def by_reference(these: Iterator[bytes]) -> Bodies:
    return {f"{r['resourceType']}/{r['id']}": body for body in these if (r := json.loads(body))}


def batch(app: App, references: list[str]) -> Bodies:
    found: Bodies = {}
    for start in range(0, len(references), 50):
        answer = app.batch(Case(one, 0) for one in references[start : start + 50])
        entries = msgspec.json.decode(answer.body, type=Bundle).entry
        found |= by_reference(bytes(entry.resource) for entry in entries if entry.resource)
    return found


def of(bodies: Mapping[str, bytes], kinds: frozenset[str]) -> Bodies:
    return {one: body for one, body in bodies.items() if one.partition("/")[0] in kinds}


yeses = st.builds(
    Yes,
    st.frozensets(st.sampled_from(CHOICES), min_size=1, max_size=8).flatmap(
        lambda some: st.booleans().map(lambda yes: some | {Category.CONTACT} if yes else some)
    ),
    st.frozensets(st.sampled_from(TOPICS), max_size=3).map(
        lambda topics: frozenset().union(*(topic.labels for topic in topics))
    ),
    st.sampled_from([None, None, 2020]),
    st.just(frozenset()),
    st.frozensets(st.sampled_from(["Condition", "Encounter", "Medication"]), max_size=1),
)


@given(yes=yeses, data=st.data())
@bounded
def test_what_can_be_read_is_what_every_other_way_gives(hers, yes, data):
    everything = stored(hers)
    yes = replace(yes, denied=data.draw(st.frozensets(st.sampled_from(everything), max_size=3)))
    with agreed(hers, yes) as app:
        by_read = read(app, everything)
        searchable = EXPORTABLE
        by_search: Bodies = {}
        for kind in sorted(searchable):
            by_search |= bodies(app, f"{kind}?_count=7")

        assert by_search == of(by_read, searchable)
        whole = bodies(app, f"Patient/{hers.alice}-patient/$everything?_count=200")
        assert whole == of(by_read, searchable | {"Provenance"})
        assert batch(app, everything) == by_read
        some = data.draw(st.lists(st.sampled_from(everything), min_size=8, max_size=8, unique=True))
        assert in_history(app, some) == {one: by_read[one] for one in of(by_read, searchable) if one in some}
        assert included(app) <= by_read.items()
        before = first_versions(app, everything)
        assert set(before) <= set(by_read)
        if Category.CONTACT not in yes.categories:
            told = [*by_read.values(), *whole.values(), *before.values()]
            assert not [body for body in told if CONTACT_WORD in body]


def in_history(app: App, references: list[str]) -> Bodies:
    """The newest version in each history, which must be what vread gives of it."""
    found: Bodies = {}
    for one in references:
        answer = app.get(f"{one}/_history")
        if answer.status == 200:
            newest = bytes(msgspec.json.decode(answer.body, type=Bundle).entry[0].resource)
            version = json.loads(newest)["meta"]["versionId"]
            assert app.get(f"{one}/_history/{version}").body == newest
            found[one] = newest
    return found


def first_versions(app: App, references: list[str]) -> Bodies:
    """What was there before any of it was labelled."""
    return batch(app, [f"{one}/_history/1" for one in references])


def included(app: App) -> set[tuple[str, bytes]]:
    found: Bodies = {}
    for kind, rule in SERVED.items():
        if rule.searchable:
            asked = "&".join(f"_include={kind}:{param}" for param in rule.includes)
            found |= bodies(app, f"{kind}?_revinclude=Provenance:target&_count=200&{asked}")
    return set(found.items())


@given(yes=yeses, data=st.data())
@bounded
def test_a_consent_that_says_less_shows_no_more(hers, yes, data):
    everything = stored(hers)
    less = data.draw(st.sampled_from(sorted(narrower(yes, everything), key=str)))
    with agreed(hers, yes) as app:
        before = shown(app, hers)
    with agreed(hers, less) as app:
        after = shown(app, hers)

    assert set(after) <= set(before), (yes, less)
    for one, body in after.items():
        assert part_of(json.loads(body), json.loads(before[one])), (one, yes, less)


def narrower(yes: Yes, everything: list[str]) -> Iterator[Yes]:
    """The consent with one thing less."""
    if len(yes.categories) > 1:
        for category in yes.categories:
            yield replace(yes, categories=yes.categories - {category})
    for label in yes.labels:
        yield replace(yes, labels=yes.labels - {label})
    yield replace(yes, since=2026)
    yield replace(yes, since=2027)
    yield replace(yes, denied=yes.denied | {everything[0], everything[-1]})
    yield replace(yes, restricted=yes.restricted | {"Observation"})


def shown(app: App, world: World) -> Bodies:
    """All that an app is given: now, and of the versions before."""
    whole = bodies(app, f"Patient/{world.alice}-patient/$everything?_count=200")
    through_others = [one for one in stored(world) if one.partition("/")[0] in ("Binary", "Medication")]
    before = first_versions(app, stored(world)[::4])
    return whole | batch(app, through_others) | {f"{one}/_history/1": b for one, b in before.items()}


def part_of(less: records.Resource, more: records.Resource) -> bool:
    """Whether all that one says the other says as well; which mark says that it is not whole apart."""
    for name, value in less.items():
        if name == "meta":
            value, other = ({k: v for k, v in m.items() if k != "tag"} for m in (value, more["meta"]))
            if value != other:
                return False
        elif name == "contained":
            others = {part["id"]: part for part in more.get("contained", [])}
            if not all(part["id"] in others and part_of(part, others[part["id"]]) for part in value):
                return False
        elif more.get(name) != value:
            return False
    return True


@given(categories=st.frozensets(st.sampled_from(CHOICES), min_size=1, max_size=6), sensitive=st.booleans())
@few
def test_a_download_holds_what_an_app_with_the_same_choice_would_see(hers, categories, sensitive):
    labels = LABELS if sensitive else frozenset()
    with agreed(hers, Yes(categories, frozenset(labels))) as app, a_folder():
        job = made(kickoff(hers.patient, categories, sensitive))
        ordinary, private = (in_files(job, is_private=is_private) for is_private in (False, True))
        seen = read(app, stored(hers))

    assert job.status == "completed"
    assert not set(ordinary.items()) & set(private.items())
    downloaded = set(ordinary) | set(private)
    # A label that nobody knows cannot be asked for; whoever looks at their own record sees it all the same.
    known = {one for one in of(dict.fromkeys(downloaded, b""), EXPORTABLE) if not one.endswith("unheard-of")}
    assert known == set(of(seen, EXPORTABLE))
    # What comes along by reference could be read, too, and the rest of what could is reached otherwise.
    along = {one for one in downloaded if one.partition("/")[0] in REFERRED}
    assert along <= set(seen)
    if not sensitive:
        assert {one: body for one, body in ordinary.items() if one in seen} == {
            one: seen[one] for one in ordinary if one in seen
        }


@contextmanager
def a_folder() -> Iterator[None]:
    with TemporaryDirectory() as folder, override_settings(EXPORT_FOLDER=folder):
        yield


def in_files(job: ExportJob, *, is_private: bool) -> Bodies:
    if not job.files.filter(kind=ExportFile.Kind.PACKAGE, is_private=is_private).exists():
        return {}
    archive = package(job, is_private=is_private)
    names = [name for name in archive.namelist() if name.endswith(".ndjson")]
    lines = [line for name in names for line in archive.read(name).splitlines()]
    found = {f"{r['resourceType']}/{r['id']}": line for line in lines for r in (json.loads(line),)}
    assert len(found) == len(lines)
    return found


def test_ones_own_pages_give_all_that_is_there(hers):
    own = authority.for_own_record(hers.patient.user, hers.patient, timezone.now())
    found = {
        f"{r['resourceType']}/{r['id']}" for kind in EXPORTABLE for r in portal_records.search_as(own, kind)
    }
    read_one_by_one = {
        f"{r['resourceType']}/{r['id']}"
        for one in stored(hers)
        if (r := portal_records._serve(own, Interaction("read", *one.split("/"))))
    }

    assert found == {one for one in stored(hers) if one.partition("/")[0] in EXPORTABLE}
    assert read_one_by_one == set(stored(hers))
