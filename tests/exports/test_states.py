"""The life of an export: one table, its picture in the docs, and what the database holds."""

from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

from exports import states
from exports.models import ExportJob
from exports.push import pushes
from tests import factories


def test_every_state_is_reached_and_an_export_that_ended_stays_so():
    reached = {then for row in states.TRANSITIONS.values() for then in row} | {ExportJob.Status.QUEUED}

    assert set(states.TRANSITIONS) == set(ExportJob.Status) == reached
    assert not any(states.TRANSITIONS[end] for end in (*states.ENDS, ExportJob.Status.EXPIRED))
    assert all(states.TRANSITIONS[status] > states.ENDS for status in states.LIVING)


def test_the_picture_in_the_docs_is_the_table():
    """To renew it, put what this prints into docs/states.md."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "states.md").read_text()

    for table in (states.TRANSITIONS, pushes.TRANSITIONS):
        assert states.diagram(table) in page, states.diagram(table)


@pytest.mark.django_db
def test_an_export_is_a_persons_or_a_clients_and_not_both():
    alice, acme = factories.alice(), factories.acme_client()
    for fields in (
        {"kind": "personal", "patient": alice},
        {"kind": "personal", "patient": alice, "requested_by": alice.user, "client": acme},
        {"kind": "bulk"},
        {"kind": "bulk", "client": acme, "patient": alice},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            ExportJob.objects.create(resource_types=[], **fields)
    ExportJob.objects.create(resource_types=[], kind="personal", patient=alice, requested_by=alice.user)
    ExportJob.objects.create(resource_types=[], kind="bulk", client=acme)
