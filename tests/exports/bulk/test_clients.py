"""Clients that we did not write, against the running server: from the key to the files."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.test import Client as Browser
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ResourceNotFound

from exports import commands, runs
from tests import factories
from tests.exports.bulk.service import Service, a_group, approved
from tests.smart.test_fhirclient import base  # noqa: F401  a fixture

KINDS = {"Patient", "Observation"}


@pytest.fixture
def service(base, transactional_db, monkeypatch) -> Service:  # noqa: F811
    """The worker works at once."""
    monkeypatch.setattr(commands, "enqueue", runs.run)
    service = Service()
    approved(service, a_group(factories.alice(), factories.mallory()))
    return service


def test_the_capability_statement_says_what_can_be_exported(db):
    statement = Browser().get("/fhir/r4/metadata").json()
    (rest,) = statement["rest"]
    operations = {entry["type"]: entry.get("operation", []) for entry in rest["resource"]}
    definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"

    assert statement["instantiates"] == [
        "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",
    ]
    assert rest["operation"] == [{"name": "export", "definition": f"{definition}export"}]
    assert operations["Group"] == [{"name": "export", "definition": f"{definition}group-export"}]
    assert {"name": "export", "definition": f"{definition}patient-export"} in operations["Patient"]


def test_fhirpy_finds_its_group_and_exports_it(service, base):  # noqa: F811
    fhir = SyncFHIRClient(base, authorization=f"Bearer {service.token()}")
    (group,) = fhir.resources("Group").search(name="diab").fetch()
    assert group["id"] == "diabetes-2026"
    assert fhir.resources("Group").search(_id="nobody").fetch() == []
    with pytest.raises(ResourceNotFound):
        fhir.reference("Group", "nobody").to_resource()

    # fhirpy has no word for what answers later, so the kick-off and the status are plain HTTP.
    def ask(url: str, method: str = "GET"):
        headers = {
            "Authorization": f"Bearer {service.token()}",
            **{"Accept": "application/fhir+json", "Prefer": "respond-async"},
        }
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method))

    status = ask(f"{base}/Group/{group['id']}/$export?_type=Patient,Observation").headers["Content-Location"]
    found = {item["type"]: ask(item["url"]) for item in json.load(ask(status))["output"]}
    assert set(found) == KINDS
    assert len(found["Patient"].read().splitlines()) == 2
    assert ask(status, "DELETE").status == 202
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(status)


def test_smart_fetch_exports_a_group(service, base, tmp_path):  # noqa: F811
    """The SMART team's own client, which finds the token endpoint by itself."""
    key = json.loads(service.key.export_private()) | {"alg": "ES384", "use": "sig", "key_ops": ["sign"]}
    (tmp_path / "key.jwks").write_text(json.dumps({"keys": [key]}))
    program = str(Path(sys.executable).with_name("smart-fetch"))
    command = [program, "bulk", "--fhir-url", base, "--group", "diabetes-2026"]
    command += ["--smart-client-id", service.client.client_id, "--smart-key", str(tmp_path / "key.jwks")]
    command += ["--type", ",".join(KINDS), "--no-default-filters", "--no-compression", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    files = {path.name.partition(".")[0]: path for path in (tmp_path / "out").glob("*.ndjson")}
    assert set(files) >= KINDS
    assert len(files["Patient"].read_text().splitlines()) == 2
