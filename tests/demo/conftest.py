"""`seeded`: the demo population in the database, made once for a module and gone after it."""

from collections.abc import Iterator
from io import StringIO

import pytest
import pytest_django
from django.core.management import call_command
from django.db import transaction


def seed(*arguments: str) -> str:
    """What `manage.py demo_seed` prints."""
    out = StringIO()
    call_command("demo_seed", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def seeded(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[str]:
    """Seeded as of Monday, 9 March 2026; the value is what the command printed.

    Each test's own transaction is a savepoint inside this one.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield seed("--today", "2026-03-09")
        transaction.set_rollback(True)
