"""A14: breaking the glass: with a reason, for minutes, told at once, and never on one's own record."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from accounts import endings
from audit.models import AuditEvent
from consent import authority, commands, emergencies
from consent.decision import Access, decide
from consent.emergency_models import EmergencyAccess
from consent.emergency_rules import permit, rules
from consent.versions import Act
from consent.vocabulary import LABELS, Category
from fhirproxy import gate, interactions
from fhirproxy.interactions import Interaction
from fhirproxy.outcomes import Refusal
from notices.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db
SAID = {"why": "unconscious", "text": "Found on the street, does not answer.", "on_team": False}


@pytest.fixture
def osei():
    return factories.dr_osei()


@pytest.fixture
def alice():
    return factories.alice()


def time_passes(view, minutes):
    """All of it happened as much earlier."""
    passed = timedelta(minutes=minutes)
    EmergencyAccess.objects.filter(pk=view.pk).update(
        opened_at=F("opened_at") - passed, ends_at=F("ends_at") - passed
    )


def reads(user, patient):
    """Whether the gate lets out this patient's lab results to them now."""
    requester = authority.for_emergency(user, patient)
    try:
        gate.serve(requester, interactions.search("Observation", []))
    except Refusal as refusal:
        return refusal.status != 403
    return True


def events(type):
    return list(AuditEvent.objects.filter(type=type).order_by("xid", "id"))


def test_A14_the_glass_opens_a_record_and_the_gate_says_why(osei, alice):
    assert not reads(osei, alice)

    view = emergencies.open_record(osei, alice, **SAID)

    assert reads(osei, alice)
    seen = events("record:search")[-1]
    assert (seen.outcome, seen.role, seen.purpose) == ("permit", "clinician", "ETREAT")
    assert "break-glass" in seen.detail["rules"]
    assert view.ends_at - view.opened_at == timedelta(minutes=settings.EMERGENCY_MINUTES)


def test_A14_the_patient_is_told_at_once_and_reads_it_in_their_list(osei, alice):
    view = emergencies.open_record(osei, alice, **SAID)

    notice = Notice.objects.get()
    (opened,) = events("emergency:open")
    assert (notice.kind, notice.recipient, notice.context) == (
        "emergency_opened",
        f"User/{alice.user.pk}",
        {},
    )
    assert (opened.patient, opened.target) == (f"Patient/{alice.pk}", f"EmergencyAccess/{view.pk}")
    assert SAID["text"] not in opened.payload


def test_parents_are_told_for_a_child_who_does_not_sign_in(osei, alice):
    tom = factories.tom()
    factories.let_help(alice.user, tom, "PRN")

    emergencies.open_record(osei, tom, **SAID)

    told = Notice.objects.get(kind__startswith="emergency")
    assert (told.kind, told.recipient) == ("emergency_opened_helper", f"User/{alice.user.pk}")


def test_A14_after_its_minutes_nothing_leaves(osei, alice):
    view = emergencies.open_record(osei, alice, **SAID)
    time_passes(view, settings.EMERGENCY_MINUTES)

    assert not reads(osei, alice)
    assert emergencies.running(osei, alice) is None


def test_A14_an_answer_that_was_decided_in_time_does_not_leave_after_it(osei, alice):
    view = emergencies.open_record(osei, alice, **SAID)
    requester = authority.for_emergency(osei, alice)
    time_passes(view, settings.EMERGENCY_MINUTES)

    with pytest.raises(Refusal):
        gate.serve(requester, Interaction("read", "Patient", factories.fhir_id(alice)))


@pytest.mark.parametrize("how", ["by hand", "account closed", "deactivated"])
def test_A14_it_ends_with_the_button_and_with_the_account(osei, alice, how):
    view = emergencies.open_record(osei, alice, **SAID)
    requester = authority.for_emergency(osei, alice)
    if how == "by hand":
        assert emergencies.end(view, by=osei)
    elif how == "account closed":
        endings.close(osei, by=factories.create_staff("Ada", "administrator"))
    else:
        type(osei).objects.filter(pk=osei.pk).update(is_active=False)

    with pytest.raises(Refusal):
        gate.serve(requester, interactions.search("Observation", []))


def test_ending_twice_is_one_end(osei, alice):
    view = emergencies.open_record(osei, alice, **SAID)

    assert [emergencies.end(view, by=osei), emergencies.end(view, by=osei)] == [True, False]
    assert len(events("emergency:end")) == 1


def test_opening_twice_is_one_view_one_notice_and_two_events(osei, alice):
    first, second = (emergencies.open_record(osei, alice, **SAID) for _ in range(2))

    assert first.pk == second.pk
    assert Notice.objects.count() == 1
    assert [bool(e.detail.get("again")) for e in events("emergency:open")] == [False, True]


def test_A14_it_opens_this_record_to_this_clinician_only(osei, alice):
    emergencies.open_record(osei, alice, **SAID)
    other = factories.create_staff("Dr. Other", "clinician", practitioner="Practitioner/other")

    assert not reads(other, alice)
    assert not reads(osei, factories.mallory())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "short"}, "emergency.reason"),
        ({"text": "   " * 20}, "emergency.reason"),
        ({"why": "curious"}, "emergency.reason"),
    ],
)
def test_A14_without_a_reason_nothing_opens(osei, alice, changes, code):
    with pytest.raises(emergencies.Refused) as refused:
        emergencies.open_record(osei, alice, **SAID | changes)

    (event,) = events("emergency:open")
    assert refused.value.code == code
    assert (event.outcome, event.reasons, event.patient) == ("deny", [code], f"Patient/{alice.pk}")
    assert not EmergencyAccess.objects.exists()


@pytest.mark.parametrize(
    "role", ["support", "compliance", "privacy_officer", "administrator", "app_reviewer"]
)
def test_A14_only_clinicians_break_the_glass(alice, role):
    with pytest.raises(emergencies.Refused, match="role"):
        emergencies.open_record(factories.create_staff("Sam", role), alice, **SAID)


def test_A14_nobody_opens_their_own_record(alice):
    alice.user.staff_roles.create(role="clinician", practitioner="Practitioner/alice")

    with pytest.raises(emergencies.Refused, match=r"emergency\.own"):
        emergencies.open_record(alice.user, alice, **SAID)
    assert not reads(alice.user, alice)


def test_a_merged_patient_is_opened_as_the_one_who_was_kept(osei, alice):
    old = factories.create_patient("Alice Old", signs_in=False)
    type(old).objects.filter(pk=old.pk).update(merged_into=alice)
    old.refresh_from_db()

    view = emergencies.open_record(osei, old, **SAID)

    assert view.patient == alice
    assert events("emergency:open")[0].patient == f"Patient/{alice.pk}"


def test_A14_a_patients_no_to_emergency_care_holds(osei, alice):
    commands.prefer(
        patient=alice, directive="emergency", permit=False, act=Act(by=alice.user, channel="portal")
    )

    with pytest.raises(emergencies.Refused, match=r"consent\.denied"):
        emergencies.open_record(osei, alice, **SAID)


def test_every_label_has_a_row_in_the_table_of_emergencies():
    assert set(rules()) == set(LABELS)
    assert all(rule.law for rule in rules().values())


@pytest.mark.parametrize("label", sorted(LABELS))
def test_A14_what_the_law_closes_stays_closed(osei, alice, label):
    emergencies.open_record(osei, alice, **SAID)
    requester = authority.for_emergency(osei, alice)
    access = Access(
        "read",
        "Condition",
        at=requester.now,
        purpose=requester.purpose,
        categories=frozenset({Category.CONDITIONS}),
        actors=requester.actors,
        security_labels=frozenset({label}),
    )

    assert decide(access, requester.authority("read")).permitted is rules()[label].open


def test_the_permit_is_for_emergencies_only():
    assert permit().purposes == {"ETREAT"}
    assert not permit().every_label
    assert not permit().writes


def test_A14_who_is_no_clinician_any_more_sees_nothing_by_a_view_that_still_runs(osei, alice):
    emergencies.open_record(osei, alice, **SAID)
    assert reads(osei, alice)

    osei.staff_roles.all().delete()

    assert not reads(osei, alice)
