"""What somebody would see is what the gate then lets them see: counted on the same record."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Patient
from audit.models import AuditEvent
from consent import authority, commands, explain, fhir
from consent.decision import Reason
from consent.fhir import Terms
from consent.versions import Act
from consent.vocabulary import ACT_CODE, TOPICS, Category
from fhirproxy import preview
from fhirproxy.outcomes import Refusal
from fhirproxy.served import RECORD
from smart.scopes import Scope
from tests import factories
from tests.fhirproxy.conftest import issue

pytestmark = pytest.mark.django_db

SUD, HIV = ({"security": [{"system": ACT_CODE, "code": code}]} for code in ("SUD", "HIV"))
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
LAB_REPORT = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}]
CATEGORIES = (Category.TEST_RESULTS, Category.VITAL_SIGNS, Category.MEDICINES, Category.DEMOGRAPHICS)
LABELS = ("SUD", "HIV")
SCOPES = (
    "patient/*.rs",
    "patient/Observation.rs",
    "patient/Observation.r patient/Patient.s",
    f"patient/Observation.rs?category={OBSERVATION_CATEGORY}|laboratory patient/DiagnosticReport.rs",
    "patient/MedicationRequest.rs patient/Patient.rs",
    "patient/Coverage.rs",
)


def observed(patient: Patient, id: str, category: str = "vital-signs", **elements: object):
    categories = [{"coding": [{"system": OBSERVATION_CATEGORY, "code": category}]}]
    return factories.lab_result(patient, id, **{"category": categories, **elements})


def owned(patient: Patient, resource_type: str, id: str, **elements: object):
    subject = {"reference": f"Patient/{factories.fhir_id(patient)}"}
    return {"resourceType": resource_type, "id": id, "subject": subject, **{"status": "active", **elements}}


@pytest.fixture
def alice() -> Patient:
    """A record with something of several kinds, and private things of two topics in it."""
    patient = factories.alice()
    drug = {"medicationCodeableConcept": {"text": "A medicine"}, "intent": "order"}
    factories.load_records(
        factories.patient_record(patient) | {"address": [{"city": "Springfield"}]},
        factories.lab_result(patient, "lab-open"),
        factories.lab_result(patient, "lab-sud", meta=SUD),
        factories.lab_result(patient, "lab-hiv", meta=HIV),
        factories.lab_result(patient, "lab-both", meta={"security": SUD["security"] + HIV["security"]}),
        observed(patient, "weight"),
        observed(patient, "pulse", meta=SUD),
        owned(patient, "MedicationRequest", "drug-open", **drug),
        owned(patient, "MedicationRequest", "drug-sud", meta=SUD, **drug),
        owned(
            patient,
            "DiagnosticReport",
            "report-of-hiv",
            status="final",
            code={"text": "Panel"},
            category=LAB_REPORT,
            result=[{"reference": "Observation/lab-hiv"}],
        ),
    )
    return patient


def own(patient: Patient):
    return authority.for_own_record(patient.user, patient, timezone.now())


def choice(patient: Patient, categories, labels=(), scope: str = "patient/*.rs"):
    now = timezone.now()
    terms = Terms(categories=categories, labels=labels, start=now, until=now + timedelta(days=1))
    return explain.of_choice(patient, factories.acme_client(), terms, list(Scope.parse_all(scope)))


def let_through(get, token: str, ids: dict[str, str]) -> set[str]:
    """References that the gate gives this token, by any search or any read."""
    found = set()
    for kind in RECORD:
        entries = get(token, f"{kind}?_count=200").json().get("entry", [])
        found |= {f"{kind}/{e['resource']['id']}" for e in entries if e["resource"]["resourceType"] == kind}
    return found | {f"{t}/{id}" for id, t in ids.items() if get(token, f"{t}/{id}").status_code == 200}


@pytest.fixture
def record(alice) -> dict[str, str]:
    """Every resource of the record: id → type."""
    bodies, _ = preview._record(own(alice), factories.create_source(), RECORD)
    seen = preview.see(preview._calls(own(alice), factories.create_source())["read"], bodies)
    return {each.id: each.type for each in seen}


@pytest.mark.parametrize("seed", range(16))
def test_what_is_foretold_is_what_the_gate_lets_out(alice, record, get, seed):
    """Before the grant, after it, by resource and by count: four ways to ask, and one answer."""
    dice = random.Random(seed)
    categories = dice.sample(CATEGORIES, dice.randint(1, len(CATEGORIES)))
    labels = dice.sample(LABELS, dice.randint(0, len(LABELS)))
    scope = dice.choice(SCOPES)
    foretold = preview.would_see(own(alice), choice(alice, categories, labels, scope))

    consent = factories.create_consent(alice, categories=categories, labels=labels)
    token = issue(consent, scope)
    now = preview.would_see(own(alice), explain.of_consent(consent))
    explained = {
        f"{t}/{id}"
        for id, t in record.items()
        if explain.sees(explain.of_consent(consent), preview.look_at(own(alice), t, id)[1]).permitted
    }

    assert now == foretold
    assert explained == let_through(get, token, record)
    assert now.seen == len(explained)


def test_counts_stand_by_category_and_hidden_ones_by_topic(alice):
    found = preview.would_see(own(alice), choice(alice, [Category.TEST_RESULTS, Category.MEDICINES]))

    assert [(c.category, c.seen, dict(c.private)) for c in found.counts] == [
        (Category.TEST_RESULTS, 2, {"substance-use": 2, "sexual-health": 3}),
        (Category.MEDICINES, 1, {"substance-use": 1}),
    ]
    assert (found.seen, found.hidden, found.limited) == (3, 5, 0)
    assert found.private == Counter({"substance-use": 3, "sexual-health": 3})


def test_a_topic_that_is_ticked_comes_along(alice):
    labels = next(topic.labels for topic in TOPICS if topic.code == "substance-use")
    found = preview.would_see(own(alice), choice(alice, [Category.VITAL_SIGNS, Category.MEDICINES], labels))

    assert (found.seen, found.hidden) == (4, 0)


def test_an_address_is_counted_only_if_it_goes_along(alice):
    without = preview.would_see(own(alice), choice(alice, [Category.DEMOGRAPHICS]))
    along = preview.would_see(own(alice), choice(alice, [Category.DEMOGRAPHICS, Category.CONTACT]))

    assert [c.category for c in without.counts] == [Category.DEMOGRAPHICS]
    assert [(c.category, c.seen) for c in along.counts] == [
        (Category.DEMOGRAPHICS, 1),
        (Category.CONTACT, 1),
    ]


def test_the_log_has_one_event_that_says_what_it_was(alice):
    other = choice(alice, CATEGORIES)
    before = AuditEvent.objects.count()
    preview.would_see(own(alice), other)

    event = AuditEvent.objects.get(type="record:preview")
    assert AuditEvent.objects.count() == before + 1
    assert (event.actor, event.role) == (f"User/{alice.user.pk}", "patient")
    assert (event.client, event.consent, event.count) == ("", "", 11)


def test_nothing_is_read_where_nothing_could_be_seen(alice):
    consent = factories.create_consent(alice)
    commands.pause_all(alice, act=Act(by=alice.user, channel="portal"))
    consent.refresh_from_db()
    found = preview.would_see(own(alice), explain.of_consent(consent))

    assert (found.seen, found.reason) == (0, Reason.PAUSED)
    assert not AuditEvent.objects.filter(type="record:preview").exists()


def test_a_limit_that_was_agreed_to_is_counted_apart(alice):
    codes = [fhir.concept(fhir.DATA_CATEGORY, Category.VITAL_SIGNS)]
    act = Act(by=alice.user, channel="portal")
    limit = commands.ask_restriction(patient=alice, provision={"type": "deny", "code": codes}, act=act)
    asked = [Category.TEST_RESULTS, Category.VITAL_SIGNS]
    before = preview.would_see(own(alice), choice(alice, asked))
    commands.answer(limit, agreed=True, act=act)
    after = preview.would_see(own(alice), choice(alice, asked))

    assert (before.limited, after.limited) == (0, 2)
    assert (before.seen, after.seen) == (3, 2)


def test_a_long_record_is_cut_and_says_so(alice, monkeypatch):
    monkeypatch.setattr(preview, "MOST", 3)
    found = preview.would_see(own(alice), choice(alice, CATEGORIES))

    assert found.more
    assert found.seen + found.hidden <= 3


def test_a_record_of_many_pages_is_counted_whole(alice):
    factories.load_records(*(observed(alice, f"pulse-{n}") for n in range(450)))
    found = preview.would_see(own(alice), choice(alice, [Category.VITAL_SIGNS]))

    assert (found.seen, found.more) == (451, False)
    assert AuditEvent.objects.filter(type="record:preview").count() == 1


def test_a_patient_without_a_record_here_has_nothing_to_count(alice):
    alice.identities.all().delete()

    assert preview.would_see(own(alice), choice(alice, CATEGORIES)).seen == 0
    assert not AuditEvent.objects.filter(type="record:preview").exists()


def test_nobody_counts_on_the_record_of_another(alice):
    mallory = factories.mallory()
    stranger = authority.for_own_record(mallory.user, alice, timezone.now())

    with pytest.raises(Refusal):
        preview.would_see(stranger, choice(alice, CATEGORIES))


def test_a_suspended_client_would_see_nothing(alice):
    consent = factories.create_consent(alice)
    consent.client.status = "suspended"
    consent.client.save()
    found = preview.would_see(own(alice), explain.of_consent(consent))

    assert (found.seen, found.reason) == (0, Reason.CLIENT_SUSPENDED)
