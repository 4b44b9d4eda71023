"""What the application's role may do in a clinic's database, and which programs refuse another role."""

import psycopg
import pytest

from config.embedded import APP, OWNER

GROW_ONLY = {
    *("audit_event", "log_leaf", "checkpoint"),
    *("fhirproxy_writeevent", "fhirstore_version"),
}
CELERY = ("-m", "celery", "-A", "config.celery")
PROGRAMS = {
    "web": ("-c", "import config.wsgi"),
    "worker": (*CELERY, "worker", "--pool", "solo"),
    "scheduler": (*CELERY, "beat", "--pidfile="),
    "sequencer": ("manage.py", "audit_sequence", "--once"),
}
CHANGEABLE = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
  AND has_table_privilege(%s, oid, 'UPDATE, DELETE, TRUNCATE')
"""


def test_A24_the_app_role_changes_no_row_of_tables_that_only_grow(installation):
    with installation.connected_as(APP) as app:
        changeable = {name for (name,) in app.execute(CHANGEABLE, [APP])}

    assert "consent_consent" in changeable  # it is the role of the site, which can do its work
    assert not changeable & {*GROW_ONLY, "django_migrations"}


def test_the_app_role_does_not_say_which_migrations_have_run(installation):
    with installation.connected_as(APP) as app:
        assert app.execute("SELECT count(*) FROM django_migrations").fetchone() > (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('audit', '0002', now())")


@pytest.mark.parametrize("table", ["fhirproxy_writeevent", "fhirstore_version"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET body = ''", "DELETE FROM {}"])
def test_A24_the_owner_is_stopped_by_the_trigger(installation, table, sql):
    statement = sql.format(table).replace("body", "status" if "write" in table else "body")
    with (
        installation.connected_as(OWNER) as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege) as refused,
    ):
        owner.execute(statement)

    assert "only grow" in str(refused.value)


@pytest.mark.parametrize("program", PROGRAMS)
def test_A27_no_program_of_the_site_starts_as_the_owner(installation, program):
    ended = installation.run(*PROGRAMS[program], role=OWNER)

    assert ended.returncode == 1
    assert "the role that owns audit_event" in ended.stderr


def test_A27_no_program_starts_as_a_superuser(installation):
    ended = installation.run(*PROGRAMS["sequencer"], role="postgres")

    assert ended.returncode == 1
    assert "a superuser" in ended.stderr


@pytest.mark.parametrize("program", ["worker", "scheduler", "sequencer"])
def test_A27_no_program_starts_with_a_key_of_the_demo(installation, program):
    ended = installation.run(*PROGRAMS[program], AUDIT_MAC_KEY=(b"demo" + bytes(range(28))).hex())

    assert ended.returncode == 1
    assert "AUDIT_MAC_KEY is the demo's" in ended.stderr


@pytest.mark.parametrize("program", ["web", "sequencer"])
def test_the_site_starts_as_the_app_role_with_keys_of_its_own(installation, program):
    started = installation.run(*PROGRAMS[program])

    assert started.returncode == 0, started.stderr
