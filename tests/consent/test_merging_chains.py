"""Merges after merges, and their undoing: a record goes back to whom it came from, and to nobody else."""

import pytest

from accounts.identities import Refused
from accounts.models import IdentityMatch, PatientIdentity
from audit.models import AuditEvent
from consent import merging
from tests import factories
from tests.consent.merging import WHY, other_row


@pytest.fixture
def cora(db):
    return factories.create_staff("Cora", "compliance")


@pytest.fixture
def rows(db):
    """Three rows, each with a record at an EHR of its own."""
    return [other_row(source=source) for source in ("one", "two", "three")]


def has(patient):
    return sorted(identity.source for identity in patient.identities.all())


def undo(cora, patient):
    patient.refresh_from_db()
    merging.unmerge(cora, patient, "They are two")


def test_a_merge_into_one_who_was_merged_since_is_undone_last(rows, cora):
    first, second, third = rows
    merging.merge(cora, second, first, WHY)
    merging.merge(cora, third, second, WHY)

    with pytest.raises(Refused, match="Part that one first"):
        undo(cora, first)
    first.refresh_from_db()
    assert first.merged_into == second
    assert AuditEvent.objects.filter(type="patient:split", reasons=["merge.tombstone"]).exists()

    undo(cora, second)
    assert (has(second), has(third)) == (["one", "two"], ["three"])
    undo(cora, first)
    assert (has(first), has(second)) == (["one"], ["two"])


def test_who_had_a_record_by_a_mistake_does_not_get_it_by_an_undo(rows, cora):
    """Alice's record was Bea's for a day. Both are the third's now, and of these two Bea is parted."""
    alice, bea, third = rows
    merging.merge(cora, bea, alice, WHY)
    undo(cora, alice)
    for one in (alice, bea):
        one.refresh_from_db()
        merging.merge(cora, third, one, WHY)

    undo(cora, bea)

    assert (has(bea), has(third)) == (["two"], ["one", "three"])


def test_a_record_that_its_ehr_merged_meanwhile_goes_back_as_the_one_that_survived(rows, cora):
    first, second, _ = rows
    merging.merge(cora, second, first, WHY)
    joined = second.identities.get(source="one")
    joined.ended_at = merging.timezone.now()
    joined.save()
    survived = PatientIdentity.objects.create(patient=second, source="one", fhir_id="survivor")
    IdentityMatch.objects.create(
        patient=second, identity=survived, source="one", fhir_id="survivor", verdict="match",
        method="survivor", status="linked",
    )  # fmt: skip

    undo(cora, first)

    assert (has(first), has(second)) == (["one"], ["two"])
    assert first.identities.get().fhir_id == "survivor"


def test_what_was_joined_to_the_one_who_was_kept_stays_there(rows, cora):
    first, second, _ = rows
    merging.merge(cora, second, first, WHY)
    joined = second.identities.get(source="one")
    joined.ended_at = merging.timezone.now()
    joined.save()
    PatientIdentity.objects.create(patient=second, source="one", fhir_id="another")

    undo(cora, first)

    assert (has(first), has(second)) == ([], ["one", "two"])
