"""Two rows of one person, and whom each let in, for tests about merges."""

from datetime import date, timedelta

from django.utils import timezone

from accounts.models import Patient, PatientIdentity
from consent import commands
from consent.versions import Act
from consent.vocabulary import Category
from tests import factories

OTHER = "north"
WHY = "One person with two rows"
LABELS = [frozenset(), frozenset({"PSY"}), frozenset({"ETH"})]
RECIPIENT = "Practitioner/dr-osei"


def make_pair():
    """Alice, who signs in, and a second row of hers with a record at another EHR."""
    alice = factories.create_patient("Alice Moreno")
    return alice, other_row()


def other_row(name="Alicia Moreno", source=OTHER):
    row = Patient.objects.create(name=name, birth_date=date(1979, 4, 17))
    PatientIdentity.objects.create(patient=row, source=source, fhir_id=f"n-{row.pk.hex[:12]}")
    return row


def act(patient):
    return Act(by=patient.user, channel="portal")


def until():
    return timezone.now() + timedelta(days=30)


def grant(patient, client, by, categories=(Category.TEST_RESULTS,), labels=()):
    return commands.grant(
        patient=patient, client=client, categories=categories, labels=labels, until=until(), by=by,
        channel="portal", text_shown="Share?", language="en",
    )  # fmt: skip


def help_by(user, patient, categories=(Category.TEST_RESULTS,), labels=(), by=None):
    relation = factories.helps(user, patient)
    return commands.let_help(
        relation=relation,
        categories=categories,
        labels=labels,
        until=until(),
        act=Act(by=by, channel="portal"),
    )


def share(patient, categories=(Category.TEST_RESULTS,), labels=()):
    return commands.share(
        patient=patient, recipient=RECIPIENT, categories=categories, labels=labels, until=until(),
        act=act(patient),
    )  # fmt: skip


def limit(patient, provision):
    asked = commands.ask_restriction(patient=patient, provision=provision, act=act(patient))
    return commands.answer(asked, agreed=True, act=act(patient))
