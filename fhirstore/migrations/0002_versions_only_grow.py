"""A version of a resource is added, never changed: by trigger for everybody, by right for the app's role.

TRUNCATE is the owner's alone, who needs it to empty a database of tests.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION fhirstore_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'versions only grow: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER fhirstore_version_no_change BEFORE UPDATE OR DELETE ON fhirstore_version
  FOR EACH STATEMENT EXECUTE FUNCTION fhirstore_refuse_change();
"""

# A role that is made later has no right here to take away.
RIGHTS = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'chartkey_app') THEN
    REVOKE ALL ON fhirstore_version FROM PUBLIC, chartkey_app;
    GRANT SELECT, INSERT ON fhirstore_version TO chartkey_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("fhirstore", "0001_initial")]
    operations = [
        migrations.RunSQL(REFUSE, "DROP FUNCTION fhirstore_refuse_change() CASCADE"),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
