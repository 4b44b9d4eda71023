"""/status/: each EHR by name, and for staff what is wrong and what cures it."""

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fhirproxy import health, tasks
from fhirproxy.models import Source
from tests import factories
from tests.ehr.conftest import QUICK, start, stop

GOOD = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "rest": [
        {
            "mode": "server",
            "resource": [{"type": "Patient", "interaction": [{"code": "read"}, {"code": "search-type"}]}],
        }
    ],
}


@pytest.fixture(scope="module", params=["its own", "its own and expired"])
def untrusted(request, tmp_path_factory):
    """The base of a fake EHR with a certificate that it made itself, or that was one until yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().issuer_name(name).subject_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(
        now - datetime.timedelta(days=9)
    )
    last = now + datetime.timedelta(days=-1 if "expired" in request.param else 1)
    certificate = builder.not_valid_after(last).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "ehr.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    process, port = start("--cert", str(file))
    yield f"https://127.0.0.1:{port}/plain/fhir"
    stop(process)


def test_an_ehr_that_is_well(fake):
    fake.load("plain", [{"resourceType": "Observation", "id": "1", "code": {}}])

    finding = health.check(fake.source())

    assert (finding.state, finding.problem, finding.types) == ("up", "", "Observation Patient")


@pytest.mark.parametrize("status", [401, 403, 500])
def test_one_that_tells_what_it_is_and_lets_nobody_search_is_not_well(fake, status):
    fake.script({"match": "/Patient", "times": 0, "do": {"status": status, "body": "{}"}})

    finding = health.check(fake.source())

    assert finding.state == "down"
    assert finding.problem.startswith("Far Clinic: ")
    assert {r["path"].rpartition("/")[2] for r in fake.seen()} == {"metadata", "Patient"}


def test_what_speaks_no_tls_is_told_from_a_certificate(fake):
    source = fake.source()
    source.base_url = source.base_url.replace("http:", "https:")

    assert "does not speak TLS" in health.check(source).problem


def test_a_wrong_certificate_is_named_and_nothing_is_sent(untrusted):
    source = Source(slug="far", name="Far Clinic", kind="http", base_url=untrusted, **QUICK)

    finding = health.check(source)

    assert finding.state == "down"
    assert finding.problem.startswith("Far Clinic: Its certificate is not trusted: it made it itself")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (GOOD | {"fhirVersion": "5.0.0"}, "speaks FHIR 5.0.0, and we need 4.0.1"),
        (GOOD | {"fhirVersion": None}, "we need 4.0.1"),
        (GOOD | {"rest": []}, "no read and search of Patient"),
        ({"resourceType": "Patient"}, "not FHIR JSON"),
        (GOOD | {"rest": "all"}, "not FHIR JSON"),
        (GOOD | {"rest": [{"mode": "server", "resource": [{}]}]}, "not FHIR JSON"),
    ],
)
def test_a_capability_statement_that_will_not_do_is_named(fake, statement, words):
    fake.script({"match": "metadata", "times": 0, "do": {"body": json.dumps(statement)}})

    finding = health.check(fake.source())

    assert finding.state == "down"
    assert finding.problem.startswith("Far Clinic: ")
    assert words in finding.problem


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ({"send": "garbage"}, "Check that base_url is its FHIR base"),
        ({"status": 404}, "GET metadata gave 404"),
        ({"status": 302}, "It sends us elsewhere"),
        ({"status": 401}, "does not take our credentials"),
        ({"hang": 30}, "takes too long"),
        ({"send": "huge"}, "larger than max_bytes"),
        ({"refuse": 1}, "ends the connection"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(fake, do, words):
    fake.script({"match": "metadata", "times": 0, "do": do})

    finding = health.check(fake.source(read_timeout=1, deadline=2, max_bytes=1_000_000))

    assert finding.state == "down"
    assert words in finding.problem


def test_every_trouble_has_a_cure():
    assert set(health.CURES) == set(health.Trouble)


@pytest.mark.django_db
def test_the_page_tells_people_that_and_staff_why(client, fake):
    factories.create_source()
    fake.source().save()
    fake.script({"match": "metadata", "times": 0, "do": {"status": 302}})
    tasks.check_sources()

    seen = len(fake.seen())
    public = client.get("/status/")
    client.force_login(factories.create_staff("Cora Diaz", "compliance"))
    staff = client.get("/status/")

    far = {source["source"]: source for source in public.json()["sources"]}["far"]
    assert (public.status_code, far["name"], far["state"]) == (503, "Far Clinic", "down")
    assert "problem" not in public.content.decode()
    assert "It sends us elsewhere" in staff.content.decode()
    assert len(fake.seen()) == seen  # nobody who asks for the page makes us ask


@pytest.mark.django_db
def test_what_an_ehr_has_is_kept_with_it(fake):
    fake.load("plain", [{"resourceType": "Observation", "id": "1", "code": {}}])
    fake.source().save()
    factories.create_source()

    tasks.check_sources()

    source = Source.objects.get(slug="far")
    assert source.types == "Observation Patient"
    assert source.serves("Observation")
    assert not source.serves("Claim")


@pytest.mark.django_db
def test_a_type_that_an_ehr_names_no_more_is_still_asked_for(fake):
    source = fake.source()
    source.types = "AllergyIntolerance Patient"
    source.save()
    factories.create_source()

    tasks.check_sources()

    assert Source.objects.get(slug="far").serves("AllergyIntolerance")
