"""Foreign keys keep to the layers that import-linter holds for imports."""

import pytest
from django.db import models

from tests.habits.rooms import ALONE, HEIGHT, our_models

LIBRARIES = {"auth", "contenttypes", "sessions", "oauth2_provider"}  # frames that a model may stand on


def relations() -> list[tuple[type[models.Model], models.Field]]:
    return [
        (model, field)
        for model in our_models()
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.is_relation
    ]


def points_down(room: str, target: str) -> bool:
    if target == room or target in LIBRARIES:
        return True
    if room in ALONE or target in ALONE:
        return False
    return HEIGHT.get(target, -1) > HEIGHT[room]


@pytest.mark.parametrize(
    ("room", "target", "allowed"),
    [
        ("consent", "smart", True),
        ("consent", "consent", True),
        ("accounts", "auth", True),
        ("smart", "consent", False),
        ("portal", "compliance", True),
        ("compliance", "portal", False),
        ("fhirproxy", "fhirstore", False),
        ("fhirstore", "audit", False),
        ("consent", "account", False),  # allauth's tables are reached through accounts
    ],
)
def test_points_down(room, target, allowed):
    assert points_down(room, target) is allowed


def test_foreign_keys_point_down():
    upwards = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model, field in relations()
        if not points_down(model._meta.app_label, field.related_model._meta.app_label)
    ]

    assert relations()
    assert upwards == []


def test_audit_points_at_nothing():
    assert [field.name for model, field in relations() if model._meta.app_label == "audit"] == []
