"""`Patient.deceased[x]` (FHIR R4), wherever a Patient is read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from accounts import deaths


def says_so(resource: Mapping[str, Any]) -> bool:
    when = resource.get("deceasedDateTime")
    return resource.get("deceasedBoolean") is True or (isinstance(when, str) and bool(when))


def look(resource: Mapping[str, Any], patient_id: UUID, source: str) -> None:
    """For staff to look at, where this Patient says that they died."""
    if says_so(resource):
        deaths.noticed(patient_id, source)
