"""Whose downloads the tests make: people of the demo, synthetic patients at hand, a hostile one."""

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from demo import population
from exports.formats.about import About, Source

MADE_AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
HERE = Source("https://ehr.example/fhir", "Riverside Clinic", MADE_AT)
THERE = Source("https://lakeside.example/fhir", "Lakeside Hospital", MADE_AT)
SHARED = Path(__file__).parents[4] / "shared" / "data" / "patients"
CHARTS = {chart[0]["id"]: chart for chart in population.charts(date(2026, 11, 23))}
HOSTILE = (
    (
        '<script>alert(1)</script> #strong[x] $x$ <a> "\\ ]] & \u0000\u0007\u001b[31m \ud83d\ude00 '
        "\u202egnp.exe \u0645\u0631\u062d\u0628\u0627 \u6f22\u5b57 =1+1 " + "w" * 5000
    )
    .encode("utf-16", "surrogatepass")
    .decode("utf-16")
)


def about(chart: list[dict[str, Any]], **changed: Any) -> About:
    patient = next(r for r in chart if r["resourceType"] == "Patient")
    fields = {"patient": patient, "sources": (HERE,), "custodian": "Riverside Clinic", "made_at": MADE_AT}
    return About(**{**fields, **changed})


def alice() -> list[dict[str, Any]]:
    return next(chart for key, chart in CHARTS.items() if "alice" in key)


def synthetic(most: int = 2) -> list[list[dict[str, Any]]]:
    """Charts out of the bundles at hand, decimals kept; none where the folder is not there."""
    decoder = msgspec.json.Decoder(float_hook=Decimal)
    found = []
    for folder in sorted(SHARED.glob("*synthea*")):
        for path in sorted(folder.glob("*.json.gz"))[:most]:
            bundle = decoder.decode(gzip.decompress(path.read_bytes()))
            found.append([entry["resource"] for entry in bundle["entry"]])
    return [chart for chart in found if any(r["resourceType"] == "Patient" for r in chart)]


def hostile() -> list[dict[str, Any]]:
    """Every text that people write is an attack, and the shapes are wrong here and there."""

    def spoil(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {k: spoil(v, k) for k, v in node.items()}
        if isinstance(node, list):
            return [spoil(item, key) for item in node]
        said = key in {"text", "display", "family", "given", "title", "description", "valueString", "unit"}
        return HOSTILE if said and isinstance(node, str) else node

    spoiled: list[dict[str, Any]] = spoil(alice())
    broken = [
        {"resourceType": "Observation", "id": "b1", "code": "text", "valueQuantity": [], "category": {}},
        {"resourceType": "Condition", "id": "b2", "code": None, "clinicalStatus": [1]},
        {"resourceType": "MedicationRequest", "id": "b3", "dosageInstruction": {"text": 5}},
        {"resourceType": "Immunization", "id": "b4", "occurrenceDateTime": "yesterday", "vaccineCode": 7},
        {"resourceType": "Device", "id": "b5"},
        {"resourceType": "AllergyIntolerance", "id": "b6", "reaction": "rash", "meta": {"source": 4}},
    ]
    return [*spoiled, *broken]
