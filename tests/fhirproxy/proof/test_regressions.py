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
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from audit.models import AuditEvent
from consent import commands
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import ACT_CODE, Category
from demo.population import CANARY
from fhirproxy import release, upstream
from fhirproxy.upstream import FHIR_JSON, FhirRequest, FhirResponse, UpstreamUnavailable
from tests import factories
from tests.fhirproxy.conftest import issue
from tests.fhirproxy.proof import records
from tests.fhirproxy.proof.app import App, Case
from tests.fhirproxy.proof.conftest import World, key
from tests.fhirproxy.proof.records import to

pytestmark = pytest.mark.django_db
SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}
SECRET = "HIDDENWORD"
EHR = "http://ehr.internal.example:9443/fhir"
Send = Callable[[upstream.Embedded, FhirRequest], FhirResponse]


@pytest.fixture
def alice() -> World:
    """Alice's record, and an app that sees all of it but what is private."""
    alice = key("al")
    patient = factories.create_patient("Alice Moreno", fhir_id=f"{alice}-patient")
    records.keep(records.record(alice))
    consent = factories.create_consent(patient, categories=list(Category))
    app = App(issue(consent))
    return World(alice, key("mq"), key("gh"), patient, patient, consent, app, app)


def hidden(world: World, kind: str, name: str, **changes: object) -> str:
    """A resource of Alice's under a label that the app was not given; its address."""
    resource = records.resource_of(kind, world.alice, SECRET)
    records.keep([resource | {"id": f"{world.alice}-{name}", "meta": SUD} | changes])
    return f"{kind}/{world.alice}-{name}"


def plain(world: World, kind: str, name: str, **changes: object) -> str:
    resource = records.resource_of(kind, world.alice, "plain")
    records.keep([resource | {"id": f"{world.alice}-{name}"} | changes])
    return f"{kind}/{world.alice}-{name}"


def answer_of(monkeypatch, change: Callable[[FhirRequest, FhirResponse], FhirResponse]) -> None:
    """Let the EHR answer otherwise."""
    send: Send = upstream.Embedded.send
    monkeypatch.setattr(upstream.Embedded, "send", lambda self, asked: change(asked, send(self, asked)))


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-recorded_at", "-id").first()


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


WAYS = ("{one}", "Observation", "{one}/_history", "{one}/_history/1", "Patient/{key}-patient/$everything")


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


def test_contained_history_vread_everything_and_attachments_pass_the_same_check(alice):
    secret = records.resource_of("Condition", alice.alice, SECRET) | {"id": "inside", "meta": SUD}
    plain(alice, "Observation", "contains", contained=[secret])
    changed = plain(alice, "Condition", "changed")
    hidden(alice, "Condition", "changed")
    binary = plain(alice, "Binary", "letter", data="SElEREVOV09SRA==")
    attached = [{"attachment": {"url": binary, "title": SECRET}}]
    letter = hidden(alice, "DocumentReference", "letter", content=attached)

    for path in (
        *(f"Observation/{alice.alice}-contains", "Observation", "Condition", "DocumentReference", letter),
        *(changed, f"{changed}/_history", f"{changed}/_history/1", f"{changed}/_history/2", binary),
        f"Patient/{alice.alice}-patient/$everything",
    ):
        for accept in (FHIR_JSON, "*/*"):
            answer = alice.app.get(path, accept=accept)
            assert SECRET.encode() not in answer.body, path
            assert b"SElEREVOV09SRA" not in answer.body, path
            assert answer.status in (200, 404), path
            if path.startswith(changed):
                assert answer == alice.app.get(path.replace("-changed", "-nobody")), path
    assert alice.app.get("$graphql?query={Patient{id}}").status == 404


def test_a_version_that_was_private_stays_so_though_the_next_one_is_not(alice):
    one = hidden(alice, "Condition", "was-private")
    plain(alice, "Condition", "was-private")
    history = alice.app.get(f"{one}/_history")

    assert alice.app.get(one).status == 200
    assert [r["meta"]["versionId"] for r in history.resources] == ["2"]
    assert SECRET.encode() not in history.body
    assert alice.app.get(f"{one}/_history/1") == alice.app.get(f"{one}-nobody/_history/1")


def test_each_entry_of_a_batch_is_decided_on_and_a_transaction_is_all_or_nothing(alice):
    private = Case(hidden(alice, "Observation", "private"), 404)
    mine = Case(f"Observation/{alice.alice}-observation", 200)
    batch = alice.app.batch([mine, private, Case("AuditEvent/1", 404), mine])
    whole = alice.app.batch([mine, private], "transaction")

    assert [e["response"]["status"][:3] for e in batch.entries] == ["200", "404", "404", "200"]
    assert SECRET.encode() not in batch.body
    assert (whole.status, b"plain" in whole.body) == (404, False)
    outcomes = AuditEvent.objects.order_by("recorded_at", "id").values_list("outcome", flat=True)
    assert list(outcomes)[-6:] == ["permit", "deny", "deny", "permit", "permit", "deny"]


@pytest.mark.parametrize(
    "url", ["//[", "http://[::1", "//\u2100.example/", "Observation/1#x", "//evil.example/Observation/1"]
)
def test_an_entry_that_is_no_address_is_refused_for_itself(alice, url):
    mine = Case(f"Observation/{alice.alice}-observation", 200)
    answer = alice.app.batch([Case(url, 400), mine])

    assert answer.status == 200, answer
    assert [e["response"]["status"][:3] for e in answer.entries] == ["400", "200"]


@pytest.mark.parametrize("inherits", ["document", "encounter"])
def test_an_attachment_takes_the_labels_of_its_document_and_encounter(alice, inherits):
    visit = hidden(alice, "Encounter", "visit") if inherits == "encounter" else ""
    binary = plain(alice, "Binary", "letter")
    changes: dict[str, object] = {"content": [{"attachment": {"url": binary}}]}
    changes |= {"context": {"encounter": [{"reference": visit}]}} if visit else {"meta": SUD}
    document = plain(alice, "DocumentReference", "letter", **changes)

    assert alice.app.get(document).status == 404
    for accept in (FHIR_JSON, "*/*"):
        assert alice.app.get(binary, accept=accept) == alice.app.get(f"{binary}-nobody", accept=accept)


def test_an_attachment_needs_the_category_of_its_document(alice):
    binary = f"Binary/{alice.alice}-binary"
    narrow = App(issue(factories.create_consent(alice.patient, categories=[Category.TEST_RESULTS])))

    assert alice.app.get(binary).status == 200
    assert narrow.get(binary).status == 404


def test_a_binary_is_as_private_as_it_says_itself_though_its_document_is_not(alice):
    binary = hidden(alice, "Binary", "marked")
    document = plain(alice, "DocumentReference", "marked", content=[{"attachment": {"url": binary}}])

    assert alice.app.get(document).status == 200
    for accept in (FHIR_JSON, "*/*"):
        assert alice.app.get(binary, accept=accept) == alice.app.get(f"{binary}-nobody", accept=accept)


def test_a_binary_that_says_whose_it_is_is_not_anybody_elses(alice):
    """Binary.securityContext (FHIR R4): its rules are those of what it names."""
    stranger = {"reference": f"Patient/{alice.mallory}-patient"}
    binary = plain(alice, "Binary", "context", securityContext=stranger)
    plain(alice, "DocumentReference", "context", content=[{"attachment": {"url": binary}}])

    assert alice.app.get(binary).status == 404


def test_a_binary_of_more_documents_than_a_page_holds_is_held_against_all_of_them(alice):
    binary = plain(alice, "Binary", "busy")
    content = [{"attachment": {"url": binary}}]
    for n in range(60):
        plain(alice, "DocumentReference", f"busy-{n:02}", content=content)
    theirs = records.resource_of("DocumentReference", alice.mallory, CANARY)
    records.keep([theirs | {"id": f"zz-{alice.mallory}", "content": content}])

    assert alice.app.get(binary).status == 404


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
        ("AuditEvent", ["request.404"]),
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


# Conditional reads and what was kept from before


def test_a_304_comes_after_the_decision_and_its_row(alice):
    one = f"Observation/{alice.alice}-observation"
    first = alice.app.get(one)
    since = {"if-modified-since": first.headers["last-modified"]}
    for headers in (
        {"if-none-match": first.headers["etag"]},
        since,
        {"if-none-match": f'W/"9", {first.headers["etag"]}'},
    ):
        before = AuditEvent.objects.count()
        known = alice.app.get(one, **headers)
        assert (known.status, known.body) == (304, b"")
        assert AuditEvent.objects.count() == before + 1
        assert last_event().outcome == "permit"
    assert alice.app.get(one, **{"if-none-match": 'W/"9"'}).status == 200
    assert alice.app.get(one, **{"if-none-match": 'W/"9"', **since}).status == 200  # RFC 9110, 13.1.3


@pytest.mark.parametrize("header", ["if-none-match", "if-modified-since"])
@pytest.mark.parametrize("value", ['W/"1"', "*", "Fri, 01 Jan 2100 00:00:00 GMT", "x", ""])
def test_a_conditional_read_of_what_is_hidden_is_as_one_of_what_is_not_there(alice, header, value):
    theirs = records.resource_of("Observation", alice.mallory, CANARY)
    records.keep([theirs])
    nobody = alice.app.get(f"Observation/{alice.alice}-nobody", **{header: value})

    assert nobody.status == 404
    for one in (hidden(alice, "Observation", "private"), f"Observation/{theirs['id']}"):
        assert alice.app.get(one, **{header: value}) == nobody


def test_what_was_kept_from_before_a_narrower_consent_is_good_for_nothing(alice):
    """A28: a narrower consent closes ETags and versions as well."""
    paths = [f"Condition/{alice.alice}-condition", f"Patient/{alice.alice}-patient"]
    kept = {path: alice.app.get(path).headers["etag"] for path in paths}
    narrowed(alice, [Category.TEST_RESULTS, Category.DEMOGRAPHICS])

    condition, patient = (alice.app.get(path, **{"if-none-match": kept[path]}) for path in paths)
    assert (condition.status, condition.headers.get("etag")) == (403, None)
    # Without contact details it is another resource than the one that the app has.
    assert (patient.status, patient.headers.get("etag")) == (200, None)
    assert alice.app.get(f"{paths[0]}/_history/1").status == 403


def test_what_is_redacted_has_no_etag_on_any_way(alice):
    narrowed(alice, [Category.DEMOGRAPHICS])
    one = f"Patient/{alice.alice}-patient"

    for answer in (
        alice.app.get(one),
        alice.app.get(f"{one}/_history/1"),
        alice.app.get(f"{one}?_elements=name"),
    ):
        assert (answer.status, answer.headers.get("etag")) == (200, None)
        assert "last-modified" not in answer.headers
    assert b'"etag"' not in alice.app.get(f"{one}/_history").body
    assert b'"etag"' not in alice.app.batch([Case(one, 200)]).body
    assert b'"address"' not in alice.app.get(f"{one}?_elements=address").body


def test_what_is_whole_keeps_its_bytes_though_contact_details_are_not_shared(alice):
    one = f"Observation/{alice.alice}-observation"
    whole = alice.app.get(one)
    narrowed(alice, [Category.TEST_RESULTS, Category.DEMOGRAPHICS])

    assert alice.app.get(one) == whole
    assert b"SUBSETTED" not in whole.body


def act(world: World) -> Act:
    return Act(by=world.patient.user, channel="portal", text_shown="", language="en")


def narrowed(world: World, categories: list[Category]) -> Consent:
    """The same consent with fewer kinds of records."""
    return factories.create_consent(
        world.patient, world.consent.client, categories=categories, until=timezone.now() + timedelta(days=9)
    )
