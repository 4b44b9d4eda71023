"""Who signed in, how surely, and the keys that say so (OpenID Connect Core 1.0; SMART 2.2, fhirUser)."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from jwcrypto import jwk
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.utils import jwk_from_pem

from accounts.models import Patient, RelatedPerson, StaffRole, User
from audit.context import Credential
from smart import authorizations
from smart.launch_models import StaffAuthorization

# Authentication context classes (OIDC Core, acr), the weaker first. REFEDS defines them.
ONE_FACTOR = "https://refeds.org/profile/sfa"
TWO_FACTORS = "https://refeds.org/profile/mfa"
ACR_VALUES = (ONE_FACTOR, TWO_FACTORS)
ALGORITHMS = ("RS256", "ES384")  # of what we sign; a client registers which
ORDER_P384 = int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)  # FIPS 186-5, P-384
BY_PROVIDER = "fed"  # somebody else asked for the factors (RFC 8176 has no word for it)
LIVING = (RelatedPerson.Status.CONFIRMED, RelatedPerson.Status.NARROWED)
AMR = {  # allauth's second factors, in the words of RFC 8176
    "totp": ("otp", "mfa"),
    "recovery_codes": ("otp", "mfa"),
    "webauthn": ("hwk", "mfa"),
}


def amr_of(records: Collection[Mapping[str, Any]]) -> list[str]:
    """RFC 8176 methods from what a session recorded of how its person signed in."""
    found: set[str] = set()
    for record in records:
        if record.get("method") == "password":
            found.add("pwd")
        elif record.get("method") == "socialaccount":
            found.update({BY_PROVIDER, "mfa"} if "mfa" in record.get("assurance", ()) else {BY_PROVIDER})
        elif record.get("method") == "mfa":
            # A passkey is two factors by itself: what they hold, and their finger or PIN.
            found.update(AMR.get(str(record.get("type")), ()))
    return sorted(found)


def acr_of(amr: Collection[str]) -> str:
    """How surely that was proved; empty where nothing is known of it."""
    if "mfa" in amr:
        return TWO_FACTORS
    return ONE_FACTOR if {"pwd", BY_PROVIDER} & set(amr) else ""


def assurance_of(acr: str) -> str:
    """What the audit log calls an acr (`audit.context.Credential`)."""
    return acr.rpartition("/")[2] if acr in ACR_VALUES else "unknown"


def of_session(request: HttpRequest) -> Credential:
    """By what right whoever signed in here asks, for the log (AUDIT_CREDENTIAL)."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Credential()
    amr = amr_of(get_authentication_records(request, user))
    key = request.session.session_key
    secret = f"session {key}" if key else ""
    return Credential(assurance=assurance_of(acr_of(amr)), methods=amr, secret=secret)


def of_token(checksum: str, signed_in: tuple[str, Collection[str]] | None, *, bound: bool) -> Credential:
    """By what right the holder of an access token asks; `checksum` is its SHA-256, hexadecimal.

    `signed_in` are the acr and amr of the person who let the client in, None where there is none: then it is
    the client's own. A token that is `bound` to a key of the client's is "pop" in RFC 8176.
    """
    acr, amr = signed_in or ("", ())
    assurance = assurance_of(acr) if signed_in else "client"
    return Credential(assurance=assurance, methods={*amr, *["pop"] * bound}, secret=f"token {checksum}")


def satisfies(acr: str, wanted: str) -> bool:
    """Whether a sign-in is as sure as one of the `acr_values`; what we do not know asks for nothing."""
    known = [ACR_VALUES.index(value) for value in wanted.split() if value in ACR_VALUES]
    return not known or (acr in ACR_VALUES and ACR_VALUES.index(acr) >= min(known))


def fhir_user_of(user: User, patient: Patient | None, authorization_id: UUID | None = None) -> str:
    """The person as a FHIR resource, absolute, in the capacity in which they let the app in.

    Their own record makes them a Patient, somebody else's a Practitioner or a RelatedPerson: who is a
    clinician and helps is what the authorization says. A Person, where they are none of these.
    """
    if patient is None or patient.user_id == user.pk:
        found = authorizations.fhir_user_of(user) or _practitioner(user)
    elif _is_helper(authorization_id):
        found = _related_person(user, patient)
    else:
        found = _practitioner(user) or _related_person(user, patient)
    return found or f"{settings.FHIR_BASE_URL}/Person/{user.pk}"


def _is_helper(authorization_id: UUID | None) -> bool:
    if authorization_id is None:
        return False
    return StaffAuthorization.objects.filter(pk=authorization_id, helper__isnull=False).exists()


def _practitioner(user: User) -> str:
    roles = user.staff_roles.filter(role=StaffRole.Role.CLINICIAN).exclude(practitioner="")
    reference = roles.values_list("practitioner", flat=True).first()
    return f"{settings.FHIR_BASE_URL}/{reference}" if reference else ""


def _related_person(user: User, patient: Patient) -> str:
    relation = patient.helpers.filter(user=user, status__in=LIVING).first()
    ended = relation and relation.period_end and relation.period_end <= timezone.now()
    return f"{settings.FHIR_BASE_URL}/RelatedPerson/{relation.pk}" if relation and not ended else ""


def seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


# Keys


def algorithm_of(registered: str) -> str:
    """What signs for a client that registered this: the first of ours where it is none of ours."""
    return registered if registered in ALGORITHMS else ALGORITHMS[0]


def signing_key(algorithm: str) -> jwk.JWK:
    """The key that signs by this algorithm now."""
    pem = str(oauth2_settings.OIDC_RSA_PRIVATE_KEY)
    return _ec_key(pem) if algorithm == "ES384" else jwk_from_pem(pem)


def published_keys() -> list[dict[str, Any]]:
    """Public keys as bare JWKs (RFC 7517): those that sign, and retired ones that old id_tokens need."""
    pems = [oauth2_settings.OIDC_RSA_PRIVATE_KEY, *oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE]
    found = [
        (algorithm, key)
        for pem in pems
        if pem
        for algorithm, key in (("RS256", jwk_from_pem(pem)), ("ES384", _ec_key(pem)))
    ]
    return [
        {"alg": algorithm, "use": "sig", "kid": key.thumbprint()} | json.loads(key.export_public())
        for algorithm, key in found
    ]


@cache
def _ec_key(pem: str) -> jwk.JWK:
    """A P-384 key that belongs to an RSA key: derived from it (RFC 5869), so that one file is kept,
    backed up and changed for both. Nothing of either can be told from the other's public half."""
    rsa = serialization.load_pem_private_key(pem.encode(), None)
    secret = rsa.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # 16 bytes more than the order has: what is left of the modulo's bias is below 2^-128 (FIPS 186-5, A.2.1).
    drawn = HKDF(hashes.SHA384(), 64, None, b"chartkey id_token ES384").derive(secret)
    number = int.from_bytes(drawn) % (ORDER_P384 - 1) + 1
    return jwk.JWK.from_pyca(ec.derive_private_key(number, ec.SECP384R1()))
