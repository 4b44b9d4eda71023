"""Birthdays: what each age closes, by the patient's own law and date, in each request."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Patient, RelatedPerson, RelatedPersonChange
from accounts.relations import Refused
from consent import ages, authority, birthdays, helper_rights, helping
from consent.decision import Access, decide
from consent.jurisdictions import table
from consent.requester import Requester
from consent.tasks import expire_helpers, tell_of_birthdays
from consent.versions import Act
from consent.vocabulary import LABELS, Category, Purpose
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db
LAWS = sorted(table())
AGES = (10, 11, 12, 13, 17, 18)


def birthday(law: str, age: int, *, days: int = 0) -> date:
    """Born so that they have been of that age for so many days, where their law holds."""
    day = table()[law].today(timezone.now(), "America/New_York") - timedelta(days=days)
    try:
        return day.replace(year=day.year - age)
    except ValueError:
        return date(day.year - age, 3, 1)


def child(law: str, born: date, *, signs_in: bool = False) -> Patient:
    patient = factories.create_patient("Mia Moreno", birth_date=born, signs_in=signs_in)
    patient.jurisdiction = law
    patient.save(update_fields=["jurisdiction"])
    return patient


def parent_of(patient: Patient, **more) -> RelatedPerson:
    return factories.let_help(factories.create_user("Alice Moreno"), patient, "PRN", days=9000, **more)


def sees(relation: RelatedPerson, category: str, *labels: str) -> bool:
    return would_see(authority.for_helper(relation.user, relation.patient), category, *labels)


def would_see(requester: Requester, category: str, *labels: str) -> bool:
    access = Access(
        interaction="read",
        resource_type="Observation",
        at=requester.now,
        purpose=Purpose.FAMRQT,
        categories=frozenset({category}),
        actors=requester.actors,
        security_labels=frozenset(labels),
        codings=frozenset(),
    )
    return decide(access, requester.authority("read")).permitted


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("law", LAWS)
def test_on_the_birthday_and_the_day_before(law, age):
    row = table()[law]
    for days, years in ((0, age), (-1, age - 1)):
        relation = parent_of(child(law, birthday(law, age, days=days)))
        missing = authority.for_helper(relation.user, relation.patient).missing

        assert (missing == "helper.of-age") is (years >= row.minor_until)
        hidden = row.kinds if years >= row.teen_from else frozenset()
        expected = years < row.minor_until and Category.NOTES not in hidden
        assert sees(relation, Category.NOTES) is expected
        assert sees(relation, Category.VACCINES) is (years < row.minor_until)


@pytest.mark.parametrize("level", ["visits", "daily", "most"])
@pytest.mark.parametrize("age", [5, 12, 40])
@pytest.mark.parametrize("law", ["US", "US-MI"])
def test_nothing_is_seen_outside_of_grant_and_age_rule_or_of_a_private_topic(law, age, level):
    """Every category with no label and with each label: all that there is."""
    patient = child(law, birthday(law, age))
    relation = factories.let_help(
        factories.create_user("Rosa Bennett"), patient, "PRN" if age < 18 else "FRND", level=level
    )
    granted = set(helper_rights.categories_of(level))
    labels, kinds = helper_rights.hidden(relation, timezone.now())
    requester = authority.for_helper(relation.user, patient)
    for category in Category:
        allowed = category in granted and category not in kinds
        assert would_see(requester, category) is allowed
        assert not any(would_see(requester, category, label) for label in LABELS)
    assert labels <= LABELS


def test_a_birthday_is_that_of_where_the_patients_law_holds():
    """06:30 UTC is the day before in Los Angeles, and the day itself in Detroit."""
    born = date(2012, 6, 15)
    moment = datetime(2026, 6, 15, 6, 30, tzinfo=UTC)
    west, east = child("US-CA", born), child("US-MI", born)

    assert (ages.age_at(west, moment), ages.age_at(east, moment)) == (13, 14)
    with timezone.override("Pacific/Kiritimati"):
        assert ages.age_at(west, moment) == 13


@pytest.mark.parametrize("basis", ["capacity", "attorney"])
def test_diminished_capacity_goes_on_past_every_age(basis):
    relation = factories.let_help(
        factories.create_user("Alice Moreno"), child("US-MI", birthday("US-MI", 18)), "PRN", basis=basis
    )

    assert authority.for_helper(relation.user, relation.patient).missing is None
    assert sees(relation, Category.NOTES)


def test_the_law_treats_an_emancipated_minor_as_an_adult():
    patient = child("US-MI", birthday("US-MI", 16))
    relation = parent_of(patient)
    assert authority.for_helper(relation.user, patient).missing is None
    patient.emancipated_on = timezone.localdate() - timedelta(days=1)
    patient.save(update_fields=["emancipated_on"])

    assert authority.for_helper(relation.user, patient).missing == "helper.of-age"
    expire_helpers()
    relation.refresh_from_db()
    assert (relation.status, relation.reason) == ("ended", "emancipated")


def test_age_counts_before_any_task_has_run_and_the_task_writes_it_down():
    relation = parent_of(child("US", birthday("US", 18)))
    client = Client()
    client.force_login(relation.user)
    answer = client.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})

    assert answer.status_code == 403
    assert "is an adult now" in answer.text
    assert relation.status == "confirmed"
    expire_helpers()
    relation.refresh_from_db()
    assert (relation.status, relation.reason) == ("ended", "of-age")
    assert relation.consents.get().status == "inactive"


def test_a_session_that_acts_on_the_birthday_is_closed_by_the_next_request():
    patient = child("US", birthday("US", 18, days=-1))
    factories.load_records(factories.patient_record(patient), factories.lab_result(patient))
    relation = parent_of(patient)
    client = Client()
    client.force_login(relation.user)
    client.post("/acting/switch/", {"who": relation.pk, "agree": "yes"})
    assert "LDL" in client.get(f"/for/{relation.pk}/results/").text

    Patient.objects.update(birth_date=birthday("US", 18))
    page = client.get(f"/for/{relation.pk}/results/")

    assert page.status_code == 403
    assert "LDL" not in page.text


def test_both_are_told_once_before_the_birthday_and_nothing_changes():
    patient = child("US-OH", birthday("US-OH", 13, days=-20), signs_in=True)
    relation = parent_of(patient)
    Notice.objects.all().delete()
    before = list(RelatedPersonChange.objects.values_list("pk", flat=True))
    tell_of_birthdays()
    tell_of_birthdays()

    told = Notice.objects.order_by("kind").values_list("kind", "recipient", "context")
    assert list(told) == [
        ("teen_soon", f"User/{patient.user.pk}", {}),
        ("teen_soon_helper", f"User/{relation.user.pk}", {"patient": "Mia Moreno"}),
    ]
    assert list(RelatedPersonChange.objects.values_list("pk", flat=True)) == before
    assert birthdays.coming(patient) == "teen_soon"


@pytest.mark.parametrize("law", LAWS)
def test_who_is_near_18_and_their_parents_are_told(law):
    patient = child(law, birthday(law, 18, days=-5), signs_in=True)
    parent_of(patient)
    tell_of_birthdays()

    assert set(Notice.objects.values_list("kind", flat=True)) >= {"of_age_soon", "of_age_soon_helper"}


def test_a_teen_gives_back_kinds_and_never_topics():
    patient = child("US-MI", birthday("US-MI", 14), signs_in=True)
    relation = parent_of(patient)
    client = Client()
    client.force_login(patient.user)
    page = client.get("/helpers/").text
    assert "What your helpers can see" in page
    assert "Hidden because you are a teen" in page
    assert not sees(relation, Category.TEST_RESULTS)

    client.post(f"/helpers/{relation.pk}/do/", {"do": "assent", "version": "1"})

    assert sees(relation, Category.TEST_RESULTS)
    assert not sees(relation, Category.TEST_RESULTS, "HIV")


def test_a_law_without_assent_takes_none():
    patient = child("US-CA", birthday("US-CA", 14), signs_in=True)
    relation = parent_of(patient)
    with pytest.raises(Refused, match=r"helper\.age"):
        helping.give_back(relation, act=Act(by=patient.user, channel="portal"), seen=1)


@pytest.mark.parametrize(("age", "refused"), [(12, True), (13, False)])
def test_a_minor_chooses_helpers_from_13(age, refused):
    patient = child("US", birthday("US", age), signs_in=True)
    client = Client()
    client.force_login(patient.user)
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    answer = client.post("/helpers/invite/", {"relationship": "FRND", "level": "visits", "until": until})

    assert (answer.status_code == 422) is refused


def test_a_parent_of_a_grown_child_is_refused():
    patient, user = child("US", birthday("US", 18)), factories.create_user("Alice Moreno")
    now = timezone.now()
    with pytest.raises(Refused, match=r"helper\.age"):
        helper_rights.check(
            patient, user, relationship="PRN", basis="parent", until=now + timedelta(days=1), now=now
        )


def test_the_help_of_a_parent_cannot_be_made_longer_than_childhood():
    patient = child("US", birthday("US", 17))
    end = helper_rights.latest_end("parent", patient, timezone.now())

    assert ages.age_at(patient, end) == 18
    assert ages.age_at(patient, end - timedelta(seconds=1)) == 17


@pytest.mark.parametrize("basis", ["parent", "guardian", "capacity"])
def test_a_teen_does_not_end_what_the_law_gave(basis):
    patient = child("US-MI", birthday("US-MI", 14), signs_in=True)
    relation = parent_of(patient, basis=basis)
    client = Client()
    client.force_login(patient.user)
    ended = client.post(f"/helpers/{relation.pk}/do/", {"do": "stop"})
    client.post(f"/sharing/{relation.consents.get().pk}/stop/")

    assert ended.status_code == 409
    assert "Only your clinic can change this." in ended.text
    assert authority.for_helper(relation.user, patient).missing is None
    assert "Stop the help" not in client.get(f"/helpers/{relation.pk}/").text


def test_whoever_a_teen_chose_they_stop():
    patient = child("US-MI", birthday("US-MI", 14), signs_in=True)
    relation = factories.let_help(factories.create_user("Rosa Bennett"), patient, "FRND", level="visits")
    client = Client()
    client.force_login(patient.user)
    client.post(f"/helpers/{relation.pk}/do/", {"do": "stop"})

    assert authority.for_helper(relation.user, patient).missing == "consent.revoked"
