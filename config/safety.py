"""What production does before it answers anybody: look whether something of the demo is left."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Tags, run_checks

DEMO_DOMAIN = "@demo.example"  # the addresses of the demo's log-ins, and of no real person


class UnsafeStart(SystemExit):
    """Ends the process with the reasons as its last words."""


def refuse_unsafe_start() -> None:
    """Raises UnsafeStart in production with a demo key, DEBUG, plain http or demo log-ins."""
    if settings.DEMO:
        return
    found = [m for m in run_checks(tags=[Tags.security]) if m.is_serious()]
    reasons = [f"{m.msg} {m.hint or ''}".strip() for m in found]
    if get_user_model().objects.filter(email__endswith=DEMO_DOMAIN, is_active=True).exists():
        reasons.append(f"The database has demo log-ins ({DEMO_DOMAIN}). Close or delete these accounts.")
    if reasons:
        raise UnsafeStart("Chartkey does not start:\n- " + "\n- ".join(reasons))
