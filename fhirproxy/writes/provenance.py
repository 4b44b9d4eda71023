"""Who said it, who let it in, and what carried it: the Provenance of a change (FHIR R4, 6.3)."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from oauth2_provider.settings import oauth2_settings

from accounts.models import StaffRole
from fhirproxy.models import WriteCommand
from fhirproxy.writes import bodies
from fhirproxy.writes.proposals import IDENTIFIER
from fhirproxy.writes.states import S

AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
SIGNED_BY_SOURCE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.14"}
TRANSMITTER = {"display": "Chartkey"}
Element = dict[str, Any]


def provenance(
    command: WriteCommand, targets: Sequence[str], patient: Element, written: Mapping[str, Any]
) -> Element:
    """`targets` are references to what is written, the first of which is signed; `patient` to whose it is."""
    now = timezone.now().isoformat(timespec="seconds")
    activity = "UPDATE" if command.target else "CREATE"
    made: Element = {
        "resourceType": "Provenance",
        "target": [{"reference": target} for target in targets],
        "recorded": now,
        "policy": [f"{settings.BASE_URL}/help/#{command.kind or 'writes'}"],
        "activity": {"coding": [{"system": DATA_OPERATION, "code": activity}]},
        "agent": [
            _author(command, patient),
            *_client(command),
            *_reviewers(command),
            _agent("transmitter", TRANSMITTER),
        ],
        "entity": [
            {"role": "source", "what": {"identifier": {"system": IDENTIFIER, "value": str(command.id)}}},
            *({"role": "derivation", "what": {"reference": each}} for each in command.suggested_from.split()),
        ],
    }
    if command.target:
        version = f"{command.target}/_history/{command.base_version}"
        made["entity"].append({"role": "revision", "what": {"reference": version}})
    if command.consent_id:
        made["policy"].append(
            f"{settings.FHIR_BASE_URL}/Consent/{command.consent_id}/_history/{command.consent_number}"
        )
    if signature := _signature(written):
        made["signature"] = [
            {
                "type": [SIGNED_BY_SOURCE],
                "when": timezone.now().isoformat(),
                "who": TRANSMITTER,
                "sigFormat": "application/jose",
                "data": signature,
            }
        ]
    return made


def _agent(kind: str, who: Element) -> Element:
    return {"type": {"coding": [{"system": AGENT, "code": kind}]}, "who": who}


def _author(command: WriteCommand, patient: Element) -> Element:
    """A helper is known to us and not to the EHR, so named by our own id."""
    if not command.on_behalf_of:
        return _agent("author", patient)
    helper = {"type": "RelatedPerson", "identifier": {"value": str(command.author_id)}}
    return _agent("author", helper) | {"onBehalfOf": patient}


def _client(command: WriteCommand) -> list[Element]:
    if command.client is None:
        return []
    name = " ".join(filter(None, (command.client.name, command.client_version)))
    return [_agent("assembler", {"display": name, "identifier": {"value": command.client.client_id}})]


def _reviewers(command: WriteCommand) -> list[Element]:
    """All who said yes, by the EHR's own name for them where we know it."""
    yes = (S.AWAITING_REVIEW, S.APPROVED)
    ids = {
        e.by_id for e in command.events.all() if e.status in yes and e.by_id not in (None, command.author_id)
    }
    known = dict(
        StaffRole.objects.filter(user_id__in=ids)
        .exclude(practitioner="")
        .values_list("user_id", "practitioner")
    )
    return [
        _agent("verifier", {"reference": known[i]} if i in known else {"identifier": {"value": str(i)}})
        for i in sorted(ids, key=str)
    ]


def _signature(written: Mapping[str, Any]) -> str:
    """A JWS with the payload left out (RFC 7515, appendix F), by the key that signs our id_tokens."""
    pem = oauth2_settings.OIDC_RSA_PRIVATE_KEY
    if not pem:
        return ""
    key = JWK.from_pem(pem.encode())
    token = JWS(bodies.canonical(written))
    token.add_signature(key, alg="RS256", protected={"alg": "RS256", "kid": key.thumbprint()})
    header, _, signature = token.serialize(compact=True).split(".")
    return base64.b64encode(f"{header}..{signature}".encode()).decode()
