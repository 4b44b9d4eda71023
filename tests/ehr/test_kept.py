"""The last good copy: for whom it is kept, how, for how long, and that no app ever gets it."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from accounts.models import PatientIdentity
from consent import authority, bearers
from consent.requester import Requester
from fhirproxy import gate, interactions, upstream
from fhirproxy.models import LastCopy, Source
from fhirproxy.outcomes import EhrFailure
from fhirproxy.upstream import kept, tapes
from tests.ehr import cast

pytestmark = pytest.mark.django_db
ASKED = interactions.search("Observation", [("category", "laboratory")])
LAB = {
    "resourceType": "Observation",
    "id": "lab-1",
    "status": "final",
    "category": [{"coding": [{"code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "2085-9"}], "text": "unmistakable"},
    "subject": {"reference": "Patient/far-1"},
}


@pytest.fixture
def far(fake) -> SimpleNamespace:
    """Alice's own reading of Far Clinic, and an app that she let in there."""
    fake.load("plain", [LAB, {"resourceType": "Patient", "id": "far-1"}])
    source = fake.source()
    app = cast.app(source, "far-1")
    patient = app.consent.patient
    me = authority.for_own_record(patient.user, patient, timezone.now())
    return SimpleNamespace(source=source, app=app, patient=patient, me=me, fake=fake)


def read_and_keep(far: SimpleNamespace, requester: Requester | None = None) -> None:
    with tapes.recording() as tape:
        gate.serve(requester or far.me, ASKED, far.source)
    kept.save(far.source, requester or far.me, ASKED, tape)


def goes_down(far: SimpleNamespace) -> None:
    upstream.forget()
    far.fake.script({"match": "/plain/fhir", "times": 0, "do": {"refuse": True}})


def test_copy_answers_while_the_ehr_does_not(far):
    read_and_keep(far)
    goes_down(far)
    tape = kept.load(far.source, far.me, ASKED)

    with tapes.replaying(tape):
        answer = gate.serve(far.me, ASKED, far.source)

    assert b"lab-1" in answer.body


def test_app_gets_no_copy(far):
    read_and_keep(far)
    goes_down(far)

    assert far.app.get("Observation?category=laboratory").status_code in (502, 504)


def test_nothing_is_kept_of_what_an_app_reads(far):
    client = bearers.from_bearer(far.app.token)

    read_and_keep(far, client)

    assert not LastCopy.objects.exists()
    assert kept.load(far.source, client, ASKED) is None


def test_copy_is_encrypted_and_of_no_use_in_another_row(far):
    read_and_keep(far)
    copy = LastCopy.objects.get()
    assert "unmistakable" not in copy.content
    assert "far-1" not in f"{copy.request}{copy.content}"

    other = interactions.search("Observation", [("category", "vital-signs")])
    copy.request = kept._key(far.source, far.me, other)
    copy.save()

    assert kept.load(far.source, far.me, other) is None


def test_newer_copy_takes_the_place_of_the_older(far):
    read_and_keep(far)
    first = LastCopy.objects.get().at
    read_and_keep(far)

    assert LastCopy.objects.get().at > first


def test_what_was_not_asked_then_is_not_in_the_copy(far):
    read_and_keep(far)
    tape = kept.load(far.source, far.me, ASKED)

    with tapes.replaying(tape), pytest.raises(EhrFailure):
        gate.serve(far.me, interactions.search("Observation", [("category", "vital-signs")]), far.source)


def too_old(far: SimpleNamespace) -> None:
    LastCopy.objects.update(at=timezone.now() - timedelta(days=8))


def not_allowed(far: SimpleNamespace) -> None:
    far.source.keep_copies = False
    far.source.save()


def unlinked(far: SimpleNamespace) -> None:
    PatientIdentity.objects.filter(patient=far.patient).filter(source=far.source.slug).delete()


@pytest.mark.parametrize("change", [too_old, not_allowed, unlinked])
def test_copy_that_may_not_be_shown_is_not_and_goes(far, change: Callable[[SimpleNamespace], None]):
    read_and_keep(far)
    change(far)
    me = authority.for_own_record(far.patient.user, far.patient, timezone.now())

    assert kept.load(far.source, me, ASKED) is None
    kept.sweep()
    assert not LastCopy.objects.exists()


def test_sweep_leaves_what_may_stay(far):
    read_and_keep(far)

    assert kept.sweep() == 0
    assert LastCopy.objects.exists()


def test_copies_are_forgotten_with_the_link(far):
    read_and_keep(far)

    kept.forget(far.patient.pk, far.source.slug)

    assert not LastCopy.objects.exists()


def test_answer_that_is_too_large_is_not_kept(far, monkeypatch):
    monkeypatch.setattr(kept, "LARGEST", 10)

    read_and_keep(far)

    assert not LastCopy.objects.exists()


def test_last_weeks_search_finds_the_copy_of_an_earlier_day_only(far):
    def since(day: str) -> interactions.Interaction:
        return interactions.search("Observation", [("category", "laboratory"), ("date", f"ge{day}")])

    far.fake.load("plain", [{**LAB, "effectiveDateTime": "2026-03-05"}])
    with tapes.recording() as tape:
        gate.serve(far.me, since("2026-03-01"), far.source)
    kept.save(far.source, far.me, since("2026-03-01"), tape)
    found = kept.load(far.source, far.me, since("2026-03-02"))

    with tapes.replaying(found):
        assert b"lab-1" in gate.serve(far.me, since("2026-03-02"), far.source).body
        with pytest.raises(EhrFailure):
            gate.serve(far.me, since("2026-02-20"), far.source)


def test_embedded_store_is_never_copied(far):
    embedded = Source.primary()

    assert not kept.may_keep(embedded, far.me)
