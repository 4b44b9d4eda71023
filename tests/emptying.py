"""How the database is emptied after a test that commits: what has rows, and quickly.

Django's flush truncates each of its 110 tables and then writes content types and permissions anew, 200 ms of
CPU at each of some hundred tests. A row that is deleted costs less than a table that is truncated, and what a
migration made and no test changes can stay.
"""

from functools import cache

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

STAY = ("django_content_type", "auth_permission")
# Triggers and foreign keys do not hold a superuser who says this, for this transaction alone. So the audit
# log, which refuses to be emptied, is: by nobody that the site, or any test, connects as.
UNHELD = "SET LOCAL session_replication_role = replica"
FILLED = """
SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace
   AND CASE relkind WHEN 'p' THEN (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(oid))
                    ELSE pg_relation_size(oid) END > 0
"""


def empty(connection: BaseDatabaseWrapper) -> None:
    """Delete each row of each model's table, of the connection's database."""
    names = [name for name in connection.introspection.django_table_names() if name not in STAY]
    place = connection.settings_dict["HOST"], connection.settings_dict["NAME"]
    try:
        _delete(_superuser(*place), names)
    except psycopg.OperationalError:  # a test has ended all connections, this one too
        _superuser.cache_clear()
        _delete(_superuser(*place), names)


def _delete(superuser: psycopg.Connection, names: list[str]) -> None:
    with superuser.transaction():
        superuser.execute(UNHELD)
        for (name,) in superuser.execute(FILLED, [names]).fetchall():
            superuser.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))


@cache
def _superuser(host: str, database: str) -> psycopg.Connection:
    """Kept, since what a new one learns of so many tables is most of its work."""
    return psycopg.connect(host=host, dbname=database, user="postgres", autocommit=True)
