"""The last look before a change is sent to an EHR: may it still go? In the statement that lets it go."""

from django.db import migrations

# VOLATILE, as consent_in_force (consent 0002): the lock that a revoke holds is waited for first, and all is
# read afresh after it. Says why not, in the log's codes; empty: it may go. "write.order" is only "not yet".
WHY_NOT = """
CREATE FUNCTION fhirproxy_why_not_sent(_command uuid) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  w fhirproxy_writecommand;
  k consent_consent;
BEGIN
  SELECT * INTO STRICT w FROM fhirproxy_writecommand WHERE id = _command;
  PERFORM pg_advisory_xact_lock_shared(consent_lock_key(w.patient_id));
  IF w.consent_id IS NOT NULL THEN
    SELECT * INTO k FROM consent_consent WHERE id = w.consent_id AND patient_id = w.patient_id;
    IF NOT FOUND THEN RETURN 'consent.none'; END IF;
    IF k.revoked_at IS NOT NULL THEN RETURN 'consent.revoked'; END IF;
    IF k.status = 'paused' THEN RETURN 'consent.paused'; END IF;
    IF k.status <> 'active' OR k.period_end <= clock_timestamp() THEN RETURN 'consent.expired'; END IF;
    IF k.current_number <> w.consent_number THEN RETURN 'consent.changed'; END IF;
  END IF;
  IF w.client_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM smart_client c WHERE c.id = w.client_id AND (c.status = 'active' OR (
      c.status IN ('sandbox', 'in-review') AND EXISTS (
        SELECT FROM accounts_patient p WHERE p.id = w.patient_id AND p.is_test)))
  ) THEN RETURN 'app.suspended'; END IF;
  IF NOT EXISTS (SELECT FROM accounts_user u WHERE u.id = w.author_id AND u.is_active) THEN
    RETURN 'account.closed';
  END IF;
  IF w.target <> '' THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('write ' || w.source_id || ' ' || w.target, 0));
  END IF;
  IF w.target <> '' AND EXISTS (
    SELECT FROM fhirproxy_writecommand o
     WHERE o.source_id = w.source_id AND o.target = w.target AND o.id <> w.id
       AND (o.status IN ('submitting', 'unknown')
            OR (o.status = 'approved' AND (o.created_at, o.id) < (w.created_at, w.id)))
  ) THEN RETURN 'write.order'; END IF;
  RETURN '';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("fhirproxy", "0002_write_events_only_grow"),
        ("consent", "0002_in_force"),
        ("smart", "0001_initial"),
        ("accounts", "0001_initial"),
    ]
    operations = [migrations.RunSQL(WHY_NOT, "DROP FUNCTION fhirproxy_why_not_sent")]
