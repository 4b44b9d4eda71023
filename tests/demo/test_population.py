"""The generated records: the same each time, standard FHIR, complete, and in the right tense."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from importlib import import_module
from typing import Any

import pytest

from consent.labels import labels_of, starter_codes
from consent.vocabulary import ELEMENTS_OF, Category, categories_of
from demo import population
from demo.population import CANARY, pdf

MONDAY, LEAP_DAY = date(2026, 3, 9), date(2028, 2, 29)
ALL = population.resources(MONDAY)
A_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
DATED = {"effectiveDateTime", "occurrenceDateTime", "start", "authoredOn", "onsetDateTime", "recordedDate"}
WORDS = {"title", "description", "contentString", "div"}
CODES = starter_codes("US")
OF = {chart[0]["id"]: chart for chart in population.charts(MONDAY)}


def as_bytes(today: date) -> bytes:
    return json.dumps(population.transaction(population.resources(today))).encode()


def values(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(element name, string) of every string in a resource."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from values(child, key)
    elif isinstance(node, list):
        for child in node:
            yield from values(child, name)
    elif isinstance(node, str):
        yield name, node


def test_same_day_gives_the_same_bytes():
    assert as_bytes(MONDAY) == as_bytes(MONDAY)


def test_ids_stay_when_the_day_changes():
    later = population.resources(MONDAY + timedelta(days=30))

    assert [(r["resourceType"], r["id"]) for r in later] == [(r["resourceType"], r["id"]) for r in ALL]
    assert later != ALL


def test_another_random_draw_changes_nobody():
    before = as_bytes(MONDAY)
    with population.people.seeded("somebody else"):
        population.people.AddressFactory()

    assert as_bytes(MONDAY) == before


@pytest.mark.parametrize("resource_type", sorted({r["resourceType"] for r in ALL}))
def test_resources_parse_as_fhir_r4(resource_type):
    model = getattr(import_module(f"fhir.resources.R4B.{resource_type.lower()}"), resource_type)

    for resource in (r for r in ALL if r["resourceType"] == resource_type):
        assert model.model_validate(resource).id == resource["id"]


def test_every_reference_leads_to_a_resource_of_the_population():
    there = {f"{r['resourceType']}/{r['id']}" for r in ALL}
    meant = {text for resource in ALL for name, text in values(resource) if name == "reference"}

    assert len(there) == len(ALL)
    assert meant <= there


def test_records_of_two_patients_do_not_refer_to_each_other():
    for id, chart in OF.items():
        whose = {text for resource in chart for name, text in values(resource) if name == "reference"}
        assert {reference for reference in whose if reference.startswith("Patient/")} == {f"Patient/{id}"}


def test_somebody_can_review_what_each_patient_sends_but_mallory():
    teams = {id: json.dumps([r for r in OF[id] if r["resourceType"] == "CareTeam"]) for id in OF}

    assert {id for id, team in teams.items() if "Practitioner/dr-osei" not in team} == {"mallory"}


def test_what_the_clinic_writes_to_raymond_is_in_his_language():
    told = [
        r for r in OF["raymond"] if r["resourceType"] in {"DocumentReference", "Communication", "CarePlan"}
    ]
    said = [*values(told), *values([r.get("reaction") for r in OF["raymond"]])]

    assert {text for name, text in said if name == "language"} == {"es"}
    assert {"Venga para un análisis de sangre", "Tos", "Comida con poca sal"} <= {text for _, text in said}
    assert not re.search(r"\b(the|you|your|and|of)\b", " ".join(text for name, text in said if name in WORDS))


def test_alice_has_something_in_every_category_but_other():
    found = {category for resource in OF["alice"] for category in categories_of(resource)}

    assert found == set(Category) - {Category.OTHER, *ELEMENTS_OF}


def test_alice_has_something_to_share_in_every_category_but_other():
    open_to_all = [resource for resource in OF["alice"] if not labels_of(resource, CODES)]
    found = {category for resource in open_to_all for category in categories_of(resource)}

    assert found == set(Category) - {Category.OTHER, *ELEMENTS_OF}


@pytest.mark.parametrize(
    ("patient", "resource_id", "labels"),
    [
        ("alice", "alice-alcohol-1", {"SUD", "ETH"}),
        ("alice", "alice-adjustment-1", {"PSY"}),
        ("maya", "maya-chlamydia-1", {"STD", "SEX"}),
        ("jordan", "jordan-hiv-1", {"HIV"}),
        ("jordan", "jordan-partner-violence-1", {"SDV"}),
        ("jordan", "jordan-viral-load-1", {"HIV"}),  # the EHR sent no label: known by its code
        ("alice", "alice-ldl-1", set()),
    ],
)
def test_sensitive_resources_carry_their_labels(patient, resource_id, labels):
    resource = next(r for r in OF[patient] if r["id"] == resource_id)

    assert labels_of(resource, CODES) >= labels
    assert bool(labels_of(resource, CODES)) is bool(labels)


def test_counselling_is_labelled_wherever_it_shows():
    telling = [r for r in OF["alice"] if "dr-hale" in json.dumps(r) or "F43.22" in json.dumps(r)]

    assert len(telling) == 3
    assert all("PSY" in labels_of(resource, CODES) for resource in telling)


@pytest.mark.parametrize("today", [MONDAY, LEAP_DAY, date(2026, 1, 1), date(2026, 8, 9)], ids=str)
def test_only_what_is_to_come_lies_ahead(today):
    tomorrow = (today + timedelta(days=1)).isoformat()
    ahead = {
        (resource["resourceType"], name)
        for resource in population.resources(today)
        for name, text in values(resource)
        if A_DAY.match(text) and text[:10] >= tomorrow
    }

    assert ahead == {("Appointment", "start"), ("Appointment", "end"), ("Goal", "dueDate")}


@pytest.mark.parametrize("today", [MONDAY, LEAP_DAY, date(2026, 4, 16), date(2026, 4, 17)], ids=str)
def test_people_keep_their_age(today):
    ages = {}
    for chart in population.charts(today):
        born = date.fromisoformat(chart[0]["birthDate"])
        ages[chart[0]["id"]] = today.year - born.year - ((today.month, today.day) < (born.month, born.day))

    assert (ages["alice"], ages["tom"], ages["ella"], ages["maya"], ages["evelyn"]) == (46, 12, 3, 16, 82)


def test_nobody_was_seen_before_they_were_born():
    for chart in OF.values():
        born = chart[0]["birthDate"]
        days = [
            text[:10]
            for r in chart
            for name, text in values(r)
            if name in DATED and r["id"] != chart[0]["id"]
        ]
        assert min(days) >= born


def test_alices_cholesterol_and_sugar_come_down():
    def course(code: str) -> list[float]:
        found = [
            r for r in OF["alice"] if r["resourceType"] == "Observation" and code in json.dumps(r["code"])
        ]
        return [r["valueQuantity"]["value"] for r in sorted(found, key=lambda r: r["effectiveDateTime"])]

    ldl, hba1c = course('"13457-7"'), course('"4548-4"')
    assert (ldl[0], ldl[-1], hba1c[0], hba1c[-1]) == (152, 118, 7.6, 6.3)
    assert len(ldl) == len(hba1c) == 7
    assert ldl == sorted(ldl, reverse=True)
    assert hba1c == sorted(hba1c, reverse=True)


def test_alice_has_a_preliminary_result_of_this_week_and_a_corrected_one():
    by_status = {r["status"]: r for r in OF["alice"] if r["resourceType"] == "Observation"}

    drawn = date.fromisoformat(by_status["preliminary"]["effectiveDateTime"][:10])
    assert MONDAY - timedelta(days=6) <= drawn < MONDAY
    assert "first reported" in by_status["corrected"]["note"][0]["text"]


def test_allergies_tell_none_from_never_asked():
    def allergies(patient: str) -> list[str]:
        return [r["code"]["text"] for r in OF[patient] if r["resourceType"] == "AllergyIntolerance"]

    assert allergies("amir") == ["No known allergies"]
    assert allergies("kenji") == []
    assert "Penicillin" in allergies("alice")


def test_every_word_of_mallory_is_marked_and_nobody_elses():
    free_text = {
        "text",
        "family",
        "given",
        "title",
        "description",
        "conclusion",
        "contentString",
        "line",
        "div",
    }
    for name, text in (pair for resource in OF["mallory"] for pair in values(resource)):
        if name in free_text:
            assert CANARY in text, name

    others = [resource for id, chart in OF.items() if id != "mallory" for resource in chart]
    assert CANARY not in json.dumps(others)


def test_mallorys_attachments_are_marked_inside():
    documents = [r for r in OF["mallory"] if r["resourceType"] == "DocumentReference"]
    data = [base64.b64decode(r["content"][0]["attachment"]["data"]) for r in documents]

    assert len(data) == 2
    assert all(CANARY.encode() in each for each in data)


def test_letter_is_a_pdf_whose_offsets_lead_to_its_objects():
    data = pdf.letter("A (title)", ["Some words. " * 400])
    table = data[int(data.rsplit(b"startxref\n", 1)[1].split()[0]) :]
    offsets = [int(line[:10]) for line in table.splitlines() if line.endswith(b" n ")]

    assert data.startswith(b"%PDF-1.4")
    assert data.count(b"/Type /Page ") == 2
    assert b"(A \\(title\\)) Tj" in data
    assert [data[at:].split(b" ", 1)[0] for at in offsets] == [b"%d" % n for n in range(1, len(offsets) + 1)]
