"""What production does before it answers anybody: look whether it would be safe to."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Tags, run_checks
from django.db import connection

DEMO_DOMAIN = "@demo.example"  # the addresses of the demo's log-ins, and of no real person
SERVES = frozenset({"audit_sequence"})  # the manage.py commands that are a part of the running site

# Whether this role could take the audit log's guards off: as its owner or one of its members, or a superuser.
ROLE = """
SELECT rolsuper, pg_has_role(rolname, relowner, 'MEMBER')
FROM pg_roles, pg_class WHERE rolname = session_user AND pg_class.oid = to_regclass('audit_event')
"""


class UnsafeStart(SystemExit):
    """Ends the process with the reasons as its last words."""


def refuse_unsafe_start() -> None:
    """For every program of the running site: web, worker, scheduler, sequencer.

    Raises UnsafeStart in production with a key of the demo's or of no worth, DEBUG, plain http, demo
    log-ins, or a database role that could change the audit log. Not for the owner's `migrate`.
    """
    if settings.DEMO:
        return
    found = [m for m in run_checks(tags=[Tags.security]) if m.is_serious()]
    reasons = [f"{m.msg} {m.hint or ''}".strip() for m in found]
    reasons += _in_the_database()
    if reasons:
        raise UnsafeStart("Chartkey does not start:\n- " + "\n- ".join(reasons))


def _in_the_database() -> Iterator[str]:
    if get_user_model().objects.filter(email__endswith=DEMO_DOMAIN, is_active=True).exists():
        yield f"The database has demo log-ins ({DEMO_DOMAIN}). Close or delete these accounts."
    with connection.cursor() as cursor:
        cursor.execute(ROLE)
        is_superuser, may_be_owner = cursor.fetchone()
    if is_superuser:
        yield "DATABASE_URL names a superuser. Use chartkey_app."
    elif may_be_owner:
        yield "DATABASE_URL names the role that owns audit_event, or a member of it. Use chartkey_app."
