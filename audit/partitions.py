"""Monthly partitions of the log. Made ahead: without one nothing is recorded, nor released."""

from django.db import connection


def ensure(months_ahead: int = 3) -> list[str]:
    """Make the partitions of this month and the next ones that are missing; return their names.

    The database function runs with the owner's rights, so that the application role,
    which may only read and insert, can have them made (migration 0001).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_make_partitions(%s)", [months_ahead])
        return [name for (name,) in cursor.fetchall()]
