"""A14: each emergency view is reviewed within 24 hours, once, by somebody else."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse

from audit.models import AuditEvent
from compliance import emergencies as reviews
from compliance.models import Investigation
from consent import authority, emergencies
from consent.emergency_models import EmergencyAccess
from fhirproxy import gate, interactions
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def cora(client):
    user = factories.create_staff("Cora Lind", "compliance")
    client.force_login(user)
    return user


@pytest.fixture
def view(db):
    osei, alice = factories.dr_osei(), factories.alice()
    found = emergencies.open_record(osei, alice, why="life", text="A car crash, no papers.", on_team=False)
    gate.serve(authority.for_emergency(osei, alice), interactions.search("Observation", []))
    return found


def hours_pass(view, hours):
    passed = timedelta(hours=hours)
    EmergencyAccess.objects.filter(pk=view.pk).update(
        opened_at=F("opened_at") - passed, ends_at=F("ends_at") - passed
    )


def events(type, **fields):
    return list(AuditEvent.objects.filter(type=type, **fields).order_by("xid", "id"))


def address(view):
    return reverse("admin:emergency-view", args=[view.pk])


def test_the_queue_and_the_page_say_what_happened(client, cora, view):
    queue = client.get(reverse("admin:emergency-views")).text
    page = client.get(address(view)).text

    assert "Dr. Ngozi Osei" in queue
    assert "overdue" not in queue
    assert "A car crash, no papers." in page
    assert "not on the patient" in page
    assert "Nothing." not in page
    assert f"User/{view.patient.user_id}" in page
    assert events("audit:read", target=f"EmergencyAccess/{view.pk}")


def test_A14_after_24_hours_it_is_overdue_on_the_start_page(client, cora, view):
    assert "waited for more than 24 hours" not in client.get(reverse("admin:index")).text

    hours_pass(view, 25)

    assert "1 emergency view waited for more than 24 hours" in client.get(reverse("admin:index")).text
    assert "overdue" in client.get(reverse("admin:emergency-views")).text


def test_a_confirmed_view_leaves_the_queue(client, cora, view):
    client.post(address(view), {"do": "confirm", "note": "The crash was in the news."})

    view.refresh_from_db()
    (event,) = events("emergency:review")
    assert (view.verdict, view.reviewed_by) == ("confirmed", cora)
    assert (event.outcome, event.patient) == ("done", f"Patient/{view.patient_id}")
    assert event.detail["verdict"] == "confirmed"
    assert reviews.queue() == []


def test_an_escalated_view_becomes_a_case_with_what_was_read(client, cora, view):
    answer = client.post(address(view), {"do": "escalate", "note": "Nobody knows of a crash."})

    case = Investigation.objects.get()
    view.refresh_from_db()
    assert view.case_id == case.pk
    assert answer.url == reverse("admin:case", args=[case.pk])
    types = {e.type for e in AuditEvent.objects.filter(id__in=case.events.values("event_id"))}
    assert types == {"emergency:open", "record:search"}


def test_A14_of_two_reviews_the_second_is_told(client, cora, view):
    client.post(address(view), {"do": "confirm", "note": "It was right."})
    late = client.post(address(view), {"do": "escalate", "note": "It was wrong."}, follow=True)

    view.refresh_from_db()
    assert "Somebody else has reviewed it already" in late.text
    assert view.verdict == "confirmed"
    assert not Investigation.objects.exists()
    assert [e.outcome for e in events("emergency:review")] == ["done", "deny"]


@pytest.mark.parametrize("sent", [{"do": "confirm", "note": "  "}, {"do": "", "note": "Fine."}, {}])
def test_a_review_without_words_or_button_changes_nothing(client, cora, view, sent):
    client.post(address(view), sent)

    view.refresh_from_db()
    assert view.reviewed_at is None


def test_A14_nobody_reviews_their_own_view(client, view):
    view.user.staff_roles.create(role="compliance")

    with pytest.raises(reviews.NotNow):
        reviews.confirm(view, by=view.user, note="I was right.")


def test_each_month_has_its_numbers(cora, view):
    reviews.confirm(view, by=cora, note="It was right.")
    osei, mallory = view.user, factories.mallory()
    late = emergencies.open_record(osei, mallory, why="life", text="Does not wake up.", on_team=True)
    EmergencyAccess.objects.filter(pk=late.pk).update(opened_at=view.opened_at - timedelta(minutes=1))
    (month,) = reviews.by_month()

    assert (month.opened, month.confirmed, month.escalated, month.waiting, month.late) == (2, 1, 0, 1, 0)
    (month,) = reviews.by_month(now=view.opened_at + timedelta(hours=25))
    assert month.late == 1
