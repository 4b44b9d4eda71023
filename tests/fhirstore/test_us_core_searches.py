"""The searches that US Core 6.1 asks of a server, by their answers: what fits is found, and what differs in
any one of the parameters is not.

The list is the project's own, of the facts of its CapabilityStatement (us-core-server): each parameter that a
server SHALL support by itself, and each combination that it SHALL or SHOULD. Where the statement is on the
machine, the list is held against it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.fhirstore.calls import get, put
from tests.fhirstore.test_us_core import combinations, resources

pytestmark = pytest.mark.django_db

ALICE = {"reference": "Patient/alice"}
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
CONDITION = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
DAY, ELSEWHEN = "2026-05-01", ("ge2026-05-01", "lt2026-05-01")
PATIENT = ("alice", "mallory")


def coded(code: str, system: str = "urn:x") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


class Kind(NamedTuple):
    resource: Mapping[str, Any]
    values: Mapping[str, tuple[str, str]]  # parameter -> a value that fits, and one that nearly does
    alone: str  # parameters that SHALL work by themselves
    together: tuple[str, ...]  # combinations


KINDS = {
    "AllergyIntolerance": Kind(
        {"patient": ALICE, "clinicalStatus": coded("active", ALLERGY), "code": coded("peanut")},
        {"patient": PATIENT, "clinical-status": (f"{ALLERGY}|active", f"{CONDITION}|active")},
        "patient", ("patient clinical-status",),
    ),
    "CarePlan": Kind(
        {"subject": ALICE, "status": "active", "intent": "plan", "category": [coded("assess-plan")],
         "period": {"start": DAY, "end": "2026-06-01"}},
        {"patient": PATIENT, "category": ("urn:x|assess-plan", "urn:x|assess"), "status": ("active", "draft"),
         "date": ("ge2026-05-15", "ge2026-06-02")},
        "", ("patient category status", "patient category status date", "patient category",
             "patient category date"),
    ),
    "CareTeam": Kind(
        {"subject": ALICE, "status": "active",
         "participant": [{"role": [coded("17561000", SNOMED)]}]},
        {"patient": PATIENT, "status": ("active", "inactive"),
         "role": (f"{SNOMED}|17561000", f"{SNOMED}|1756100")},
        "", ("patient status", "patient role"),
    ),
    "Condition": Kind(
        {"subject": ALICE, "category": [coded("problem-list-item")],
         "clinicalStatus": coded("active", CONDITION),
         "code": coded("44054006", SNOMED), "encounter": {"reference": "Encounter/visit"},
         "onsetDateTime": DAY, "recordedDate": DAY, "abatementDateTime": DAY,
         "extension": [{"url": ASSERTED, "valueDateTime": DAY}]},
        {"patient": PATIENT, "category": ("problem-list-item", "problem"),
         "clinical-status": ("active", "inactive"),
         "code": (f"{SNOMED}|44054006", f"{LOINC}|44054006"),
         "encounter": ("Encounter/visit", "Encounter/visi"),
         "onset-date": ELSEWHEN, "recorded-date": ELSEWHEN, "abatement-date": ELSEWHEN,
         "asserted-date": ELSEWHEN},
        "patient",
        ("patient recorded-date", "patient asserted-date", "patient category clinical-status",
         "patient onset-date", "patient abatement-date", "patient clinical-status",
         "patient category encounter", "patient code", "patient category"),
    ),
    "Coverage": Kind(
        {"status": "active", "beneficiary": ALICE, "payor": [{"display": "x"}]},
        {"patient": PATIENT}, "patient", (),
    ),
    "Device": Kind(
        {"patient": ALICE, "status": "active", "type": coded("pump")},
        {"patient": PATIENT, "status": ("active", "inactive"), "type": ("urn:x|pump", "urn:x|Pump")},
        "patient", ("patient type", "patient status"),
    ),
    "DiagnosticReport": Kind(
        {"subject": ALICE, "status": "final", "category": [coded("LAB")], "code": coded("58410-2", LOINC),
         "effectiveDateTime": "2026-05-01T10:00:00Z"},
        {"patient": PATIENT, "status": ("final", "preliminary"), "category": ("urn:x|LAB", "urn:x|LA"),
         "code": (f"{LOINC}|58410-2", f"{LOINC}|58410-3"), "date": (DAY, "2026-05-02")},
        "patient", ("patient code date", "patient status", "patient category date", "patient category",
                    "patient code"),
    ),
    "DocumentReference": Kind(
        {"subject": ALICE, "status": "current", "type": coded("11488-4", LOINC),
         "category": [coded("clinical-note")],
         "date": "2026-05-01T10:00:00Z", "context": {"period": {"start": DAY, "end": DAY}},
         "content": [{"attachment": {"url": "Binary/1"}}]},
        {"_id": ("a", "b"), "patient": PATIENT, "status": ("current", "superseded"),
         "type": ("11488-4", "11488"), "category": ("urn:x|clinical-note", "urn:x|note"), "date": ELSEWHEN,
         "period": ELSEWHEN},
        "_id patient", ("patient type", "patient status", "patient type period", "patient category date",
                        "patient category"),
    ),
    "Encounter": Kind(
        {"subject": ALICE, "status": "finished", "class": {"system": "urn:x", "code": "AMB"},
         "type": [coded("checkup")], "period": {"start": DAY, "end": DAY}, "identifier": [{"value": "7"}],
         "location": [{"location": {"reference": "Location/ward"}}],
         "hospitalization": {"dischargeDisposition": coded("home")}},
        {"_id": ("a", "b"), "patient": PATIENT, "status": ("finished", "planned"),
         "class": ("urn:x|AMB", "urn:x|IMP"),
         "type": ("checkup", "check"), "date": ELSEWHEN, "location": ("Location/ward", "Location/war"),
         "discharge-disposition": ("home", "hosp"), "identifier": ("7", "77")},
        "_id patient", ("patient type", "class patient", "patient status", "date patient", "patient location",
                        "patient discharge-disposition"),
    ),
    "Goal": Kind(
        {"subject": ALICE, "lifecycleStatus": "active", "description": coded("walk"),
         "target": [{"dueDate": DAY}]},
        {"patient": PATIENT, "target-date": ELSEWHEN, "description": ("walk", "run"),
         "lifecycle-status": ("active", "planned")},
        "patient", ("patient target-date", "patient description", "patient lifecycle-status"),
    ),
    "Immunization": Kind(
        {"patient": ALICE, "status": "completed", "vaccineCode": coded("140"), "occurrenceDateTime": DAY},
        {"patient": PATIENT, "status": ("completed", "not-done"), "date": ELSEWHEN},
        "patient", ("patient date", "patient status"),
    ),
    "Location": Kind(
        {"name": "North Ward", "address": {"line": ["1 Elm Street"], "city": "Springfield"}},
        {"name": ("north", "ward"), "address": ("spring", "field")}, "name address", (),
    ),
    "MedicationDispense": Kind(
        {"subject": ALICE, "status": "completed", "type": coded("FF"),
         "medicationCodeableConcept": coded("8")},
        {"patient": PATIENT, "status": ("completed", "stopped"), "type": ("FF", "RF")},
        "patient", ("patient status type", "patient status"),
    ),
    "MedicationRequest": Kind(
        {"subject": ALICE, "status": "active", "intent": "order", "medicationCodeableConcept": coded("8"),
         "encounter": {"reference": "Encounter/visit"}, "authoredOn": DAY},
        {"patient": PATIENT, "status": ("active", "stopped"), "intent": ("order", "plan"),
         "authoredon": ELSEWHEN, "encounter": ("Encounter/visit", "Encounter/other")},
        "", ("patient intent encounter", "patient intent status", "patient intent authoredon",
             "patient intent"),
    ),
    "Observation": Kind(
        {"subject": ALICE, "status": "final", "category": [coded("laboratory")],
         "code": coded("2093-3", LOINC), "effectiveDateTime": "2026-05-01T09:30:00Z"},
        {"patient": PATIENT, "status": ("final", "amended"), "category": ("laboratory", "vital-signs"),
         "code": (f"{LOINC}|2093-3", f"{LOINC}|2093-4"), "date": (DAY, "2026-05-02")},
        "", ("patient code date", "patient category status", "patient category date", "patient category",
             "patient code"),
    ),
    "Organization": Kind(
        {"name": "Acme Clinic", "address": [{"city": "Springfield"}]},
        {"name": ("acme", "clinic"), "address": ("Springfield", "Shelbyville")}, "name address", (),
    ),
    "Patient": Kind(
        {"name": [{"family": "Moreno", "given": ["Alice"]}], "gender": "female", "birthDate": "1980-02-03",
         "deceasedDateTime": DAY, "identifier": [{"system": "urn:mrn", "value": "7"}]},
        {"_id": ("a", "b"), "identifier": ("urn:mrn|7", "urn:mr|7"), "name": ("alice", "lice"),
         "family": ("more", "alice"), "gender": ("female", "male"), "birthdate": ("1980-02-03", "1980-02-04"),
         "death-date": ELSEWHEN},
        "_id identifier name", ("birthdate family", "family gender", "birthdate name", "gender name",
                                "death-date family"),
    ),
    "Practitioner": Kind(
        {"name": [{"family": "Osei"}], "identifier": [{"system": "urn:npi", "value": "1"}]},
        {"name": ("osei", "sei"), "identifier": ("urn:npi|1", "urn:npi|11")}, "name identifier", (),
    ),
    "PractitionerRole": Kind(
        {"practitioner": {"reference": "Practitioner/osei"}, "specialty": [coded("394579002", SNOMED)]},
        {"practitioner": ("Practitioner/osei", "Practitioner/ose"), "specialty": ("394579002", "39457900")},
        "specialty practitioner", (),
    ),
    "Procedure": Kind(
        {"subject": ALICE, "status": "completed", "code": coded("80146002", SNOMED),
         "performedDateTime": DAY},
        {"patient": PATIENT, "status": ("completed", "stopped"), "date": ELSEWHEN,
         "code": (f"{SNOMED}|80146002", "80146003")},
        "patient", ("patient code date", "patient status", "patient date"),
    ),
    "QuestionnaireResponse": Kind(
        {"subject": ALICE, "status": "completed", "authored": DAY, "questionnaire": "urn:q|1"},
        {"_id": ("a", "b"), "patient": PATIENT, "status": ("completed", "amended"), "authored": ELSEWHEN,
         "questionnaire": ("urn:q", "urn:qq")},
        "_id patient", ("patient questionnaire", "patient authored", "patient status"),
    ),
    "RelatedPerson": Kind(
        {"patient": ALICE, "name": [{"family": "Amir"}]},
        {"_id": ("a", "b"), "patient": PATIENT, "name": ("amir", "mir")}, "_id", ("patient name",),
    ),
    "ServiceRequest": Kind(
        {"subject": ALICE, "status": "active", "intent": "order", "category": [coded("sdoh")],
         "code": coded("410410006", SNOMED), "authoredOn": DAY},
        {"_id": ("a", "b"), "patient": PATIENT, "status": ("active", "revoked"), "category": ("sdoh", "sdo"),
         "code": ("410410006", "41041000"), "authored": ELSEWHEN},
        "_id patient", ("patient category authored", "patient status", "patient category",
                        "patient code authored", "patient code"),
    ),
    "Specimen": Kind({"subject": ALICE, "type": coded("blood")}, {"_id": ("a", "b")}, "_id", ()),
}  # fmt: skip


def searches() -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind, each in KINDS.items():
        for names in [*each.alone.split(), *each.together]:
            yield kind, tuple(names.split())


@pytest.mark.parametrize(("kind", "names"), list(searches()), ids=str)
def test_what_fits_is_found_and_what_differs_in_one_parameter_is_not(kind, names):
    put({"resourceType": kind, "id": "a", **KINDS[kind].resource})
    values = KINDS[kind].values
    fitting = {name: values[name][0] for name in names}

    assert found(kind, fitting) == ["a"]
    for name in names:
        assert found(kind, fitting | {name: values[name][1]}) == [], name


def found(kind: str, asked: Mapping[str, str]) -> list[str]:
    return get(f"{kind}?" + "&".join(f"{name}={value}" for name, value in asked.items())).ids


@pytest.mark.parametrize("expected", resources(), ids=lambda each: each["type"])
def test_the_list_is_that_of_the_statement(expected):
    mine = KINDS.get(expected["type"], Kind({}, {}, "", ()))

    alone = {p["name"] for p in expected.get("searchParam", []) if _expectation(p) == "SHALL"}
    assert set(mine.alone.split()) >= alone
    assert {frozenset(each.split()) for each in mine.together} == set(map(frozenset, combinations(expected)))


def _expectation(parameter: Mapping[str, Any]) -> str:
    return next(e["valueCode"] for e in parameter["extension"] if e["url"].endswith("-expectation"))
