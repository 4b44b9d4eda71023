"""What every test stands on. Keep it small."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_django
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.core.management.commands import flush
from django.db.backends.postgresql.operations import DatabaseOperations
from django.http import HttpRequest

import tests.examples  # noqa: F401  how many hypothesis makes
from tests import emptying, migrated
from tests.audit import tampering


def _broken_invariants() -> list[str]:
    """I1 to I5 (docs/audit.md) of the log that a test which commits has left, whatever it was about."""
    from audit import invariants, journal

    try:
        return invariants.broken()
    except journal.BadJournal as error:
        return [str(error)]


@pytest.fixture(scope="session", autouse=True)
def _log_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Transactional tests end in a flush, and the audit log refuses to be emptied. So the flush, and
    nothing else, empties it (tests.emptying); it starts a new anchor file and new journals too. Every
    test sees the database as production has it."""
    anchor = tmp_path_factory.mktemp("audit") / "checkpoints.txt"

    def empty(self: DatabaseOperations, sql_list: list[str]) -> None:
        broken = [] if tampering.tampered else _broken_invariants()
        tampering.tampered = False
        emptying.empty(self.connection)
        Path(settings.AUDIT_ANCHOR_FILE).unlink(missing_ok=True)
        from audit import journal, sealed

        journal.close()
        sealed.forget()
        for path in journal.files():
            path.unlink()
        assert not broken, f"the audit log that this test left: {broken}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "AUDIT_ANCHOR_FILE", anchor)
        patch.setattr(settings, "AUDIT_JOURNAL_FOLDER", anchor.parent / "journal")
        patch.setattr(DatabaseOperations, "execute_sql_flush", empty)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_: None)  # what it would make stays
        yield


@pytest.fixture(autouse=True)
def _no_journal_of_what_was_rolled_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test in a transaction can run callbacks as if it had committed: their lines are of no event."""
    yield
    marker = request.node.get_closest_marker("django_db")
    commits = "transactional_db" in request.fixturenames or "live_server" in request.fixturenames
    if marker is None or commits or marker.kwargs.get("transaction"):
        return
    from audit import journal

    if files := journal.files():
        journal.close()
        for path in files:
            path.unlink()


def _as_if_signed_in(request: HttpRequest, user: AbstractBaseUser, **kwargs: object) -> None:
    """What `Client.force_login` leaves out: how the person proved who they are, just now, by password."""
    from allauth.account.internal.flows.login import get_authentication_records, record_authentication

    if not get_authentication_records(request, user):
        record_authentication(request, user, "password")


@pytest.fixture(scope="session", autouse=True)
def _signed_in_by_force() -> None:
    user_logged_in.connect(_as_if_signed_in)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The database of this process (xdist gives each a name) is new in each run."""
    default = settings.DATABASES["default"]
    migrated.copy(default["HOST"], default["TEST"]["NAME"] or f"test_{default['NAME']}")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> None:
    """What is copied may be of an earlier month; it needs its next partitions."""
    from audit import partitions

    with django_db_blocker.unblock():
        partitions.ensure()
