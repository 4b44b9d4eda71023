"""The demo population: made-up people with believable FHIR R4 records, the same on every run.

Pure: no database, no clock. The same day gives the same bytes.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from demo.population import clinic
from demo.population.coding import Resource
from demo.population.marker import marked
from demo.population.stories import alice, evelyn, morenos, okafors, raymond, singles

CANARY = "ZEBRAFISH"  # in every free text of Mallory's record and in nobody else's

BASE = "https://riverside.example/fhir"  # where entries of a bundle say they come from

STORIES = (
    alice.chart,
    morenos.tom,
    morenos.amir,
    okafors.grace,
    okafors.ella,
    singles.maya,
    raymond.chart,
    evelyn.chart,
    singles.jordan,
    singles.kenji,
)


def charts(today: date) -> list[list[Resource]]:
    """The records, one list a patient, the Patient first."""
    strangers = [marked(resource, CANARY) for resource in singles.mallory(today).resources]
    return [*(story(today).resources for story in STORIES), strangers]


def resources(today: date) -> list[Resource]:
    """Everything: the clinic, then each patient's record."""
    return [*clinic.resources(), *(resource for chart in charts(today) for resource in chart)]


def transaction(these: Iterable[Resource]) -> dict[str, Any]:
    """A FHIR transaction Bundle that puts each resource under its own id."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"{BASE}/{resource['resourceType']}/{resource['id']}",
                "resource": resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
            }
            for resource in these
        ],
    }
