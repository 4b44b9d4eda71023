"""A14, A26: each detector fires on what is planted, and not on what is usual."""

from datetime import timedelta

import pytest

from audit.events import EventType, Outcome, Role
from audit.log import ANONYMOUS
from compliance.monitoring.models import Alert, StoredBaseline
from compliance.monitoring.sentences import names_of, why
from demo.traffic.cast import App
from demo.traffic.misuse import emergency, opened
from demo.traffic.ordinary import entry, over_budget, refresh
from demo.traffic.writing import Event
from tests import factories
from tests.compliance.monitoring.watching import ACME, app_reads, at, names, reads, told, watch

pytestmark = pytest.mark.django_db
WORKDAYS = [day for day in range(26) if day % 7 < 5]


@pytest.fixture
def osei(db):
    return factories.create_staff("Dr. Ngozi Osei", "clinician")


@pytest.fixture
def usual(osei):
    """Four weeks of work from nine to five, an app's reads, and an export each night. Nothing odd in it."""
    nights = [given for day in range(26) for given in exports(at(day, 2), 300)]
    days = [one for day in WORKDAYS for hour in range(9, 17) for one in reads(osei, at(day, hour), 2)]
    apps = [one for day in range(26) for one in app_reads(at(day, 8), 10, network="198.51.0.0/24")]
    assert watch(nights, days, apps) == []


def exports(when, count):
    given = entry(
        EventType.EXPORT_GIVE, ACME, Role.CLIENT, "Patient/p", client=ACME, count=count, target="ExportJob/1"
    )
    return [told_of(given, when)]


def told_of(said, when, network=""):
    return Event(when, said, network)


def strangers(when, times):
    """Tokens that nobody was ever given."""
    said = {"actor": ANONYMOUS, "reasons": ("token.unknown",)}
    kind = (EventType.RECORD_REFUSE, Outcome.DENY)
    return [told(*kind, when + timedelta(seconds=i), **said) for i in range(times)]


def test_usual_days_raise_nothing_and_leave_baselines(usual, osei):
    assert not Alert.objects.exists()
    own = StoredBaseline.objects.get(measure="exports", subject=ACME)
    assert (round(own.total / own.windows), own.windows >= 20) == (300, True)
    assert StoredBaseline.objects.filter(measure="work", subject=f"User/{osei.pk}", windows__gte=100).exists()


def test_what_is_planted_is_found_by_its_detector(usual, osei):
    network = "203.0.113.0/24"
    notes = {"categories": ("notes",)}
    planted = [
        exports(at(26, 2), 3_000),
        app_reads(at(26, 8), 40, count=50, network="198.51.0.0/24"),
        reads(osei, at(28, 10), 60),
        reads(osei, at(28, 11), 70, patient="Patient/1", **notes),
        reads(osei, at(29, 3), 12, patient="Patient/1"),
        reads(osei, at(29, 10), 1, network=network),
        app_reads(at(29, 11), 60, denied="consent.category", network="198.51.0.0/24"),
        strangers(at(29, 12), 30),
    ]
    found = watch(*planted)

    assert names(found) == {
        *("export-volume", "read-volume", "many-patients", "sensitive", "off-hours", "new-network"),
        *("denials", "enumeration"),
    }


def test_the_sentence_says_who_how_much_and_against_which_baseline(usual):
    (alert,) = watch(exports(at(26, 2), 3_000))

    assert why(alert, names_of([alert])) == (
        f"Client/acme took 3,000 records by export on {at(26):%Y-%m-%d}. "
        "Usual for them: 300 (25 windows); the limit is 750."
    )
    assert len(alert.events) == 1


def test_without_history_it_says_that_there_is_no_baseline_yet():
    (alert,) = watch(exports(at(0, 2), 9_000))

    assert alert.against == "nothing"
    assert "There is no baseline yet; without one the limit is 5,000." in why(alert, {})


def test_an_app_that_slept_for_30_days_and_wakes():
    assert watch(app_reads(at(0)), app_reads(at(10))) == []

    (alert,) = watch(app_reads(at(41)))

    assert (alert.detector, alert.subject, alert.about) == ("dormant-client", ACME, "31")


def test_the_own_record_that_of_family_and_of_a_colleague(osei):
    """Those of strangers are none of this."""
    alice, tom, sam = factories.alice(), factories.tom(), factories.create_patient("Sam Park")
    mine = factories.create_patient("Ngozi Osei")
    type(mine).objects.filter(pk=mine.pk).update(user=osei)
    factories.helps(osei, tom)
    factories.StaffRole.objects.create(user=sam.user, role="support")
    people = {"own": mine, "family": tom, "colleague": sam, "stranger": alice}

    found = watch(*(reads(osei, at(1), 1, patient=f"Patient/{each.pk}") for each in people.values()))

    assert {alert.about for alert in found if alert.detector == "close-record"} == {
        f"Patient/{each.pk}" for name, each in people.items() if name != "stranger"
    }


def test_a_refusal_of_ones_own_record_is_told_and_that_of_a_colleague_is_not(osei):
    mine, sam = factories.create_patient("Ngozi Osei"), factories.create_patient("Sam Park")
    type(mine).objects.filter(pk=mine.pk).update(user=osei)
    factories.StaffRole.objects.create(user=sam.user, role="support")

    tries = [reads(osei, at(1), 1, patient=f"Patient/{p.pk}", denied="record.close") for p in (mine, sam)]

    assert [alert.about for alert in watch(*tries)] == [f"Patient/{mine.pk}"]


def test_an_emergency_view_that_nobody_reviews_in_24_hours(osei):
    alice = factories.alice()
    late = emergency(at(1), f"User/{osei.pk}", f"Patient/{alice.pk}", hours=40)
    emergency(at(1), f"User/{osei.pk}", f"Patient/{alice.pk}", hours=20)

    assert watch(opened(late)) == []
    (alert,) = watch(app_reads(at(2, 11)))

    assert (alert.detector, alert.subject) == ("break-glass", f"EmergencyAccess/{late.pk}")


def test_a_refresh_token_that_was_used_before():
    again = told(
        EventType.TOKEN_REFUSE,
        Outcome.DENY,
        at(1),
        actor=ACME,
        client=ACME,
        patient="Patient/p",
        reasons=("token.replayed",),
    )

    (alert,) = watch(again, told_of(refresh(ACME, "Patient/p"), at(1, 9)))

    assert (alert.detector, alert.severity) == ("refresh-reuse", "high")


@pytest.mark.parametrize(("hours", "found"), [(2, {"helper-start"}), (30, set())])
def test_a_helper_who_reads_a_lot_right_after_a_change_in_whom_they_help(hours, found):
    amir = f"User/{factories.create_user('Amir').pk}"
    confirmed = told(
        EventType.HELPER_CONFIRM,
        Outcome.DONE,
        at(1),
        actor="User/alice",
        patient="Patient/a",
        target="RelatedPerson/1",
        detail={"about": amir},
    )
    look = entry(EventType.RECORD_SEARCH, amir, Role.HELPER, "Patient/a", purpose="FAMRQT")

    alerts = watch(confirmed, [told_of(look, at(1, 10 + hours, i)) for i in range(70)])

    assert names(alerts) == found


def test_budgets_that_are_used_up_again_and_again():
    over = over_budget(App(ACME, [], []))

    assert watch(told_of(over, at(1, 9)), told_of(over, at(1, 10))) == []
    assert names(watch(told_of(over, at(1, 11)))) == {"budget"}


def test_a_log_that_is_late_or_was_changed():
    late = told(
        EventType.FAULT_REPORT,
        Outcome.FAILED,
        at(1),
        actor="System/audit",
        target="System/audit",
        reasons=("log.late",),
    )

    (alert,) = watch(late)

    assert (alert.detector, alert.about) == ("log", "log.late")


def test_patients_who_read_their_own_records_are_not_watched_for_how_much():
    looks = [
        told_of(entry(EventType.RECORD_SEARCH, "User/a", Role.PATIENT, "Patient/a", count=500), at(1, 10, i))
        for i in range(50)
    ]

    assert watch(looks) == []
