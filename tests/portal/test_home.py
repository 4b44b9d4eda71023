"""Home's card: a file that was saved has had its turn."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.events import EventType
from exports import commands
from exports.models import ExportJob


@pytest.fixture
def job(alice) -> ExportJob:
    now = timezone.now()
    return ExportJob.objects.create(
        patient=alice.patient,
        requested_by=alice,
        status=ExportJob.Status.COMPLETED,
        resource_types=[],
        expires_at=now + timedelta(days=6),
    )


def test_file_that_is_ready_is_on_home(job, client):
    assert "Your file is ready" in client.get("/").text


def test_file_that_was_saved_leaves_home(job, alice, client):
    commands.log(EventType.EXPORT_DOWNLOAD, job, by=alice)

    assert "Your file is ready" not in client.get("/").text
