"""Every field is classified, and no name of an object carries what identifies a person."""

import datetime
import uuid

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import models

from tests.habits.rooms import our_models

MARKER = "Marker-4711"
MARKERS: dict[type[models.Field], object] = {
    models.DateTimeField: datetime.datetime(1903, 2, 1, tzinfo=datetime.UTC),
    models.DateField: datetime.date(1903, 2, 1),
    models.JSONField: {"name": MARKER},
    models.BinaryField: MARKER.encode(),
    models.UUIDField: uuid.UUID(int=0x4711),
    models.EmailField: f"{MARKER}@example.org",
    models.CharField: MARKER,
    models.TextField: MARKER,
    models.IntegerField: 4711,
    models.FloatField: 4711.5,
    ArrayField: [MARKER],
}


def field_names(model: type[models.Model]) -> list[str]:
    return [field.name for field in (*model._meta.concrete_fields, *model._meta.many_to_many)]


def marker_for(field: models.Field) -> object:
    return next(value for kind, value in MARKERS.items() if isinstance(field, kind))


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_every_field_is_phi_or_safe(model):
    assert sorted((*model.Phi.fields, *model.Phi.safe)) == sorted(field_names(model))


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_the_name_of_an_object_shows_no_phi(model):
    values = {name: marker_for(model._meta.get_field(name)) for name in model.Phi.fields}

    name = str(model(**values))

    assert [value for value in values.values() if str(value) in name or MARKER in name] == []
