"""The history of a relationship only grows."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION relation_changes_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'steps of a relationship are only ever added' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER relation_change_no_change BEFORE UPDATE OR DELETE ON accounts_relatedpersonchange
  FOR EACH ROW EXECUTE FUNCTION relation_changes_only_grow();
"""
UNDO = """
DROP TRIGGER relation_change_no_change ON accounts_relatedpersonchange;
DROP FUNCTION relation_changes_only_grow;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(APPEND_ONLY, UNDO)]
