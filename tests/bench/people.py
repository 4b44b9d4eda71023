"""Who is in the bench's databases: patients of tests.factories with records, consents and tokens; and many
consents that are copies of one that the real commands made."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Model
from django.utils import timezone

from accounts.models import Patient
from consent.models import Consent
from smart import tokens
from smart.models import AccessToken
from tests import factories
from tests.bench.load import Ask

LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


@dataclass(frozen=True, slots=True)
class Reading:
    """A patient with a consent, and a token under it that may read and search."""

    patient: Patient
    consent: Consent
    token: str
    fhir_id: str

    @property
    def observation(self) -> str:
        return f"Observation/{self.fhir_id}-ldl"

    def read(self) -> Ask:
        return Ask(f"/fhir/r4/{self.observation}", self.token, str(self.consent.id))

    def search(self, count: int) -> Ask:
        path = f"/fhir/r4/Observation?category={LABORATORY}&_count={count}"
        return Ask(path, self.token, str(self.consent.id))


def readings(count: int, *, results: int = 1, name: str = "Reading") -> list[Reading]:
    """Each with a patient's record and that many laboratory results in the store."""
    made = []
    for _ in range(count):
        patient = factories.create_patient(f"{name} Patient")
        fhir_id = factories.fhir_id(patient)
        more = [factories.lab_result(patient, f"{fhir_id}-{n}") for n in range(1, results)]
        factories.load_records(factories.patient_record(patient), factories.lab_result(patient), *more)
        consent = factories.create_consent(patient)
        made.append(Reading(patient, consent, issue(consent), fhir_id))
    return made


def issue(consent: Consent) -> str:
    """An access token as the token endpoint leaves it, for two hours, and its value."""
    value = secrets.token_urlsafe(32)
    AccessToken.objects.create(
        authenticated_at=timezone.now(),
        user=consent.patient.user,
        application=consent.client,
        patient=consent.patient,
        authorization_id=consent.id,
        scope="patient/*.rs",
        token="",
        token_checksum=tokens.checksum(value),
        expires=timezone.now() + timedelta(hours=2),
    )
    return value


def copies(cursor: Any, like: Model, count: int, **changes: str) -> None:
    """INSERT … SELECT of `count` rows like this one; `changes` are SQL by column, over n from 1 to count."""
    table = like._meta.db_table
    columns = [f.column for f in like._meta.concrete_fields if f.column in changes or not _by_itself(f)]
    picked = ", ".join(changes.get(column, f'of_one."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    cursor.execute(
        f'INSERT INTO "{table}" ({names}) SELECT {picked} '
        f'FROM "{table}" of_one, generate_series(1, {count}) n WHERE of_one.{like._meta.pk.column} = %s',
        [like.pk],
    )


def _by_itself(field: models.Field) -> bool:
    """Whether the database fills it."""
    return isinstance(field, models.AutoField | models.GeneratedField)


# Keys of copies are made of their number, so that rows of one table find those of another.
def _uuid(kind: str, number: str) -> str:
    return f"md5('{kind}-' || {number})::uuid"


def crowd(cursor: Any, like: Reading, *, of: str, patients: int, clients: int) -> list[str]:
    """Consents of all `patients` for all `clients`, each with a version and a token; the tokens' values.

    Token n is patient n's, and begins anew with patient 1 when all had one. The FHIR id of patient n is
    `<of>-<n>`; they have no records. Texts that no decision reads are left out of the versions.
    """
    cursor.execute("SELECT max(id) FROM smart_client")
    consents, last = patients * clients, cursor.fetchone()[0]
    patient, client = f"(mod(n - 1, {patients}) + 1)", f"({last} + (n - 1) / {patients} + 1)"
    keys = {"patient_id": _uuid(f"{of}-patient", patient)}
    consent = _uuid(f"{of}-consent", "n")
    copies(cursor, like.patient, patients, id=_uuid(f"{of}-patient", "n"), user_id="NULL")
    identity = like.patient.identities.get()
    copies(cursor, identity, patients, patient_id=_uuid(f"{of}-patient", "n"), fhir_id=f"'{of}-' || n")
    copies(cursor, like.consent.client, clients, id=f"{last} + n", client_id=f"'{of}-' || n")
    cursor.execute("SELECT setval(pg_get_serial_sequence('smart_client', 'id'), max(id)) FROM smart_client")
    copies(cursor, like.consent, consents, id=consent, client_id=client, **keys)
    version = like.consent.versions.get()
    # A provision may name its client.
    named = (
        f"replace(of_one.provisions::text, '{like.consent.client.client_id}', '{of}-' || {client} - {last})"
    )
    texts = {"fhir": "'{}'", "text_shown": "''"}
    copies(cursor, version, consents, consent_id=consent, provisions=f"({named})::jsonb", **texts)
    token = AccessToken.objects.get(authorization_id=like.consent.id)
    checksum = f"encode(sha256(convert_to('{of}-token-' || n, 'UTF8')), 'hex')"
    changes = {"authorization_id": consent, "application_id": client, "token_checksum": checksum}
    copies(cursor, token, consents, **keys, **changes)
    return [f"{of}-token-{n}" for n in range(1, consents + 1)]


def copied_patient(of: str, number: int) -> Patient:
    """The nth patient of a crowd."""
    return Patient.objects.get(identities__fhir_id=f"{of}-{number}")


def spread(values: Sequence[str], count: int) -> list[str]:
    """So many of them, evenly from the first to the last."""
    return [values[i * len(values) // count] for i in range(min(count, len(values)))]
