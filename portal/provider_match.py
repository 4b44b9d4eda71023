"""Whose record it is that an identity provider speaks of: by what it verified, and never by e-mail.

The rules are those of `accounts.matching`: name and birth date, and an address or a phone besides, of one
patient and no other. What the EHRs know of a patient counts as it does between two EHRs.
"""

from accounts import identities, matching
from accounts.matching import Candidate, Verdict
from accounts.models import Patient
from accounts.provider_facts import Waiting
from audit.events import EventType
from fhirproxy.identities import known

MOST = 20  # people of one birthday and a name in common; more say that nobody can be told apart


def find(waits: Waiting) -> Patient | None:
    """The one patient whom a provider identified; they may have an account already. Raises EhrFailure."""
    if not waits.is_identified:
        return None
    theirs = waits.known()
    born_then = Patient.objects.filter(birth_date=waits.birth_date, merged_into=None).select_related("user")
    rows = {str(row.pk): row for row in born_then if theirs.parts & set(matching.plain(row.name).split())}
    if len(rows) > MOST:
        return None
    verdict, compared = matching.judge(theirs, [Candidate(id, known(row)) for id, row in rows.items()])
    if verdict is not Verdict.MATCH:
        return None
    (found,) = (rows[c.candidate.fhir_id] for c in compared if c.verdict is Verdict.MATCH)
    identities.log(EventType.IDENTITY_FIND, found, f"Provider/{waits.provider}", by=None, verdict=verdict)
    return found
