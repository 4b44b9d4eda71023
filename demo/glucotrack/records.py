"""Talks to the clinic: SMART App Launch 2.2 (standalone, public client, PKCE S256) and FHIR R4 reads."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import parse_qs, urlsplit

import requests
from fhirclient.client import FHIRClient
from fhirclient.models.codeableconcept import CodeableConcept
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.models.quantity import Quantity
from fhirclient.server import FHIRNotFoundException, FHIRPermissionDeniedException, FHIRUnauthorizedException

LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
# fhirclient puts launch/patient in front of these
SCOPE = f"openid fhirUser offline_access patient/Patient.rs patient/Observation.rs?category={LABORATORY}"
MOST_ROWS = 25
REFUSALS = (FHIRPermissionDeniedException, FHIRNotFoundException)


class Problem(Exception):
    """Something that the person at the screen must know, in words for her."""


class AccessEnded(Problem):
    """The tokens are dead: only the patient can open the way again."""


@dataclass(frozen=True)
class Row:
    test: str
    value: str
    reference: str
    flag: str
    date: str  # ISO 8601 as the clinic sent it, or ""


@dataclass(frozen=True)
class Reading:
    patient: str
    born: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # what the clinic held back from this app
    read_at: datetime


def prepare(
    fhir: str, client_id: str, redirect_uri: str, launch: str | None = None, *, ca: str = ""
) -> FHIRClient:
    """A client that knows where to send the patient. `launch` comes from the clinic, if it opened us; `ca`
    is a file of the authority that signed its certificate, where no public one did.

    fhirclient looks for OAuth addresses in an extension of the CapabilityStatement, which SMART 2
    dropped; its state takes those of .well-known/smart-configuration as well.
    """
    session = requests.Session()
    session.trust_env = False  # the clinic of the demo is on this machine, never behind a proxy
    session.verify = ca or True
    try:
        answer = session.get(f"{fhir}/.well-known/smart-configuration", timeout=10)
        answer.raise_for_status()
        found = answer.json()
        auth = {"authorize_uri": found["authorization_endpoint"], "token_uri": found["token_endpoint"]}
    except (requests.RequestException, ValueError, KeyError):
        raise Problem("The clinic's system does not answer. Please try again in a minute.") from None
    auth |= {"app_id": client_id, "aud": fhir, "redirect_uri": redirect_uri}
    server = {"base_uri": f"{fhir}/", "auth_type": "oauth2", "auth": auth}
    client = FHIRClient(
        state={
            "app_id": client_id,
            "scope": SCOPE,
            "redirect": redirect_uri,
            "launch_token": launch,
            "server": server,
        }
    )
    client.server.session = session
    return client


def finish(client: FHIRClient, callback_url: str) -> None:
    """Trade the code of the callback for tokens. Raises Problem."""
    answer = parse_qs(urlsplit(callback_url).query)
    if answer.get("state") != [client.server.auth.auth_state]:
        raise Problem("This answer belongs to another connection. Please start again.")
    if "error" in answer:
        if answer["error"] == ["access_denied"]:
            raise Problem("You chose not to connect. The clinic shared nothing.")
        raise Problem(f"The clinic did not connect this app ({answer['error'][0]}).")
    try:
        client.handle_callback(callback_url)
    except (requests.RequestException, FHIRUnauthorizedException, FHIRPermissionDeniedException):
        raise Problem("The clinic did not accept the connection. Please start again.") from None
    if not client.patient_id:
        raise Problem("The clinic did not say whose records these are.")


def read(client: FHIRClient) -> Reading:
    """The patient's name and her latest laboratory results. Raises Problem or AccessEnded."""
    try:
        try:
            return _read(client)
        except FHIRUnauthorizedException:  # the access token lives five minutes
            _refresh(client)
            return _read(client)
    except FHIRUnauthorizedException:
        raise _ended() from None
    except requests.RequestException:
        raise Problem("The clinic's system does not answer. Please try again in a minute.") from None


def _refresh(client: FHIRClient) -> None:
    if client.server.auth.refresh_token is None:
        raise _ended()
    try:
        client.reauthorize()
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code < 500:
            raise _ended() from None
        raise


def _ended() -> AccessEnded:
    return AccessEnded("The clinic says this app no longer has access.")


def _read(client: FHIRClient) -> Reading:
    notes: list[str] = []
    patient: Patient | None = None
    rows: tuple[Row, ...] = ()
    try:
        patient = Patient.read(client.patient_id, client.server)
    except REFUSALS:
        notes.append("You did not share your name with this app.")
    try:
        rows = _results(client)
    except REFUSALS:
        notes.append("The clinic refused to share lab results with this app.")
    if len(notes) == 2:
        raise Problem("The clinic refused this app your records.")
    return Reading(
        patient=client.human_name(patient.name[0]) if patient and patient.name else "",
        born=patient.birthDate.as_json() if patient and patient.birthDate else "",
        rows=rows,
        notes=tuple(notes),
        read_at=datetime.now(UTC),
    )


def _results(client: FHIRClient) -> tuple[Row, ...]:
    search = Observation.where(
        {"patient": client.patient_id, "category": LABORATORY, "_sort": "-date", "_count": str(MOST_ROWS)}
    )
    found = (r for r in search.perform_resources_iter(client.server) if isinstance(r, Observation))
    return tuple(_row(observation) for observation in islice(found, MOST_ROWS))


def _row(observation: Observation) -> Row:
    when = observation.effectiveDateTime or observation.effectiveInstant or observation.issued
    interpretation = observation.interpretation or []
    return Row(
        test=_words(observation.code),
        value=_value(observation),
        reference=_reference(observation),
        flag=_words(interpretation[0]) if interpretation else "",
        date=when.as_json() if when else "",
    )


def _words(concept: CodeableConcept) -> str:
    coding = (concept.coding or [None])[0]
    return concept.text or (coding and (coding.display or coding.code)) or ""


def _value(observation: Observation) -> str:
    if observation.valueQuantity:
        return _quantity(observation.valueQuantity)
    if observation.valueCodeableConcept:
        return _words(observation.valueCodeableConcept)
    return observation.valueString or ""


def _quantity(quantity: Quantity) -> str:
    number = "" if quantity.value is None else f"{quantity.value:g}"
    return f"{quantity.comparator or ''}{number} {quantity.unit or ''}".strip()


def _reference(observation: Observation) -> str:
    for reference in observation.referenceRange or []:
        if reference.text:
            return reference.text
        low, high = (_quantity(q) if q else "" for q in (reference.low, reference.high))
        return f"{low} to {high}" if low and high else f"below {high}" if high else f"above {low}"
    return ""
