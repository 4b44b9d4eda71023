"""What a person decided about a record stands: neither a match nor a command under way goes past it."""

import pytest

from accounts.identities import Refused
from accounts.models import IdentityMatch, Patient, PatientIdentity
from consent import merging
from fhirproxy import identities
from tests import factories
from tests.fhirproxy.test_identities import WHY, alice, cora, join, record, refused_with  # noqa: F401

pytestmark = pytest.mark.django_db


def test_a_record_that_a_person_said_is_not_theirs_is_joined_by_no_match(alice, cora):  # noqa: F811
    fhir_id = record(alice)
    identities.find(None, alice, factories.SOURCE)
    identities.refuse(cora, IdentityMatch.objects.get(fhir_id=fhir_id), "Her twin's")

    with pytest.raises(Refused, match="said that it is not"):
        identities.link(None, alice, factories.SOURCE, fhir_id, WHY)

    assert not alice.identities.exists()
    assert identities.link(cora, alice, factories.SOURCE, fhir_id, "It is hers, she showed her card")


def test_a_link_that_a_person_undid_is_made_anew_by_a_person_only(alice, cora):  # noqa: F811
    identity = join(alice)
    identities.unlink(cora, identity, "Her twin's")

    with pytest.raises(Refused, match="said that it is not"):
        identities.link(None, alice, factories.SOURCE, identity.fhir_id, WHY)

    assert refused_with("identity.evidence")
    assert identities.link(cora, alice, factories.SOURCE, identity.fhir_id, WHY)


@pytest.fixture
def merged_away(alice):  # noqa: F811
    """Alice's identity, whose record the EHR merged into another one of hers."""
    identity = join(alice)
    survivor = record(alice)
    replaced = [{"type": "replaced-by", "other": {"reference": f"Patient/{survivor}"}}]
    record(alice, id=identity.fhir_id, active=False, link=replaced)
    return identity


def test_a_link_that_is_undone_meanwhile_is_not_followed(alice, cora, merged_away):  # noqa: F811
    identities.unlink(cora, PatientIdentity.objects.get(pk=merged_away.pk), "Her twin's")

    with pytest.raises(Refused, match="undone a moment ago"):
        identities.follow(cora, merged_away, WHY)  # as it was read before

    assert not alice.identities.exists()


def test_a_row_that_is_merged_away_meanwhile_gets_no_record_by_following(alice, cora, merged_away):  # noqa: F811
    row = Patient.objects.create(name=alice.name, birth_date=alice.birth_date)
    PatientIdentity.objects.filter(pk=merged_away.pk).update(patient=row)
    read_before = PatientIdentity.objects.select_related("patient").get(pk=merged_away.pk)
    merging.merge(cora, alice, row, WHY)

    with pytest.raises(Refused, match="undone a moment ago"):
        identities.follow(cora, read_before, WHY)

    assert not row.identities.exists()
    assert alice.identities.get().fhir_id == merged_away.fhir_id
