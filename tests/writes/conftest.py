"""Alice, the clinician who treats her, an app that may write, and what an app sends."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import Patient, User
from consent import authority
from consent.models import Consent
from consent.requester import Requester
from consent.vocabulary import Category
from fhirproxy import treating, upstream
from fhirproxy.models import WriteCommand
from portal.readings import blood_pressure
from tests import factories
from tests.fhirproxy.conftest import issue

FHIR_JSON = "application/fhir+json"
SCOPE = "patient/*.cruds"
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class App:
    token: str
    consent: Consent

    def send(self, method: str, path: str, resource: object = None, **headers: str) -> HttpResponse:
        """`headers` by their names with "_" for "-"."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        body = resource if isinstance(resource, str | bytes) else json.dumps(resource)
        return Browser().generic(
            method,
            f"/fhir/r4/{path}",
            data=body if resource is not None else "",
            content_type=FHIR_JSON,
            headers={"authorization": f"Bearer {self.token}", "accept": FHIR_JSON, **said},
        )

    def post(self, resource: Resource, **headers: str) -> HttpResponse:
        return self.send("POST", resource["resourceType"], resource, **headers)

    def put(self, resource: Resource, **headers: str) -> HttpResponse:
        return self.send("PUT", f"{resource['resourceType']}/{resource['id']}", resource, **headers)

    def get(self, path: str) -> HttpResponse:
        return self.send("GET", path)


def let_in(patient: Patient, *, can_write: bool = True, scope: str = SCOPE) -> App:
    categories = [c for c in Category if c != Category.PRIVACY]
    consent = factories.create_consent(patient, categories=categories, can_write=can_write)
    return App(issue(consent, scope), consent)


@pytest.fixture
def alice() -> Patient:
    cache.clear()
    return factories.alice()


@pytest.fixture
def osei(alice: Patient) -> User:
    return factories.dr_osei(treats=[alice])


@pytest.fixture
def app(alice: Patient) -> App:
    return let_in(alice)


@pytest.fixture
def reading(alice: Patient) -> Callable[..., Resource]:
    """reading(systolic=128, **elements) → an Observation of Alice's."""

    def make(systolic: int = 128, **elements: Any) -> Resource:
        made = blood_pressure(
            systolic=systolic, diastolic=82, taken_at=timezone.now(), patient_id=factories.fhir_id(alice)
        )
        return {k: v for k, v in (made | elements).items() if v is not None}

    return make


def answers(patient: Patient, **elements: Any) -> Resource:
    """A form that the clinic asked for: nobody has to look at it first."""
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": {"reference": f"Patient/{factories.fhir_id(patient)}"},
        "authored": timezone.now().isoformat(timespec="seconds"),
        "item": [{"linkId": "1", "answer": [{"valueBoolean": True}]}],
        **elements,
    }


def clinician(user: User, patient: Patient) -> Requester:
    treats = treating.treats(user, patient)
    return authority.for_clinician(user, patient, timezone.now(), treats=treats)


def own(patient: Patient) -> Requester:
    return authority.for_own_record(patient.user, patient, timezone.now())


def command_of(response: HttpResponse) -> WriteCommand:
    return WriteCommand.objects.get(pk=response.headers["Content-Location"].rpartition("/")[2])


def in_chart(patient: Patient, kind: str = "Observation", **query: str) -> list[Resource]:
    """What the embedded EHR has of this type, but for the one result that the cast comes with."""
    whose = {"Provenance": (), "Patient": (("_id", factories.fhir_id(patient)),)}
    mine = whose.get(kind, (("patient", factories.fhir_id(patient)),))
    params = (*mine, ("_count", "200"), *query.items())
    answer = upstream.Embedded().send(upstream.FhirRequest("GET", kind, params))
    found = [entry["resource"] for entry in json.loads(answer.body).get("entry", [])]
    return [each for each in found if not each["id"].endswith("-ldl")]
