"""What the tests of pages about sharing start from."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from accounts.models import Patient
from consent import commands, fhir
from consent.models import Consent
from consent.versions import Act
from consent.vocabulary import ACT_CODE, Category, Purpose
from tests import factories

Status = Consent.Status
SUD = {"security": [{"system": ACT_CODE, "code": "SUD"}]}
SCOPE = "patient/Observation.rs patient/Patient.rs"
BOTH = (True, False)
HTMX = {"HX-Request": "true"}


def act(patient: Patient) -> Act:
    return Act(by=patient.user, channel="portal", text_shown="Yes", language="en")


def propose(patient: Patient, by: Patient | None = None) -> Consent:
    now = timezone.now()
    terms = fhir.Terms(categories=[Category.IMAGING], start=now, until=now + timedelta(days=30))
    said = {"provision": fhir.permit(terms, {"reference": "Practitioner/hart", "display": "Dr. Lena Hart"})}
    return commands.record_resource(
        said,
        patient=patient,
        act=act(by or patient),
        whom={"recipient": "Practitioner/hart"},
        kind="share",
        propose=True,
    )


def helper_of(patient: Patient) -> Consent:
    return commands.let_help(
        relation=factories.helps(factories.create_user("Amir Moreno"), patient, "SPS"),
        categories=[Category.MEDICINES],
        labels=[],
        until=timezone.now() + timedelta(days=30),
        act=act(patient),
    )


def limit_of(patient: Patient) -> Consent:
    provision = {"type": "deny", "purpose": [{"system": fhir.ACT_REASON, "code": Purpose.HPAYMT}]}
    return commands.ask_restriction(patient=patient, provision=provision, act=act(patient))


def post(client, name: str, *args: object, **data: str) -> str:
    return client.post(reverse(f"portal:{name}", args=args), data, follow=True).text


def refreshed(consent: Consent) -> Consent:
    return Consent.objects.get(pk=consent.pk)
