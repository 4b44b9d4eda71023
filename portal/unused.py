"""What an app may see and has not looked at for long: offered for less when its person is asked again."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from consent.models import Consent

# Read from the log when somebody is asked, which is rare; so that no read has to be noted by itself.
LOOKED_AT = """
SELECT DISTINCT category FROM audit_event e, unnest(e.categories) category
 WHERE e.patient = %s AND e.consent = %s AND e.outcome = 'permit' AND e.recorded_at > %s
"""


def unused(consent: Consent, *, at: datetime | None = None) -> tuple[frozenset[str], datetime]:
    """Categories of which nothing was let out to its client since a moment, and that moment.

    None, as long as what was chosen last is younger than UNUSED_AFTER_DAYS.
    """
    since = (at or timezone.now()) - timedelta(days=settings.UNUSED_AFTER_DAYS)
    current = consent.current
    if current.made_at > since:
        return frozenset(), since
    with connection.cursor() as cursor:
        cursor.execute(LOOKED_AT, [f"Patient/{consent.patient_id}", f"Consent/{consent.pk}", since])
        looked_at = {category for (category,) in cursor.fetchall()}
    return frozenset(current.permit.categories) - looked_at, since
