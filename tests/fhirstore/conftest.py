from collections.abc import Iterator

import pytest
from django.db import connection

TABLES = (
    "fhirstore_resource, fhirstore_version, fhirstore_daterow, fhirstore_stringrow, fhirstore_quantityrow"
)


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """A database that other threads see into: what is written stays until the test ends."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {TABLES}")
            connection.close()
