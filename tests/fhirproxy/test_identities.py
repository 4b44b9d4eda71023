"""A record at an EHR is joined by an audited match, and a wrong link is undone (A9, A13)."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.identities import Refused
from accounts.matching import Verdict
from accounts.models import IdentityMatch, Patient, PatientIdentity
from audit.models import AuditEvent
from consent import commands, merging
from consent.versions import Act
from fhirproxy import identities
from fhirproxy.models import LastCopy, Source
from fhirproxy.outcomes import EhrFailure
from notices.models import Notice
from tests import factories
from tests.consent.test_history import together
from tests.fhirproxy.conftest import issue

WHY = "She asked at the desk"
pytestmark = pytest.mark.django_db


@pytest.fixture
def cora():
    return factories.create_staff("Cora", "compliance")


@pytest.fixture
def alice():
    """She signs in, and no record is joined to hers."""
    factories.create_source()
    family = f"Moreno{factories.uuid.uuid4().hex[:6]}"
    user = factories.create_user(f"Alice {family}")
    return Patient.objects.create(user=user, name=user.name, birth_date=factories.date(1979, 4, 17))


def record(patient, id="", *, email=True, **changes):
    """A Patient in the embedded store that is Alice's by name, birth date and e-mail."""
    given, family = patient.name.split()
    resource = {
        "resourceType": "Patient",
        "id": id or f"p-{factories.uuid.uuid4().hex[:12]}",
        "name": [{"given": [given], "family": family}],
        "birthDate": patient.birth_date.isoformat(),
        **({"telecom": [{"system": "email", "value": patient.user.email.upper()}]} if email else {}),
        **changes,
    }
    factories.load_records(resource)
    return resource["id"]


def join(patient, by=None, **changes):
    return identities.link(by, patient, factories.SOURCE, record(patient, **changes), WHY)


def refused_with(code, event="identity:link"):
    return AuditEvent.objects.filter(type=event, outcome="deny", reasons=[code]).exists()


def test_a_match_is_joined_by_itself_and_the_patient_reads_of_it(alice):
    identity = join(alice)

    assert alice.identities.get() == identity
    match = IdentityMatch.objects.get(status="linked")
    assert (match.verdict, match.method, match.reason) == ("match", "automatic", WHY)
    assert match.agreed == ["birth-date", "email", "name"]
    event = AuditEvent.objects.get(type="identity:link")
    assert (event.patient, event.target) == (f"Patient/{alice.pk}", f"Source/{factories.SOURCE}")


def test_nothing_of_the_person_stands_in_the_log(alice):
    identity = join(alice)

    with connection.cursor() as cursor:
        cursor.execute("SELECT payload::text FROM audit_event WHERE type LIKE 'identity:%%'")
        payloads = [payload for (payload,) in cursor.fetchall()]

    assert len(payloads) == 2  # the question and the link
    for secret in (alice.user.email, identity.fhir_id, alice.name, "1979-04-17"):
        assert not any(secret in payload for payload in payloads)


@pytest.mark.parametrize("role", [None, "support", "clinician"])
def test_a_doubt_is_for_privacy_staff(alice, cora, role):
    fhir_id = record(alice, birthDate="1979-04-18")
    actor = role and factories.create_staff("Sam", role)

    with pytest.raises(Refused):
        identities.link(actor, alice, factories.SOURCE, fhir_id, WHY)
    assert refused_with("identity.evidence")
    assert not alice.identities.exists()

    identities.link(cora, alice, factories.SOURCE, fhir_id, WHY)
    assert IdentityMatch.objects.get(status="linked").method == "person"


def test_what_is_ambiguous_is_joined_by_nobody(alice, cora):
    one, _ = record(alice), record(alice)

    assert identities.find(cora, alice, factories.SOURCE).verdict is Verdict.AMBIGUOUS
    with pytest.raises(Refused, match="Two records"):
        identities.link(cora, alice, factories.SOURCE, one, WHY)
    assert refused_with("identity.ambiguous")
    assert not PatientIdentity.objects.filter(patient=alice).exists()


def test_a_record_that_is_somebody_else_s_in_name_is_not_joined_even_by_staff(alice, cora):
    mallory = factories.mallory()

    with pytest.raises(Refused):
        identities.link(cora, alice, factories.SOURCE, factories.fhir_id(mallory), WHY)
    mallory.identities.all().delete()
    with pytest.raises(Refused, match="no such record"):
        identities.link(cora, alice, factories.SOURCE, "mallory-1", WHY)


def test_a_record_has_one_patient(alice, cora):
    identity = join(alice)
    other = Patient.objects.create(name=alice.name, birth_date=alice.birth_date)

    with pytest.raises(Refused, match="joined to another patient"):
        identities.link(cora, other, factories.SOURCE, identity.fhir_id, WHY)
    assert refused_with("identity.taken")


@pytest.mark.parametrize(
    ("source", "fhir_id", "code"),
    [("nowhere", "1", "identity.source"), (factories.SOURCE, "x" * 256, "identity.id")],
)
def test_bad_input_is_refused_and_said_in_the_log(alice, cora, source, fhir_id, code):
    with pytest.raises(Refused):
        identities.link(cora, alice, source, fhir_id, WHY)

    assert refused_with(code)


def test_an_ehr_that_is_down_changes_nothing(alice, cora):
    Source.objects.create(
        slug="down", name="Down", kind="http", base_url="http://127.0.0.1:9/fhir", connect_timeout=1
    )

    with pytest.raises(EhrFailure):
        identities.link(cora, alice, "down", "1", WHY)

    assert not IdentityMatch.objects.exists()


def test_an_undone_link_reads_nothing_any_more_and_can_be_made_anew(alice, cora, get):
    identity = join(alice)
    token = issue(factories.create_consent(alice))
    assert get(token, f"Patient/{identity.fhir_id}").status_code == 200

    identities.unlink(cora, identity, "A wrong link")

    assert get(token, f"Patient/{identity.fhir_id}").status_code in (403, 404)
    identity.refresh_from_db()
    assert identity.ended_at
    assert IdentityMatch.objects.get(identity=identity).status == "undone"
    assert identities.link(cora, alice, factories.SOURCE, identity.fhir_id, WHY).pk != identity.pk


def test_pages_that_are_open_end_with_the_link(alice, cora, get):
    identity = join(alice)
    factories.load_records(*[factories.lab_result(alice, id=f"{identity.fhir_id}-{n}") for n in range(4)])
    token = issue(factories.create_consent(alice))
    first = get(token, "Observation?category=laboratory&_count=2").json()
    [onward] = [link["url"] for link in first["link"] if link["relation"] == "next"]
    path = onward.partition("/fhir/r4/")[2]
    assert get(token, path).status_code == 200

    identities.unlink(cora, identity, "A wrong link")
    factories.load_records({**factories.patient_record(factories.create_patient(alice.name))})

    assert get(token, path).status_code >= 400


def test_only_privacy_staff_undo_a_link(alice):
    identity = join(alice)

    with pytest.raises(Refused):
        identities.unlink(factories.create_staff("Sam", "support"), identity, WHY)

    assert refused_with("role.not-allowed", "identity:unlink")
    assert alice.identities.exists()


def test_where_the_ehr_merged_a_record_the_identity_follows_a_survivor_that_matches(alice, cora):
    identity = join(alice)
    into = record(alice)
    gone(alice, identity, into)

    assert identities.survivor(identity) == into
    moved = identities.follow(None, identity, "The EHR merged them")

    assert alice.identities.get() == moved
    assert moved.fhir_id == into
    assert IdentityMatch.objects.get(identity=moved).method == "survivor"


def test_a_survivor_that_is_somebody_else_is_not_followed(alice, cora):
    identity = join(alice)
    stranger = factories.mallory()
    gone(alice, identity, factories.fhir_id(stranger))

    with pytest.raises(Refused):
        identities.follow(cora, identity, "The EHR merged them")

    assert alice.identities.get() == identity


def test_a_record_that_lives_is_not_followed(alice, cora):
    with pytest.raises(Refused, match="not merged"):
        identities.follow(cora, join(alice), WHY)


def gone(patient, identity, into):
    record(
        patient,
        identity.fhir_id,
        active=False,
        link=[{"type": "replaced-by", "other": {"reference": f"Patient/{into}"}}],
    )


def run(cora, *arguments):
    out = StringIO()
    call_command("identities", f"--by={cora.pk}", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_finds_without_keeping_and_says_no_name(alice, cora):
    fhir_id = record(alice)

    said = run(cora, "find", str(alice.pk), factories.SOURCE)

    assert f"{fhir_id} match (agreed: birth-date email name; differed: -)" in said
    assert alice.name.split()[1] not in said
    assert not IdentityMatch.objects.exists()
    assert AuditEvent.objects.filter(type="identity:find").exists()


def test_the_command_knows_staff_by_their_address(alice, cora):
    out = StringIO()
    call_command(
        "identities", f"--by={cora.email.upper()}", "find", str(alice.pk), factories.SOURCE, stdout=out
    )

    assert out.getvalue().startswith(f"{factories.SOURCE}: no-match")
    with pytest.raises(CommandError, match="no person, patient or identity"):
        call_command("identities", "--by=no@body.example", "find", str(alice.pk), factories.SOURCE)


def test_the_command_joins_parts_and_merges(alice, cora):
    run(cora, "link", str(alice.pk), factories.SOURCE, record(alice), "--reason", WHY)
    run(cora, "unlink", str(alice.identities.get().pk), "--reason", WHY)
    assert not alice.identities.exists()

    row = Patient.objects.create(name=alice.name, birth_date=alice.birth_date)
    run(cora, "merge", str(alice.pk), str(row.pk), "--reason", WHY)
    run(cora, "unmerge", str(row.pk), "--reason", WHY)


@pytest.mark.parametrize("arguments", [("find", "x", "y"), ("unlink", "0", "--reason", "x")])
def test_the_command_says_what_is_not_there(cora, arguments):
    with pytest.raises(CommandError, match="no person, patient or identity"):
        run(cora, *arguments)


# A new record does not reach whoever was let in before it


def test_a_new_record_waits_for_a_yes_of_the_patient(alice, get):
    consent = factories.create_consent(alice)
    token = issue(consent)

    identity = join(alice)

    consent.refresh_from_db()
    assert (consent.status, consent.current.channel) == ("paused", "join")
    assert get(token, f"Patient/{identity.fhir_id}").status_code in (401, 403)
    assert [n.kind for n in notices_of(alice)] == ["sharing_waits"]

    commands.resume_all(alice, act=Act(by=alice.user, channel="portal"))
    assert get(token, f"Patient/{identity.fhir_id}").status_code == 200


def test_what_was_paused_before_says_that_records_came(alice):
    consent = factories.create_consent(alice)
    commands.pause_all(alice, act=Act(by=alice.user, channel="portal"))

    join(alice)

    consent.refresh_from_db()
    assert merging.is_new_records(consent)


def test_who_shares_with_nobody_is_told_of_the_records_only(alice):
    join(alice)

    assert [n.kind for n in notices_of(alice)] == ["records_joined"]


def test_a_survivor_that_is_followed_waits_for_a_yes_too(alice):
    identity = join(alice)
    consent = factories.create_consent(alice)
    gone(alice, identity, record(alice))

    identities.follow(None, identity, "The EHR merged them")

    consent.refresh_from_db()
    assert merging.is_new_records(consent)


def test_copies_of_a_record_go_with_its_link(alice, cora):
    identity = join(alice)
    source = Source.objects.get(slug=factories.SOURCE)
    LastCopy.objects.create(source=source, patient=alice, request="x", at=timezone.now(), content="y")

    identities.unlink(cora, identity, "A wrong link")

    assert not LastCopy.objects.filter(patient=alice).exists()


def notices_of(patient):
    told = Notice.objects.filter(recipient=f"User/{patient.user.pk}")
    return [n for n in told if n.kind in ("sharing_waits", "records_joined")]


# Many at once


@pytest.mark.django_db(transaction=True)
def test_two_links_of_one_record_at_once_make_one(alice, cora):
    other = Patient.objects.create(name=alice.name, birth_date=alice.birth_date)
    fhir_id = record(alice)

    def link(patient):
        return lambda: tried(lambda: identities.link(cora, patient, factories.SOURCE, fhir_id, WHY))

    answers = together(link(alice), link(other), link(alice), link(other))

    assert sorted(answers) == ["done", "identity.taken", "identity.taken", "identity.taken"]
    assert PatientIdentity.objects.filter(source=factories.SOURCE, fhir_id=fhir_id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_undo_many_times_at_once_is_one(alice, cora):
    identity = join(alice)

    together(*[lambda: identities.unlink(cora, identity, WHY)] * 4)

    assert AuditEvent.objects.filter(type="identity:unlink", outcome="done").count() == 1


def tried(act):
    try:
        act()
    except Refused as error:
        return error.code
    return "done"
