"""What the law says of a patient: what changes for helpers at the next request, and after a death."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts import deaths
from accounts.identities import Refused
from accounts.legal_models import DeathSign, LegalChange
from accounts.relations import Refused as NoHelp
from audit.models import AuditEvent
from compliance.models import Investigation
from consent import authority, helper_requests, helper_rights, leaving, legal
from fhirproxy import gate
from fhirproxy.interactions import Interaction
from notices.models import Notice
from tests import factories, proving
from tests.acting.test_ages import birthday, child, parent_of, sees

pytestmark = pytest.mark.django_db
SAW = {"evidence": "Order 22-118, in the scans", "reason": "The court said so"}
TODAY = timezone.localdate


@pytest.fixture
def cora(client):
    user = factories.create_staff("Cora Lind", "compliance")
    proving.has_codes(user)
    client.force_login(user)
    return user


@pytest.fixture
def teen():
    return child("US-MI", birthday("US-MI", 15), signs_in=True)


def say(client, patient, what, **form):
    """Through the page, with the proof that it asks for."""
    page = f"/admin/people/{patient.pk}/"
    answer = client.post(page, {"what": what, **SAW, **form})
    if answer.status_code == 302 and "/check/" in answer.url:
        answer = client.post(answer.url, {"code": proving.code_now()}, follow=True)
    patient.refresh_from_db()
    return answer


def events(type):
    return list(AuditEvent.objects.filter(type=type).order_by("xid", "id"))


def told(user):
    return set(Notice.objects.filter(recipient=f"User/{user.pk}").values_list("kind", flat=True))


def test_who_is_emancipated_is_no_longer_seen_by_parents(client, cora, teen):
    relation = parent_of(teen)
    assert sees(relation, "vital-signs")

    assert "It holds from the next request" in say(client, teen, "emancipated", day=str(TODAY())).text

    relation.refresh_from_db()
    assert (teen.emancipated_on, relation.reason) == (TODAY(), "emancipated")
    assert not sees(relation, "vital-signs")
    assert "legal_changed" in told(teen.user)
    assert "helping_changed" in told(relation.user)
    (event,) = events("patient:legal")
    assert (event.actor, event.detail) == (f"User/{cora.pk}", {"what": "emancipated"})
    assert event.context["stepup_action"] == "legal-status"
    assert teen.legal_changes.get().evidence == SAW["evidence"]


def test_another_law_holds_from_the_next_request(client, cora, teen):
    relation = parent_of(teen)
    before = helper_rights.hidden(relation, timezone.now())
    say(client, teen, "jurisdiction", law="US")

    relation.refresh_from_db()
    assert teen.jurisdiction == "US"
    assert helper_rights.hidden(relation, timezone.now()) != before
    assert "helping_changed" in told(relation.user)


def test_of_a_teen_who_cannot_decide_a_parent_sees_what_is_private_for_teens_until_it_is_taken_back(
    client, cora, teen
):
    relation = parent_of(teen)
    assert helper_rights.hidden(relation, timezone.now())[0]

    say(client, teen, "capacity", day=str(TODAY()))
    relation.refresh_from_db()
    assert helper_rights.hidden(relation, timezone.now()) == (frozenset(), frozenset())
    decides = parent_of(teen)
    type(decides).objects.filter(pk=decides.pk).update(basis="capacity")

    say(client, teen, "capacity", back="on")
    relation.refresh_from_db()
    decides.refresh_from_db()
    assert helper_rights.hidden(relation, timezone.now())[0]
    assert (decides.status, decides.reason) == ("ended", "can-decide")


@pytest.mark.parametrize(
    ("what", "value"),
    [
        *(("emancipated", "2190-01-01"), ("emancipated", "1990-01-01"), ("emancipated", "soon")),
        *(("jurisdiction", "XX"), ("jurisdiction", "US-MI"), ("lives", ""), ("capacity", "")),
    ],
)
def test_what_does_not_fit_is_refused_and_logged(cora, teen, what, value):
    with pytest.raises(Refused):
        legal.change(teen, what, value, **SAW, by=cora)

    assert events("patient:legal")[0].reasons == ["legal.value"]
    assert not LegalChange.objects.exists()


def test_without_role_evidence_or_proof_nothing_changes(client, cora, teen):
    sam = factories.create_staff("Sam Park", "support")
    for by, saw in ((sam, SAW), (teen.user, SAW), (cora, SAW | {"evidence": "-"})):
        with pytest.raises(Refused):
            legal.change(teen, "capacity", str(TODAY()), **saw, by=by)
    asked = client.post(f"/admin/people/{teen.pk}/", {"what": "capacity", "day": str(TODAY()), **SAW})
    assert "/check/" in asked.url
    client.force_login(sam)
    assert client.get(f"/admin/people/{teen.pk}/").status_code == 403

    teen.refresh_from_db()
    assert teen.incapable_since is None


def test_a_patient_is_found_by_id_and_birth_date_and_the_look_is_in_their_log(client, cora, teen):
    wrong = client.post("/admin/people/", {"patient": f"Patient/{teen.pk}", "birth_date": "1999-01-01"})
    assert "There is no such patient of that birth date." in wrong.text

    right = {"patient": f"Patient/{teen.pk}", "birth_date": teen.birth_date.isoformat()}
    assert "Mia Moreno" in client.post("/admin/people/", right, follow=True).text
    assert f"Patient/{teen.pk}" in {e.patient for e in events("admin:view")}


def test_findings_are_only_added(cora, teen):
    legal.change(teen, "capacity", str(TODAY()), **SAW, by=cora)

    with pytest.raises(DatabaseError), transaction.atomic():
        LegalChange.objects.update(reason="Another")


# Death


@pytest.fixture
def called_dead():
    """Alice, who lives, and whose EHR says otherwise."""
    patient = factories.alice()
    factories.load_records(factories.patient_record(patient) | {"deceasedBoolean": True})
    return patient


def read(patient):
    requester = authority.for_own_record(patient.user, patient, timezone.now())
    return gate.serve(requester, Interaction("read", "Patient", factories.fhir_id(patient)))


def test_an_EHR_that_says_dead_closes_nothing_and_calls_staff_once(called_dead):
    for _ in range(2):
        assert read(called_dead).status == 200

    called_dead.refresh_from_db()
    assert called_dead.died_on is None
    assert called_dead.user.is_active
    sign = DeathSign.objects.get()
    assert [e.target for e in events("patient:flag")] == [f"DeathSign/{sign.pk}"]
    assert Investigation.objects.get(origin="alert").patient == called_dead


def test_staff_says_that_they_live_and_the_EHR_is_not_believed_for_a_while(client, cora, called_dead):
    read(called_dead)
    assert f"Patient/{called_dead.pk}" in client.get("/admin/people/").text
    assert "Nothing was closed" in client.get(f"/admin/people/{called_dead.pk}/").text
    say(client, called_dead, "lives")
    read(called_dead)

    sign = DeathSign.objects.get()
    assert (sign.verdict, sign.settled_by) == ("lives", cora)
    DeathSign.objects.update(settled_at=timezone.now() - deaths.QUIET - timedelta(days=1))
    read(called_dead)
    assert DeathSign.objects.filter(settled_at=None).exists()


def test_staff_records_the_death(client, cora, called_dead):
    read(called_dead)
    say(client, called_dead, "died", day=str(TODAY()))

    assert called_dead.died_on == TODAY()
    assert DeathSign.objects.get().verdict == "died"
    assert deaths.noticed(called_dead.pk, factories.SOURCE) is None


ESTATE = ["photo-id", "death-record", "estate-paper"]


def ask(patient, user, basis="estate"):
    return helper_requests.ask(
        patient, relationship="CHILD", basis=basis, level="most", evidence=ESTATE, by=user
    )


def test_a_personal_representative_reads_after_staff_saw_the_evidence(cora):
    alice, ben = factories.alice(), factories.create_user("Ben Moreno")
    with pytest.raises(NoHelp, match=r"helper\.state"):  # she lives
        ask(alice, ben)
    leaving.record_death(alice, TODAY(), by=cora)
    alice.refresh_from_db()
    with pytest.raises(NoHelp, match=r"helper\.state"):
        ask(alice, ben, basis="guardian")

    relation = ask(alice, ben)
    assert authority.for_helper(ben, alice).missing is not None
    decide = {"by": cora, "note": "Letters seen", "seen": relation.version}
    with pytest.raises(NoHelp, match=r"helper\.evidence"):
        helper_requests.decide(relation, "evidence-seen", evidence=ESTATE[:2], **decide)
    relation = helper_requests.decide(relation, "evidence-seen", evidence=ESTATE, **decide)

    assert (relation.status, relation.may_share) == ("confirmed", True)
    assert sees(relation, "test-results")
    assert not sees(relation, "test-results", "ETH")  # private topics stay closed
    assert not helper_rights.may_patient_change(relation, timezone.now())
