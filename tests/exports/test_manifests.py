"""A23: what a file holds is signed, and whoever has the site's public keys can check it without us."""

import json
import subprocess
import sys
import zipfile
from io import BytesIO

import pytest
import rfc8785
from django.test import Client
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from audit.evidence import VERIFIER
from audit.verifier import chartkey_verify as verifier
from consent import helper_rights
from exports import reading
from tests import factories
from tests.exports.making import kickoff, made, package

pytestmark = pytest.mark.django_db


@pytest.fixture
def saved(settings, tmp_path) -> dict[str, bytes]:
    """Her file: its parts by their names."""
    settings.EXPORT_FOLDER = tmp_path / "exports"
    patient = factories.alice()
    archive = package(made(kickoff(patient, formats=["ndjson", "csv"])))
    return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def keys() -> list[dict[str, str]]:
    return Client().get("/.well-known/jwks.json").json()["keys"]


def check(parts: dict[str, bytes], keys) -> tuple[int, int, str]:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return verifier.check_manifest(zipfile.ZipFile(file), keys)


def test_the_verifier_takes_what_was_signed(saved, keys, tmp_path):
    manifest = json.loads(saved["manifest.json"])
    count, resources, made_at = check(saved, keys)

    assert count == len(saved) - 2
    assert resources == sum(output["count"] for output in manifest["output"]) > 0
    assert made_at == manifest["transactionTime"]


def test_it_does_so_as_the_one_file_that_is_handed_out(saved, keys, tmp_path):
    with zipfile.ZipFile(tmp_path / "records.zip", "w") as archive:
        for name, content in saved.items():
            archive.writestr(name, content)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": keys}))
    command = [sys.executable, "-I", VERIFIER, "manifest", "records.zip", "--keys", "jwks.json"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.startswith("All is right.")


def test_it_does_not_take_part_for_right_that_was_changed(saved, keys):
    for name, content in saved.items():
        if content and name not in ("manifest.jws",):
            with pytest.raises((verifier.Wrong, verifier.Unreadable)):
                check({**saved, name: content[:-2] + b"x\n"}, keys)


@pytest.mark.parametrize("act", ["leave out", "put in", "count less", "say it is whole"])
def test_A23_a_manifest_that_was_changed_is_found_out(saved, keys, act):
    manifest = json.loads(saved["manifest.json"])
    if act == "leave out":
        del saved["Observation.ndjson"]
    if act == "put in":
        saved["Claim-2.ndjson"] = b"{}\n"
    if act == "count less":
        manifest["output"][0]["count"] = 77
    if act == "say it is whole":
        manifest["extension"]["left_out"] = []

    with pytest.raises(verifier.Wrong):
        check({**saved, "manifest.json": json.dumps(manifest).encode()}, keys)


def test_another_key_of_the_same_name_signs_nothing(saved, keys):
    other = json.loads(JWK.generate(kty="RSA", size=2048).export_public())
    with pytest.raises(verifier.Wrong):
        check(saved, [{**key, "n": other["n"]} for key in keys])
    with pytest.raises(verifier.Wrong):
        check(saved, [])


def test_another_library_reads_the_same_signature(saved, keys):
    """jwcrypto over rfc8785's canonical form: the two halves of the verifier that are our own."""
    manifest = json.loads(saved["manifest.json"])
    assert verifier.canonical(manifest).encode() == rfc8785.dumps(manifest)
    jws = JWS()
    jws.deserialize(saved["manifest.jws"].decode())
    kid = json.loads(jws.objects["protected"])["kid"]
    key = next(key for key in keys if key["kid"] == kid)
    jws.verify(JWK(**key), detached_payload=rfc8785.dumps(manifest))

    assert jws.is_valid


def test_a_manifest_says_by_whose_leave_and_as_of_which_log(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path
    alice, amir = factories.alice(), factories.create_user("Amir Moreno")
    relation = factories.let_help(amir, alice, may_share=True)
    job = made(kickoff(alice, sorted(helper_rights.categories_now(relation)), by=amir))
    consent = relation.consents.get()

    said = job.manifest["extension"]["consent"]
    assert said == {"reference": f"Consent/{consent.pk}", "version": consent.current_number}
    package_of_it = job.files.get(kind="package")
    with reading.opened(package_of_it, job) as content:
        assert zipfile.ZipFile(BytesIO(content.read())).testzip() is None
