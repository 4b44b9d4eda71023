"""A record is looked for over HTTP, in the ways of each make of EHR, and where a search is refused."""

import pytest

from accounts.identities import Refused
from accounts.matching import Verdict
from accounts.models import IdentityMatch
from audit.models import AuditEvent
from fhirproxy import identities
from fhirproxy.outcomes import EhrFailure
from tests.fhirproxy.test_identities import WHY, alice, cora

__all__ = ("alice", "cora")  # fixtures
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("shape", ["plain", "hapi", "epic_like", "oracle_like", "athena_like"])
def test_a_record_is_found_and_joined_at_each_make_of_ehr(alice, fake, shape):
    source = far(fake, alice, shape)

    found = identities.find(None, alice, source.slug)
    identity = identities.link(None, alice, source.slug, "p-1", WHY)

    assert (found.verdict, found.partial, identity.source) == (Verdict.MATCH, False, "far")


@pytest.mark.parametrize("do", [{"status": 400}, {"status": 403}, {"status": 501}])
def test_an_ehr_that_refuses_a_question_tells_the_rest_and_a_person_must_look(alice, cora, fake, do):
    source = far(fake, alice)
    fake.script({"match": "given=", "times": 0, "do": do})

    found = identities.find(None, alice, source.slug)

    assert (found.verdict, found.partial) == (Verdict.MATCH, True)
    assert AuditEvent.objects.get(type="identity:find").detail["partial"] == 1
    with pytest.raises(Refused):
        identities.link(None, alice, source.slug, "p-1", WHY)
    identities.link(cora, alice, source.slug, "p-1", WHY)
    assert IdentityMatch.objects.get(status="linked").method == "person"


def test_an_ehr_that_refuses_each_question_tells_nothing(alice, fake):
    source = far(fake, alice)
    fake.script({"match": "/Patient?", "times": 0, "do": {"status": 403}})

    with pytest.raises(EhrFailure):
        identities.find(None, alice, source.slug)


def far(fake, patient, shape="plain"):
    given, family = patient.name.split()
    telecom = [{"system": "email", "value": patient.user.email}]
    name = [{"given": [given], "family": family}]
    born = patient.birth_date.isoformat()
    fake.load(
        shape, [{"resourceType": "Patient", "id": "p-1", "name": name, "birthDate": born, "telecom": telecom}]
    )
    source = fake.source(shape)
    source.save()
    return source
