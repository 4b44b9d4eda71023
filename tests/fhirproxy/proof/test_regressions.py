"""What went wrong in products like this one (threats.md, the list at its end), one test each.

Those that other rooms answer for, and where:

    refresh after grant expiry or revoke      tests/smart/test_tokens.py::test_G10_A5_a_refresh_token_ends_…
                                              tests/smart/test_tokens.py::test_A5_a_refresh_after_the_person_…
    RT replay revokes the family              tests/smart/test_tokens.py::test_G3_A5_a_refresh_token_that_…
    the race of a lost response               tests/smart/test_tokens.py::test_G3_A5_refreshes_side_by_side_…
    reference to another patient in a write   tests/fhirproxy/test_writes.py::test_A10_a_reading_that_is_not_…
    download and status of another's job 404  tests/habits/test_routes.py (routes.txt: /downloads/…, mallory)
    survives worker kill                      tests/exports/test_runs.py::test_F1_a_killed_worker_leaves_…
    JWKS cache, jti replay, `aud` of a client no client signs assertions yet: there is nothing to replay
    effective `_type` frozen at kick-off      no Bulk Data kick-off yet; a download keeps its types
    patient merge moves grants and proxies    there is no merge yet
    PUT body id = URL id                      only consents are written at /fhir/r4: see their tests
"""

import json

import pytest
from django.db import DatabaseError

from audit.models import AuditEvent
from consent import commands
from consent.vocabulary import Category
from demo.population import CANARY
from fhirproxy import release
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse, UpstreamUnavailable
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.alone import (
    EHR,
    SECRET,
    SUD,
    WAYS,
    act,
    answer_of,
    hidden,
    last_event,
    narrowed,
    plain,
    world_of_alice,
)
from tests.fhirproxy.proof.app import App, Case
from tests.fhirproxy.proof.conftest import World, key
from tests.fhirproxy.proof.records import to

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> World:
    return world_of_alice()


def test_include_revinclude_has_and_chains_do_not_leak(alice):
    result = hidden(alice, "Observation", "private")
    encounter = hidden(alice, "Encounter", "private-visit")
    plain(alice, "CarePlan", "plan", goal=[{"reference": hidden(alice, "Goal", "private-goal")}])
    plain(alice, "Procedure", "done", encounter={"reference": encounter})
    hidden(alice, "Provenance", "private-origin")
    plain(alice, "Provenance", "origin", target=[to("Observation", alice.alice), {"reference": result}])

    for path in (
        "CarePlan?_include=CarePlan:goal",
        "Procedure?_include=Procedure:encounter",
        "Observation?_revinclude=Provenance:target",
        f"Observation?_id={alice.alice}-private&_revinclude=Provenance:target",
    ):
        answer = alice.app.get(path)
        assert (answer.status, SECRET.encode() in answer.body) == (200, False), path
        assert not [r["id"] for r in answer.resources if "private" in r["id"] or r["id"].endswith("origin")]
    for path in (
        "Patient?_has:Observation:patient:code=x",
        "Observation?encounter.class=AMB",
        "Observation?encounter:Encounter.status=active",
        "CarePlan?_include:iterate=CarePlan:goal",
        "CarePlan?_include=*",
    ):
        assert alice.app.get(path).status == 400, path


def test_a_page_link_is_decided_on_again(alice):
    """What has become private since the first page is not on the second."""
    names = [plain(alice, "Observation", f"lab-{n}") for n in range(4)]
    first = alice.app.get("Observation?_count=2&_sort=_id")
    link = json.loads(first.body)["link"][0]["url"].partition("/fhir/r4/")[2]
    for n in range(4):
        hidden(alice, "Observation", f"lab-{n}")

    assert not alice.app.get(link).ids & set(names)


def test_A28_a_page_link_ends_with_the_consent_version_that_it_was_given_under(alice):
    for n in range(4):
        plain(alice, "Observation", f"lab-{n}")
    links = [
        json.loads(alice.app.get(path).body)["link"][0]["url"].partition("/fhir/r4/")[2]
        for path in ("Observation?_count=2", f"Patient/{alice.alice}-patient/$everything?_count=2")
    ]
    narrowed(alice, [Category.TEST_RESULTS, Category.DEMOGRAPHICS])

    for link in links:
        answer = alice.app.get(link)
        assert (answer.status, b"plain" in answer.body) == (400, False)


def test_totals_do_not_count_what_is_hidden(alice):
    before = alice.app.get("Observation?_count=1").body.count(b'"relation":"next"')
    hidden(alice, "Observation", "private")
    answer = alice.app.get("Observation?_count=1")

    assert b'"total"' not in answer.body
    assert answer.body.count(b'"relation":"next"') == before
    for query in ("_summary=count", "_total=accurate", "_total=estimate", "_count=0"):
        assert alice.app.get(f"Observation?{query}").status == 400, query


@pytest.mark.parametrize("elements", ["id", "code", "text", "meta", "resourceType", "contained"])
def test_elements_do_not_drop_a_label_before_it_is_looked_at(alice, elements):
    private = hidden(alice, "Observation", "private")
    nobody = f"{private}-nobody"

    assert alice.app.get(f"{private}?_elements={elements}").status == 404
    assert alice.app.get(f"{private}/_history/1?_elements={elements}") == alice.app.get(
        f"{nobody}/_history/1?_elements={elements}"
    )
    assert private not in alice.app.get(f"Observation?_elements={elements}").ids
    # And what is left always says how it is labelled.
    shown = alice.app.get(f"Observation/{alice.alice}-observation?_elements={elements}")
    assert "SUBSETTED" in json.dumps(json.loads(shown.body)["meta"]["tag"])


@pytest.mark.parametrize("way", [*WAYS, "Observation?_include=Observation:encounter"])
@pytest.mark.parametrize("error", [RuntimeError, RecursionError, KeyError])
def test_an_error_after_the_ehr_answered_is_a_5xx_and_never_the_raw_body(alice, monkeypatch, way, error):
    plain(alice, "Observation", "there", note=[{"text": SECRET}])

    def fail(*args: object, **kwargs: object) -> None:
        raise error(SECRET)

    for place in ("instances", "searches", "including", "reached"):
        monkeypatch.setattr(f"fhirproxy.{place}.decide_on", fail)
    answer = alice.app.get(way.format(one=f"Observation/{alice.alice}-there", key=alice.alice))

    assert answer.status >= 500
    assert SECRET.encode() not in answer.body
    assert b"plain" not in answer.body


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "broken",
    [
        {"category": 5},
        {"meta": []},
        {"meta": {"security": {"code": 5}}},
        {"contained": {"resourceType": "Patient"}},
        {"contained": [5]},
        {"contained": [{"resourceType": []}]},
        {"subject": [[{"reference": 5}]]},
        {"resourceType": ["Observation"]},
        {"resourceType": "Location"},
    ],
    ids=str,
)
def test_F10_what_cannot_be_read_is_closed_or_a_5xx(alice, monkeypatch, broken, way):
    def break_it(asked: FhirRequest, answer: FhirResponse) -> FhirResponse:
        found = json.loads(answer.body)
        parts = [e["resource"] for e in found["entry"]] if "entry" in found else [found]
        for part in parts:
            if part["resourceType"] == "Observation":
                part |= broken | {"note": [{"text": SECRET}]}
        return FhirResponse(answer.status, answer.headers, json.dumps(found).encode())

    answer_of(monkeypatch, break_it)
    narrow = App(issue(factories.create_consent(alice.patient, categories=[Category.TEST_RESULTS])))
    answer = narrow.get(way.format(one=f"Observation/{alice.alice}-observation", key=alice.alice))

    assert SECRET.encode() not in answer.body, answer
    assert answer.status in (200, 404, 500, 502)


def test_duplicate_keys_are_not_read_one_way_here_and_another_there(alice, monkeypatch):
    """F10: whoever reads the first of two subjects, or labels, must not be told more."""
    subject = json.dumps(to("Patient", alice.alice))
    twice = (
        f'{{"resourceType":"Observation","id":"{alice.alice}-observation",'
        f'"meta":{json.dumps(SUD)},"meta":{{}},"subject":{subject},'
        f'"note":[{{"text":"{SECRET}"}}],"category":[{{"coding":[{json.dumps(records.LABORATORY)}]}}]}}'
    )
    answer_of(monkeypatch, lambda asked, answer: FhirResponse(200, {}, twice.encode()))
    answer = alice.app.get(f"Observation/{alice.alice}-observation")

    assert (answer.status, SECRET.encode() in answer.body) == (502, False)


def test_a_search_whose_pages_never_end_ends(alice, monkeypatch):
    """F10: an EHR that links to itself, of which nothing may be seen, must not hold a worker for ever."""
    asked_for: list[str] = []
    private = records.resource_of("Observation", alice.alice, SECRET) | {"meta": SUD}
    page = {
        "resourceType": "Bundle",
        "entry": [{"resource": private}],
        "link": [{"relation": "next", "url": "Observation?page=again"}],
    }

    def endless(asked: FhirRequest, answer: FhirResponse) -> FhirResponse:
        if "_id" in dict(asked.query):
            return answer
        asked_for.append(asked.path)
        if len(asked_for) > 1000:
            pytest.fail("it goes on and on")
        return FhirResponse(200, {}, json.dumps(page).encode())

    answer_of(monkeypatch, endless)
    answer = alice.app.get("Observation")

    assert answer.status == 502


def test_a_page_that_lies_elsewhere_is_no_end_of_the_record(alice, monkeypatch):
    """F10: half a record must not look whole, and a link to another server is not followed."""
    elsewhere = [{"relation": "next", "url": "https://evil.example/fhir/Observation?page=2"}]

    def lead_away(asked: FhirRequest, answer: FhirResponse) -> FhirResponse:
        if "_id" in dict(asked.query):
            return answer
        found = json.loads(answer.body)
        return FhirResponse(200, {}, json.dumps(found | {"link": elsewhere}).encode())

    answer_of(monkeypatch, lead_away)

    assert alice.app.get("Observation").status == 502
    assert alice.app.get(f"Patient/{alice.alice}-patient/$everything").status == 502


def test_scopes_that_overlap_are_their_union_and_no_more(alice):
    survey = (
        "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|survey"
    )
    lab = survey.replace("survey", "laboratory")
    vital = [{"coding": [{**records.LABORATORY, "code": "vital-signs"}]}]
    plain(alice, "Observation", "vital", category=vital)
    plain(alice, "Observation", "survey", category=[{"coding": [{**records.LABORATORY, "code": "survey"}]}])
    both = App(issue(alice.consent, f"{lab} {survey} patient/Condition.r"))

    ids = {one.removeprefix(f"Observation/{alice.alice}-") for one in both.get("Observation").ids}
    assert ids == {"observation", "survey"}
    assert both.get(f"Observation/{alice.alice}-vital").status == 404
    assert both.get(f"Condition/{alice.alice}-condition").status == 200
    assert both.get("Condition").status == 403  # r without s
    assert both.get("Encounter").status == 403


def test_the_address_of_the_ehr_does_not_get_out(alice, monkeypatch):
    def tell(asked: FhirRequest, answer: FhirResponse) -> FhirResponse:
        headers = {**answer.headers, "Location": EHR, "Content-Location": EHR, "Server": EHR, "Link": EHR}
        found = json.loads(answer.body)
        if "entry" in found:
            found["link"] = [{"relation": "self", "url": f"{EHR}/Observation"}]
            for entry in found["entry"]:
                entry["fullUrl"] = f"{EHR}/Observation/1"
        return FhirResponse(answer.status, headers, json.dumps(found).encode())

    def fail(asked: FhirRequest, answer: FhirResponse) -> FhirResponse:
        raise UpstreamUnavailable(f"{EHR} did not answer")

    def refuse(asked: FhirRequest, answer: FhirResponse) -> FhirResponse:
        return FhirResponse(int(asked.path == "Observation") * 100 + 300, {"Location": EHR}, EHR.encode())

    one = f"Observation/{alice.alice}-observation"
    for change in (tell, fail, refuse):
        with monkeypatch.context() as patch:
            answer_of(patch, change)
            for path in (
                "Observation",
                one,
                f"{one}/_history",
                f"{one}/_history/1",
            ):
                answer = alice.app.get(path)
                assert b"ehr.internal" not in answer.body, (change, path)
                assert not [v for v in answer.headers.values() if "ehr.internal" in v], (change, path)


def test_no_words_of_a_record_are_in_the_log_or_in_what_is_said_of_a_refusal(alice, capsys):
    """Nor FHIR ids, nor what was searched for."""
    theirs = key("mq")
    records.keep(r for r in records.record(theirs, CANARY) if r["resourceType"] not in records.SHARED)
    private = hidden(alice, "Observation", "private")
    for path in (
        *(private, f"{private}/_history", f"Observation/{theirs}-observation", f"Patient/{theirs}-patient"),
        *("Observation", f"Observation?patient={theirs}-patient", "RelatedPerson?name=ZEBRAFISH"),
        *(
            "Observation?code=ZEBRAFISH",
            "Observation?ZEBRAFISH=1",
            f"Patient/{alice.alice}-patient/$everything",
        ),
        *(
            f"Binary/{theirs}-binary",
            f"Provenance/{theirs}-provenance",
            "ZEBRAFISH/1",
            "Observation?_cursor=ZEBRAFISH",
        ),
    ):
        said = alice.app.get(path)
        if said.status >= 400:
            assert SECRET.encode() not in said.body
            assert theirs.encode() not in said.body
    alice.app.batch([Case(private, 0), Case(f"Observation/{theirs}-observation", 0)])

    printed = "".join(capsys.readouterr())
    kept = "".join(AuditEvent.objects.values_list("payload", flat=True))
    for word in (CANARY, SECRET, theirs, alice.alice, "LDL"):
        assert word not in kept, word
        assert word not in printed, word


def test_a_denial_and_a_lack_of_consent_stand_in_the_patients_log(alice):
    private = hidden(alice, "Observation", "private")
    for path, reasons in (
        (private, ["sensitive.optin"]),
        (f"Observation/{alice.mallory}-x", ["record.not-found"]),
        (f"Patient/{alice.mallory}-patient/$everything", ["record.not-yours"]),
        (f"Observation?patient={alice.mallory}", ["record.not-yours"]),
        ("Account", ["request.404"]),
        ("Observation?x=1", ["request.400"]),
    ):
        alice.app.get(path)
        event = last_event()
        assert (event.outcome, event.reasons) == ("deny", reasons), path
        assert event.patient == f"Patient/{alice.patient.pk}"
    commands.revoke(alice.consent, by=alice.patient.user)
    alice.app.get("Observation")
    assert (last_event().outcome, last_event().reasons) == ("deny", ["consent.revoked"])


@pytest.mark.parametrize(
    "body", ["{}", "[]", '{"resourceType":"Bundle","type":"history"}', "x" * 300_000], ids=len
)
def test_a_bundle_that_is_none_stands_in_the_patients_log_too(alice, body):
    before = AuditEvent.objects.count()
    answer = alice.app.send(Case("", 0, "POST", body, FHIR_JSON))

    assert answer.status in (400, 413)
    assert AuditEvent.objects.count() == before + 1
    assert last_event().reasons == [f"request.{answer.status}"]


@pytest.mark.parametrize("way", WAYS)
def test_without_its_row_in_the_log_nothing_leaves(alice, monkeypatch, way):
    def full(*args: object, **kwargs: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(release, "record", full)
    answer = alice.app.get(way.format(one=f"Observation/{alice.alice}-observation", key=alice.alice))

    assert (answer.status, b"plain" in answer.body) == (503, False)


def test_a_denial_goes_before_a_permit_that_is_newer(alice):
    no = {"type": "deny", "data": [{"meaning": "instance", "reference": to("Observation", alice.alice)}]}
    limit = commands.ask_restriction(patient=alice.patient, provision=no, act=act(alice))
    commands.answer(limit, agreed=True, act=act(alice))
    newer = App(
        issue(factories.create_consent(alice.patient, alice.consent.client, categories=list(Category)))
    )
    another = App(issue(factories.create_consent(alice.patient, categories=list(Category))))

    for app in (alice.app, newer, another):
        assert app.get(f"Observation/{alice.alice}-observation").status in (404, 403, 401)
        assert app.get(f"Condition/{alice.alice}-condition").status in (200, 401)
        assert f"Observation/{alice.alice}-observation" not in app.get("Observation").body.decode()
