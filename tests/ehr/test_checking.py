"""`manage.py ehr check`: what is wrong with an EHR, said so that whoever reads it can cure it."""

import datetime
import io
import ipaddress
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command

from fhirproxy import upstream
from fhirproxy.examination import STEPS, Mark, examine
from fhirproxy.messages import Trouble
from fhirproxy.models import Source
from fhirproxy.served import RECORD, SERVED
from tests import factories
from tests.ehr.conftest import QUICK, start, stop

pytestmark = pytest.mark.django_db


def check(*arguments: str) -> tuple[int, str]:
    """(exit code, what is said)."""
    said = io.StringIO()
    try:
        call_command("ehr", "check", *arguments, stdout=said)
    except SystemExit as over:
        return int(str(over.code)), said.getvalue()
    return 0, said.getvalue()


def statement(*, without: str = "", no_search: str = "") -> dict:
    """Of an EHR that has, and can search, everything that we serve."""
    resources = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, *([{"code": "search-type"}] if rule.searchable else [])],
            "searchParam": [
                {"name": name, "type": "token"}
                for name in sorted({"_id", rule.patient_param, *rule.search_params} - {no_search})
            ],
        }
        for kind, rule in SERVED.items()
        if kind != without
    ]
    said = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "kind": "instance"}
    software = {"name": "Fake EHR", "version": "7"}
    return said | {"software": software, "rest": [{"mode": "server", "resource": resources}]}


NOTHING = json.dumps({"resourceType": "Bundle", "type": "searchset"})


def says(fake, capability: dict, *more: dict) -> None:
    fake.script(
        *more,
        {"match": "metadata", "times": 0, "do": {"status": 200, "body": json.dumps(capability)}},
        {"match": "/plain/fhir/", "times": 0, "do": {"status": 200, "body": NOTHING}},
    )


def test_one_that_has_everything(fake):
    fake.source().save()
    says(fake, statement())

    code, said = check("far")

    assert code == 0
    assert said.splitlines()[0] == f"Far Clinic (far), {fake.url('plain')}"
    assert [line.split()[0] for line in said.splitlines()[1:7]] == ["ok"] * 6
    assert "FHIR 4.0.1, Fake EHR 7, 31 types." in said.replace(f"{len(SERVED)} types", "31 types")
    assert said.rstrip().endswith("Far Clinic can be used.")


def test_what_is_missing_is_named(fake):
    fake.source().save()
    says(fake, statement(without="Goal", no_search="date"))

    code, said = check("far")

    assert code == 1
    assert "Not there: Goal." in said
    assert "Observation by date" in said
    assert "with gaps" in said


def test_a_type_that_is_only_said_to_be_there_is_found_out(fake):
    fake.source().save()
    lie = {"match": "/Condition", "times": 0, "do": {"status": 404, "body": "{}"}}
    says(fake, statement(), lie)

    code, said = check("far")

    assert code == 1
    assert "gap   Truth: Its CapabilityStatement has Condition, and a search gives 404." in said


def test_nobody_is_asked_about(fake):
    fake.source().save()
    says(fake, statement())

    check("far")

    asked = [request for request in fake.seen() if not request["path"].endswith("metadata")]
    assert {request["path"].rpartition("/")[2] for request in asked} == set(RECORD)
    ids = {value for r in asked for name, value in r["query"] if name not in ("_count", "category", "intent")}
    assert ids == {"chartkey-check"}


@pytest.mark.parametrize(
    ("do", "step", "words"),
    [
        ({"send": "garbage"}, "Answer", "not FHIR JSON"),
        ({"status": 404, "body": "{}"}, "CapabilityStatement", "Check that base_url is its FHIR base"),
        ({"status": 401}, "Sign-in", "does not take our credentials"),
        ({"status": 302}, "Answer", "Set base_url to the address it names"),
        ({"hang": 30}, "Answer", "deadline and read_timeout can be raised"),
        ({"body": '{"resourceType": "Patient"}'}, "CapabilityStatement", "not FHIR JSON"),
        (
            {"body": '{"resourceType": "CapabilityStatement"}'},
            "CapabilityStatement",
            "Set base_url to its R4",
        ),
    ],
)
def test_what_makes_it_of_no_use_is_named_with_its_cure(fake, do, step, words):
    fake.source(read_timeout=1, deadline=2).save()
    fake.script({"match": "metadata", "times": 0, "do": do})

    code, said = check("far")

    assert code == 2
    assert f"fail  {step}: " in said
    assert words in said
    assert "cannot be used" in said


@pytest.mark.parametrize("status", [401, 403])
def test_a_statement_for_everybody_is_no_sign_in(fake, status):
    fake.source().save()
    says(fake, statement(), {"match": "/Patient", "times": 0, "do": {"status": status, "body": "{}"}})

    code, said = check("far")

    assert code == 2
    assert "fail  Sign-in: " in said


def test_all_are_looked_at_and_the_worst_is_the_exit_code(fake):
    factories.create_source()
    fake.source(slug="well").save()
    fake.source(slug="gone", base_url="http://127.0.0.1:9/fhir").save()

    code, said = check()

    assert code == 2
    assert said.index("(riverside)" if "(riverside)" in said else "embedded FHIR server") < said.index(
        "(gone)"
    )
    assert "fail  Connection: Nobody answers at its address." in said
    assert "(well)" in said


def test_the_embedded_one_is_well():
    steps = list(examine(factories.create_source()))

    assert max(step.mark for step in steps) is Mark.OK, steps


@pytest.mark.parametrize("arguments", [("check", "nowhere"), ("far",), ("far", "Far Clinic")])
def test_a_wrong_command_says_what_there_is(arguments):
    with pytest.raises(CommandError, match=r"There are: none|ehr check \[SLUG\]"):
        call_command("ehr", *arguments)


def test_every_trouble_has_a_step():
    assert set(STEPS) == set(Trouble)


def _certificate(folder, *, days: int, names: list[str], issuer=None):
    """A file with a key and a certificate that ends so many days from now, by an issuer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[1].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_named(n) for n in names]), critical=False
        )
    if issuer:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[0].public_key())
        builder = builder.add_extension(authority, critical=False)
    certificate = builder.sign(issuer[0] if issuer else key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir()
    (folder / "ehr.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "only.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def _named(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


@pytest.mark.parametrize(
    ("days", "name", "known", "words"),
    [
        (1, "127.0.0.1", False, "its issuer is not known here"),
        (-1, "127.0.0.1", True, "it has expired"),
        (1, "elsewhere.example", True, "it is for another name"),
        (1, "127.0.0.1", True, "ok    Connection: It answers, and its certificate is trusted."),
    ],
)
def test_what_is_wrong_with_a_certificate_is_named(tmp_path, monkeypatch, days, name, known, words):
    issuer = _certificate(tmp_path / "issuer", days=9, names=[])
    _certificate(tmp_path / "ehr", days=days, names=[name], issuer=issuer)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "issuer/only.pem"))
    process, port = start("--cert", str(tmp_path / "ehr/ehr.pem"))
    base = f"https://127.0.0.1:{port}/plain/fhir"
    try:
        Source(slug="far", name="Far Clinic", kind="http", base_url=base, **QUICK).save()
        upstream.forget()

        code, said = check("far")
    finally:
        stop(process)
        upstream.forget()

    assert words in said
    assert code == (1 if words.startswith("ok") else 2)
