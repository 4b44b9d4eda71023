"""The clinicians' queue: theirs, all of it, nobody else's, and every look at it in the log."""

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from fhirproxy import treating
from fhirproxy.models import WriteCommand
from fhirproxy.writes import commands
from tests import factories
from tests.fhirproxy.test_writes import reading, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.alice()


@pytest.fixture
def osei(client, alice):
    user = factories.dr_osei(treats=[alice])
    client.force_login(user)
    return user


def test_the_queue_holds_what_ones_own_patients_sent(client, osei, alice):
    submit(alice)
    submit(factories.mallory())
    page = client.get(reverse("portal:review")).content.decode()

    assert "Alice Moreno" in page
    assert "Mallory" not in page


def test_A26_one_patient_cannot_bury_what_another_sent(client, osei, alice):
    mallory = factories.mallory()
    for n in range(commands.MOST_WAITING):
        submit(mallory, reading(mallory, 120 + n), key=f"key-{n}")
    with pytest.raises(commands.TooManyWaiting):
        submit(mallory, reading(mallory, 170), key="one-more")
    submit(alice)

    assert "Alice Moreno" in client.get(reverse("portal:review")).content.decode()


def test_A14_every_look_at_a_proposal_stands_in_the_patients_log(client, osei, alice):
    command = submit(alice)
    client.get(reverse("portal:review"))
    client.get(reverse("portal:review-item", args=[command.id]))
    looks = AuditEvent.objects.filter(
        patient=f"Patient/{alice.pk}", actor=f"User/{osei.pk}", target=f"WriteCommand/{command.id}"
    )

    assert [e.outcome for e in looks] == ["permit", "permit"]


@pytest.mark.parametrize("name", ["review-item", "review-accept", "review-send-back", "review-done"])
def test_A14_the_proposal_of_somebody_elses_patient_is_refused_and_logged(client, osei, name):
    mallory = factories.mallory()
    command = submit(mallory)
    address = reverse(f"portal:{name}", args=[command.id])
    answer = client.get(address) if name in ("review-item", "review-done") else client.post(address)

    assert answer.status_code == 404
    event = AuditEvent.objects.get(actor=f"User/{osei.pk}", patient=f"Patient/{mallory.pk}")
    assert (event.outcome, event.reasons) == ("deny", ["role.not-allowed"])
    assert WriteCommand.objects.get().status == "awaiting_review"


def test_A14_nobody_reviews_what_they_sent_themselves(alice):
    user = alice.user
    user.staff_roles.create(role="clinician", practitioner="Practitioner/alice")
    team = {
        "resourceType": "CareTeam",
        "id": "own-team",
        "status": "active",
        "subject": {"reference": f"Patient/{factories.fhir_id(alice)}"},
        "participant": [{"member": {"reference": "Practitioner/alice"}}],
    }
    team["participant"] = [{k: v for k, v in p.items() if v} for p in team["participant"]]
    factories.load_records(team)

    assert not treating.treats(user, alice)


@pytest.mark.parametrize(
    ("period", "treats"),
    [
        ({}, True),
        ({"end": "2011-03-01"}, False),
        ({"end": "2011"}, False),
        ({"start": "2011-03-01"}, True),
        ({"start": "2999"}, False),
        ({"start": str(timezone.localdate()), "end": str(timezone.localdate())}, True),
    ],
)
def test_A14_a_place_on_the_care_team_that_has_ended_is_none(alice, period, treats):
    user = factories.create_staff("Dr. Was", "clinician", practitioner="Practitioner/dr-was")
    member = {"member": {"reference": "Practitioner/dr-was"}, "period": period}
    team = {
        "resourceType": "CareTeam",
        "id": "old-team",
        "status": "active",
        "subject": {"reference": f"Patient/{factories.fhir_id(alice)}"},
        "participant": [member],
    }
    team["participant"] = [{k: v for k, v in p.items() if v} for p in team["participant"]]
    factories.load_records(team)

    assert treating.treats(user, alice) is treats


def test_the_clinician_sees_whose_it_is_and_what_the_chart_says(client, osei, alice):
    page = client.get(reverse("portal:review-item", args=[submit(alice).id])).content.decode()

    assert factories.fhir_id(alice) in page
    assert "1979" in page
    assert "Nothing yet" in page
