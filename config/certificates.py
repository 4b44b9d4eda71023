"""A certificate for this machine alone, for kits that insist on https (`make demo TLS=1`).

An authority of our own signs it and is then forgotten: its key is never written, so that whoever
trusts it in a browser trusts this one certificate and no other. It is bound to loopback besides.
"""

import contextlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from config.keys import write_private

LIFETIME, RENEWED_BEFORE = timedelta(days=397), timedelta(days=30)
NAMES = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)
LOOPBACK = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
    x509.IPAddress(ipaddress.ip_network("::1/128")),
)


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: what clients trust, and what the server shows and proves."""

    authority: Path
    certificate: Path
    key: Path


def ensure(folder: Path, *, now: datetime | None = None) -> Tls:
    """The files in `folder`, made where they are not, or end within a month."""
    now = now or datetime.now(UTC)
    tls = Tls(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    if not _holds(tls, now):
        folder.mkdir(parents=True, exist_ok=True)
        _make(tls, now)
    return tls


def _holds(tls: Tls, now: datetime) -> bool:
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
        return (
            tls.key.exists() and tls.authority.exists() and now + RENEWED_BEFORE < found.not_valid_after_utc
        )
    return False


def _make(tls: Tls, now: datetime) -> None:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    certificate = (
        _builder("Chartkey on this machine", authority.subject, key, now)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(tls.authority, _pem(authority))
    write_private(tls.key, private.decode())
    write_private(tls.certificate, _pem(certificate))


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Chartkey demo authority of this machine")])
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    return (
        _builder("", name, key, now)
        .subject_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(LOOPBACK, None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, encipher_only=False, decipher_only=False, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )
    if not subject:
        return builder
    return builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
