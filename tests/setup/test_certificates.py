"""The certificate of `make demo TLS=1`: clients that trust its authority take it, here and nowhere else."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from config import certificates

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def tls(tmp_path):
    return certificates.ensure(tmp_path / "tls")


def shake_hands(tls, name: str, trusted: str) -> None:
    """One TLS handshake over a real socket. Raises ssl.SSLError."""
    ours, theirs = socket.socketpair()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    client = ssl.create_default_context(cafile=trusted)

    def serve() -> None:
        try:
            server.wrap_socket(ours, server_side=True).close()
        except OSError:
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(theirs, server_hostname=name).close()
    finally:
        theirs.close()
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
def test_who_trusts_the_authority_takes_it(tls, name):
    shake_hands(tls, name, str(tls.authority))


@pytest.mark.parametrize("name", ["records.example", "127.0.0.2"])
def test_it_is_for_this_machine(tls, name):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls, name, str(tls.authority))


def test_another_authority_is_another(tls, tmp_path):
    other = certificates.ensure(tmp_path / "other")

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls, "127.0.0.1", str(other.authority))


def test_the_key_of_the_authority_is_nowhere_and_the_other_is_private(tls):
    keys = [path for path in tls.key.parent.iterdir() if b"PRIVATE KEY" in path.read_bytes()]

    assert keys == [tls.key]
    assert tls.key.stat().st_mode & 0o077 == 0


def test_it_is_bound_to_loopback(tls):
    authority = x509.load_pem_x509_certificate(tls.authority.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)

    assert constraints.critical
    assert {str(name.value) for name in constraints.value.permitted_subtrees} == {
        "localhost",
        "127.0.0.0/8",
        "::1/128",
    }


def test_it_stays_until_its_last_month_and_is_then_made_anew(tls):
    before, now = tls.certificate.read_bytes(), datetime.now(UTC)

    certificates.ensure(tls.key.parent, now=now + timedelta(days=300))
    assert tls.certificate.read_bytes() == before
    certificates.ensure(tls.key.parent, now=now + timedelta(days=380))
    assert tls.certificate.read_bytes() != before


def test_a_broken_file_is_made_anew(tls):
    tls.certificate.write_text("nothing")

    certificates.ensure(tls.key.parent)

    shake_hands(tls, "127.0.0.1", str(tls.authority))
