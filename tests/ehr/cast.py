"""An app that Alice has let in for everything, at the base of some EHR."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.test import Client as Browser

from accounts.models import PatientIdentity
from consent.models import Consent
from consent.vocabulary import TOPICS, Category
from fhirproxy import health
from fhirproxy.models import Source
from tests import factories
from tests.fhirproxy.conftest import issue


@dataclass(frozen=True)
class App:
    token: str
    base: str
    consent: Consent
    patient_id: str

    def get(self, path: str) -> HttpResponse:
        """A path below the base, or an address that was given out."""
        url = path if path.startswith("http") else f"{self.base}/{path}"
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/fhir+json"}
        if path.startswith("Binary/"):
            headers["accept"] = "*/*"
        return Browser().get(url.removeprefix("http://testserver"), headers=headers)

    def follow(self, path: str) -> tuple[list[dict[str, Any]], bytes]:
        """All entries of a search, and all bytes that came."""
        entries, content, following = [], b"", path
        while following:
            answer = self.get(following)
            assert answer.status_code == 200, answer.content
            content += answer.content
            bundle = answer.json()
            entries += bundle.get("entry", [])
            links = {link["relation"]: link["url"] for link in bundle.get("link", [])}
            following = links.get("next", "")
        return entries, content

    def everything(self) -> tuple[list[dict[str, Any]], bytes]:
        return self.follow(f"Patient/{self.patient_id}/$everything?_count=5")


def app(source: Source, patient_id: str) -> App:
    """Saves the source, and says that Alice is this patient there."""
    alice = factories.create_patient("Alice Moreno")
    source.types = health.check(source).types
    source.save()
    PatientIdentity.objects.create(patient=alice, source=source.slug, fhir_id=patient_id)
    labels = {label for topic in TOPICS for label in topic.labels}
    consent = factories.create_consent(alice, categories=tuple(Category), labels=sorted(labels))
    return App(issue(consent), f"http://testserver/fhir/{source.slug}/r4", consent, patient_id)
