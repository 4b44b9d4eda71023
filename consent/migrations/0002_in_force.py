"""The database's own part of a consent: versions that only grow, and the last check before release."""

from django.db import migrations

# By patient: one lock for all that decides over a record.
LOCK_KEY = """
CREATE FUNCTION consent_lock_key(patient uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(patient::text, 0)
"""
# A client on trial works with made-up records only, at the last look too.
# VOLATILE, so that each statement in it sees what was committed before it began: the lock is waited
# for first and the consent is read afresh after it. In a plain WHERE clause the snapshot would be
# older than the lock, and a revoke that was just committed would go unseen.
IN_FORCE = """
CREATE FUNCTION consent_in_force(
  _patient uuid, _epoch int, _consent uuid, _version int, _token bigint, _user uuid
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(consent_lock_key(_patient));
  RETURN coalesce((SELECT e.number FROM consent_epoch e WHERE e.patient_id = _patient), 0) = _epoch
    AND (_consent IS NULL OR EXISTS (
      SELECT FROM consent_consent k
       WHERE k.id = _consent AND k.status = 'active' AND k.current_number = _version
         AND (k.period_end IS NULL OR k.period_end > clock_timestamp())
    )) AND (_token IS NULL OR EXISTS (
      SELECT FROM smart_accesstoken t JOIN smart_client c ON c.id = t.application_id
       WHERE t.id = _token AND t.expires > clock_timestamp()
         AND (c.status = 'active' OR (c.status IN ('sandbox', 'in-review') AND EXISTS (
           SELECT FROM accounts_patient p WHERE p.id = _patient AND p.is_test)))
    )) AND (_user IS NULL OR EXISTS (
      SELECT FROM accounts_user u WHERE u.id = _user AND u.is_active
    ));
END $$
"""
APPEND_ONLY = """
CREATE FUNCTION consent_versions_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'consent versions are only ever added' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER consent_version_no_change BEFORE UPDATE OR DELETE ON consent_consentversion
  FOR EACH ROW EXECUTE FUNCTION consent_versions_only_grow();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("consent", "0001_initial"),
        ("smart", "0001_initial"),
    ]
    operations = [
        migrations.RunSQL(LOCK_KEY, "DROP FUNCTION consent_lock_key"),
        migrations.RunSQL(IN_FORCE, "DROP FUNCTION consent_in_force"),
        migrations.RunSQL(
            APPEND_ONLY,
            "DROP TRIGGER consent_version_no_change ON consent_consentversion;"
            "DROP FUNCTION consent_versions_only_grow",
        ),
    ]
