"""What happened to a write is added to, never changed: by trigger for everybody, by right for the app's role.

TRUNCATE is the owner's alone, who needs it to empty a database of tests.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION fhirproxy_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'write events only grow: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER fhirproxy_writeevent_no_change BEFORE UPDATE OR DELETE ON fhirproxy_writeevent
  FOR EACH STATEMENT EXECUTE FUNCTION fhirproxy_refuse_change();
REVOKE ALL ON fhirproxy_writeevent FROM PUBLIC, chartkey_app;
GRANT SELECT, INSERT ON fhirproxy_writeevent TO chartkey_app;
"""
UNDO = "DROP FUNCTION fhirproxy_refuse_change() CASCADE; GRANT UPDATE, DELETE ON fhirproxy_writeevent TO chartkey_app"


class Migration(migrations.Migration):
    dependencies = [
        ("fhirproxy", "0001_initial"),
        ("audit", "0001_initial"),  # which makes the role
    ]
    operations = [migrations.RunSQL(REFUSE, UNDO)]
