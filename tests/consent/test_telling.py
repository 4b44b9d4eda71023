"""What a patient is told of: once for each change, in its transaction, and nothing where nothing changed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Patient
from consent import commands, fhir
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import Category
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Patient:
    return factories.create_patient("Alice Moreno")


def act(patient: Patient) -> Act:
    return Act(by=patient.user, channel="portal")


def told() -> list[str]:
    return list(
        Notice.objects.exclude(kind="app_connected").order_by("created_at").values_list("kind", flat=True)
    )


def propose(patient: Patient) -> Consent:
    now = timezone.now()
    terms = fhir.Terms(categories=[Category.IMAGING], start=now, until=now + timedelta(days=30))
    said = {"provision": fhir.permit(terms, {"reference": "Practitioner/hart"})}
    whom = {"recipient": "Practitioner/hart"}
    return commands.record_resource(
        said, patient=patient, act=act(patient), whom=whom, kind="share", propose=True
    )


def test_a_pause_and_its_end_are_told_once(alice):
    factories.create_consent(alice)
    factories.create_consent(alice)
    for _ in range(2):
        commands.pause_all(alice, act=act(alice))
    for _ in range(2):
        commands.resume_all(alice, act=act(alice))

    assert told() == ["sharing_paused", "sharing_resumed"]


def test_a_proposal_is_told_when_it_comes_and_not_when_it_is_answered(alice):
    commands.answer(propose(alice), agreed=True, act=act(alice))

    assert told() == ["sharing_asked"]


@pytest.mark.parametrize("agreed", [True, False])
def test_a_limit_is_told_when_the_clinic_answers(alice, agreed):
    limit = commands.ask_restriction(patient=alice, provision={"type": "deny"}, act=act(alice))
    assert told() == []
    for _ in range(2):
        commands.answer(limit, agreed=agreed, act=act(alice))

    assert told() == ["limit_answered"]


def test_who_has_no_log_in_is_told_nothing(alice):
    child = factories.create_patient("Tom Moreno", signs_in=False)
    commands.record_resource(
        {"provision": {"type": "deny"}},
        patient=child,
        act=act(alice),
        whom={"directive": "research"},
        kind="preference",
        propose=True,
    )

    assert told() == []
