"""The rooms of docs/architecture.md, as the habits look at them."""

from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.db.models import Model

ROOT = Path(__file__).resolve().parent.parent.parent

# Each room may know those below it (a greater number). A patient's question is an investigation, so
# portal knows compliance.
HEIGHT = {
    "demo": 0,
    "portal": 1,
    "compliance": 2,
    "exports": 3,
    "fhirproxy": 4,
    "consent": 5,
    "smart": 6,
    "accounts": 7,
    "notices": 8,
    "audit": 9,
}
ALONE = ("fhirstore", "config")
OURS = (*HEIGHT, *ALONE)


def our_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in OURS]


def our_sources() -> Iterator[Path]:
    """Every Python file of ours but migrations and tests."""
    for room in OURS:
        yield from (path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)


def our_templates() -> Iterator[tuple[str, Path]]:
    """Template name and file, for the shared folder and for what a room brings itself."""
    for folder in [ROOT / "templates", *(ROOT / room / "templates" for room in OURS)]:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".html", ".txt"}:
                yield path.relative_to(folder).as_posix(), path
