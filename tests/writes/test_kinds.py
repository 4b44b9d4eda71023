"""The table of what may be written, and the page that is made from it.

To renew the page: UPDATE_WRITABLE=1 python -m pytest tests/writes/test_kinds.py
"""

import os
from pathlib import Path

import pytest

from fhirproxy.served import SERVED
from fhirproxy.writes import kinds
from fhirproxy.writes.kinds import OnConflict, Policy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "writable.md"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def observation(category):
    return {"resourceType": "Observation", "category": [{"coding": [{"system": CATEGORY, "code": category}]}]}


def test_the_page_is_the_table():
    if os.environ.get("UPDATE_WRITABLE"):
        PAGE.write_text(kinds.page())

    assert PAGE.read_text() == kinds.page()


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        (observation("vital-signs"), "vital-signs"),
        (observation("social-history"), "daily-life"),
        (observation("laboratory"), None),
        (observation("imaging"), None),
        ({"resourceType": "Communication"}, "messages"),
        (
            {
                "resourceType": "Communication",
                "category": [
                    {
                        "coding": [
                            dict(
                                zip(
                                    ("system", "code"),
                                    ("https://chartkey.example/fhir/CodeSystem/message", "correction"),
                                    strict=True,
                                )
                            )
                        ]
                    }
                ],
            },
            "corrections",
        ),
        ({"resourceType": "MedicationRequest"}, "orders"),
        ({"resourceType": "Provenance"}, None),
        ({"resourceType": "Consent"}, None),
        ({"resourceType": "AuditEvent"}, None),
        ({}, None),
    ],
)
def test_a_resource_falls_under_one_row_or_is_read_only(resource, code):
    kind = kinds.of(resource)

    assert (kind.code if kind else None) == code


@pytest.mark.parametrize("kind", kinds.kinds().values(), ids=lambda kind: kind.code)
def test_a_row_is_whole(kind):
    assert kind.type in SERVED
    assert SERVED[kind.type].owner_paths
    assert kind.owner
    assert kind.text
    assert kind.who <= {"patient", "helper", "client"}
    assert set(kind.interactions) <= {"create", "update"}
    assert (kind.policy is Policy.READ_ONLY) == (not kind.who) == (not kind.interactions)
    assert not (kind.policy is Policy.PATIENT_MAY_PROPOSE and "client" in kind.who)
    assert kind.takes("create", "client") == ("client" in kind.who and "create" in kind.interactions)


@pytest.mark.parametrize("kind", kinds.kinds().values(), ids=lambda kind: kind.code)
def test_whose_a_resource_is_may_never_be_changed(kind):
    """By its group, or because it is refused before (`proposals`)."""
    owner = SERVED[kind.type].owner_paths[0].partition(".")[0]

    if "update" in kind.interactions:
        assert kind.group_of(owner).policy is OnConflict.NEVER


def test_an_app_is_checked_by_people_first():
    """Patients read so before they let an app send readings (consent.write)."""
    readings = [k for k in kinds.kinds().values() if k.type == "Observation" and "client" in k.who]

    assert readings
    assert all(kind.looks > 0 for kind in readings)
