"""What keeps the log besides itself: tree nodes, anchors, journals, its state, and keys that can be destroyed.

While the log's newest state holds, a trigger lets only reads of one's own record, sign-ins and denials in:
nothing is changed or given to others before somebody has looked.
"""

from django.db import migrations, models

GUARDS = """
CREATE TRIGGER log_node_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_node
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_anchor_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_anchor
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_journal_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_journal
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_state_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_state
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

CREATE FUNCTION audit_refuse_on_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT holds FROM audit_state ORDER BY id DESC LIMIT 1)
     AND NOT (NEW.type LIKE 'session:%' OR NEW.type LIKE 'audit:%' OR NEW.outcome IN ('deny', 'failed')
              OR (NEW.outcome = 'permit' AND NEW.role = 'patient' AND NEW.type LIKE 'record:%')) THEN
    RAISE EXCEPTION 'the audit log is on hold: manage.py audit_acknowledge' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_event_on_hold BEFORE INSERT ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_on_hold();

REVOKE ALL ON log_node, audit_anchor, audit_journal, audit_state, audit_key FROM PUBLIC, chartkey_app;
GRANT SELECT, INSERT ON log_node, audit_anchor, audit_journal, audit_state, audit_key TO chartkey_app;
"""
UNGUARD = """
DROP TRIGGER audit_event_on_hold ON audit_event;
DROP FUNCTION audit_refuse_on_hold();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="LogNode",
            fields=[
                ("pk", models.CompositePrimaryKey("level", "index", blank=True, editable=False, primary_key=True, serialize=False)),
                ("level", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField()),
            ],
            options={"db_table": "log_node"},
        ),
        migrations.CreateModel(
            name="Anchor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("target", models.TextField()),
                ("size", models.BigIntegerField()),
                ("note", models.TextField()),
                ("at", models.DateTimeField(db_default=models.functions.Now())),
            ],
            options={
                "db_table": "audit_anchor",
                "indexes": [models.Index(fields=["target", "-size"], name="audit_anchor_newest")],
            },
        ),
        migrations.CreateModel(
            name="Journal",
            fields=[
                ("pk", models.CompositePrimaryKey("name", "state", blank=True, editable=False, primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("state", models.TextField()),
                ("lines", models.BigIntegerField()),
                ("at", models.DateTimeField(db_default=models.functions.Now())),
            ],
            options={"db_table": "audit_journal"},
        ),
        migrations.CreateModel(
            name="LogState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("state", models.TextField()),
                ("holds", models.BooleanField()),
                ("what", models.TextField()),
                ("kept", models.BigIntegerField(null=True)),
                ("expected", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField(db_default=models.functions.Now())),
            ],
            options={"db_table": "audit_state"},
        ),
        migrations.CreateModel(
            name="DetailKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("subject", models.TextField(db_index=True)),
                ("salt", models.BinaryField()),
            ],
            options={"db_table": "audit_key"},
        ),
        migrations.RunSQL(GUARDS, UNGUARD),
    ]
