"""Forms of the clinic, as FHIR R4 Questionnaires. They are about nobody: no part of any record."""

from collections.abc import Mapping
from typing import Any

from fhirproxy import asking
from fhirproxy.interactions import FHIR_ID
from fhirproxy.models import Source
from fhirproxy.writes import bodies

MOST = 50


def offered(source: Source) -> list[dict[str, Any]]:
    """Those in use that patients answer, by title. Raises EhrFailure."""
    query = (("status", "active"), ("_count", str(MOST)))
    found = map(asking.decode, asking.page(source, "Questionnaire", query).bodies)
    return sorted(filter(_is_for_patients, found), key=lambda each: str(each.get("title", "")))


def find(source: Source, questionnaire_id: str) -> dict[str, Any] | None:
    """One that is in use, as it is now; None where there is none. Raises EhrFailure."""
    if not FHIR_ID.match(questionnaire_id):
        return None
    answer = asking.ask(source, f"Questionnaire/{questionnaire_id}")
    if answer.status in (404, 410):
        return None
    if answer.status != 200:
        raise asking.failed(source, answer)
    found = bodies.read(answer.body)
    return found if _is_for_patients(found) else None


def pin(questionnaire: Mapping[str, Any]) -> str:
    """Which form exactly: its canonical address with its version, and a digest of what it asks."""
    canonical = questionnaire.get("url") or f"Questionnaire/{questionnaire.get('id')}"
    version = questionnaire.get("version")
    asked = {"item": questionnaire.get("item", [])}
    return f"{canonical}{f'|{version}' if version else ''}#{bodies.digest(asked)[:16]}"


def _is_for_patients(each: Mapping[str, Any]) -> bool:
    subjects = each.get("subjectType")
    return (
        each.get("resourceType") == "Questionnaire"
        and each.get("status") == "active"
        and (not isinstance(subjects, list) or not subjects or "Patient" in subjects)
    )
