"""What an EHR says among the matches: a warning changes nothing, and a part is never shown as the whole."""

import json

import pytest

from consent.vocabulary import Category
from fhirproxy import asking
from fhirproxy.models import Source
from fhirproxy.outcomes import EhrFailure
from tests.ehr import cast
from tests.ehr.conftest import Fake
from tests.ehr.mischief import bundle
from tests.ehr.records import record
from tests.exports.making import kickoff, made

pytestmark = pytest.mark.django_db
LABS = "Observation?category=laboratory"
SECRET = "Mallory Jones, MRN 4711, is not in the index"


def said(severity: str, *resources: dict) -> str:
    issue = {"severity": severity, "code": "processing", "diagnostics": SECRET}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return bundle(*resources, outcome, total=len(resources) + 1).decode()


@pytest.fixture
def source(fake: Fake) -> Source:
    fake.load("plain", record("plain", "alice", fake.url("plain")))
    return fake.source()


@pytest.fixture
def app(source: Source) -> cast.App:
    return cast.app(source, "alice-p")


@pytest.fixture
def labs(fake: Fake) -> list[dict]:
    everything = record("plain", "alice", fake.url("plain"))
    return [each for each in everything if each["resourceType"] == "Observation"][:2]


def answers(fake: Fake, body: str, match: str = "/Observation") -> None:
    fake.script({"match": match, "times": 0, "do": {"status": 200, "body": body}})


@pytest.mark.parametrize("severity", ["information", "warning"])
def test_a_warning_is_no_result_and_no_harm(app, fake, labs, severity):
    answers(fake, said(severity, *labs))

    answer = app.get(LABS)

    assert [entry["search"]["mode"] for entry in answer.json()["entry"]] == ["match", "match"]
    assert b"Mallory" not in answer.content
    assert b"total" not in answer.content


@pytest.mark.parametrize("path", [LABS, "Patient/alice-p/$everything?_type=Observation"])
def test_of_a_part_an_app_is_told_by_whom_and_not_what(app, fake, labs, path):
    answers(fake, said("error", *labs))

    answer = app.get(path)

    *matches, outcome = answer.json()["entry"]
    assert [entry["search"]["mode"] for entry in matches] == ["match", "match"]
    assert outcome["search"] == {"mode": "outcome"}
    [issue] = outcome["resource"]["issue"]
    assert (issue["severity"], issue["code"]) == ("warning", "incomplete")
    assert issue["diagnostics"].startswith("Far Clinic did not give all")
    assert b"Mallory" not in answer.content


def test_whether_something_is_hidden_in_a_part_does_not_show(app, fake, labs):
    answers(fake, said("error"))
    nothing = app.get(LABS)
    others = [lab | {"subject": {"reference": "Patient/mallory-p"}} for lab in labs]
    answers(fake, said("error", *others))

    assert app.get(LABS).content == nothing.content
    assert nothing.status_code == 200


def test_an_entry_that_says_nothing_makes_a_part(app, fake, labs):
    whole = json.loads(bundle(*labs))
    answers(fake, json.dumps(whole | {"entry": [*whole["entry"], {"response": {"status": "500"}}]}))

    modes = [entry["search"]["mode"] for entry in app.get(LABS).json()["entry"]]

    assert modes == ["match", "match", "outcome"]


def test_a_search_that_failed_altogether_is_no_answer(app, fake, labs):
    answers(fake, said("fatal", *labs))

    assert app.get(LABS).status_code == 502


def test_what_the_gate_asks_for_itself_is_whole_or_nothing(source, fake, labs):
    """Labels of what is around a record, care teams, the candidates of a match."""
    answers(fake, said("error", *labs))

    with pytest.raises(EhrFailure):
        list(asking.pages(source, "Observation", (("patient", "alice-p"),)))
    with pytest.raises(EhrFailure):
        asking.by_ids(source, "Observation", {"alice-o1"})


def test_a_part_is_no_copy_of_a_record(app, source, fake, labs, settings, tmp_path):
    """A file that a patient takes along has a gap by name, and no half list."""
    settings.EXPORT_FOLDER = tmp_path
    answers(fake, said("error", *labs))
    job = made(kickoff(app.consent.patient, [Category.TEST_RESULTS]))

    assert job.status == "completed_with_gaps"
    number = job.position["sources"].index(source.slug) + 1
    assert not job.files.filter(resource_type="Observation", number=number)
    assert {"what": "Observation", "why": "missing"} in job.manifest["extension"]["left_out"]


def test_a_type_that_it_says_it_has_and_has_not_is_named(app, fake):
    fake.script({"match": "/Condition", "times": 0, "do": {"status": 404, "body": "{}"}})

    answer = app.get("Condition")

    assert answer.status_code == 502
    [issue] = answer.json()["issue"]
    assert issue["diagnostics"].startswith("Far Clinic says that it has Condition")
