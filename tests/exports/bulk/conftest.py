"""Alice and Mallory in a group that a service was approved for, and the exports of it."""

import json
from collections.abc import Callable

import pytest

from exports import runs
from exports.models import ExportJob
from tests import factories
from tests.exports.bulk.service import Service, a_group, approved


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.EXPORT_FOLDER = tmp_path


@pytest.fixture
def alice(db):
    return factories.alice()


@pytest.fixture
def mallory(db):
    return factories.mallory()


@pytest.fixture
def service(alice, mallory) -> Service:
    """Approved for a group of Alice and Mallory, for operations: an opt-out."""
    service = Service()
    approved(service, a_group(alice, mallory))
    return service


@pytest.fixture
def start(service) -> Callable:
    """start("Patient/$export?_type=Patient") → its status address."""

    def kickoff(path: str = "Group/diabetes-2026/$export", **more) -> str:
        answer = service.send(more.pop("method", "GET"), path, **more)
        assert answer.status_code == 202, answer.content
        return answer["Content-Location"]

    return kickoff


def run() -> None:
    """What a worker does with all that waits."""
    for job in ExportJob.objects.filter(status="queued"):
        runs.run(job.id)


@pytest.fixture
def export(service, start) -> Callable:
    """export("$export", …) → manifest, and the resources by type."""

    def make(*args, **more) -> tuple[dict, dict[str, list[dict]]]:
        status = start(*args, **more)
        run()
        manifest = service.get(status).json()
        return manifest, read(service, manifest)

    return make


def read(service: Service, manifest: dict, kind: str = "output") -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for item in manifest[kind]:
        answer = service.get(item["url"])
        assert answer.status_code == 200
        lines = b"".join(answer.streaming_content).splitlines()
        assert len(lines) == item["count"]
        found.setdefault(item["type"], []).extend(map(json.loads, lines))
    return found
