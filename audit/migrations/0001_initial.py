"""The log: a table partitioned by month, its leaves and checkpoints, and what keeps them append-only.

Plain SQL where Django has no word for it: partitions, triggers, rights.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

import audit.models

ROLE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'chartkey_app') THEN
    CREATE ROLE chartkey_app;
  END IF;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
"""

EVENT_TABLE = """
CREATE TABLE audit_event (
  id uuid NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  recorded_at timestamptz NOT NULL,
  type text NOT NULL,
  outcome text NOT NULL,
  actor text NOT NULL,
  on_behalf_of text NOT NULL,
  role text NOT NULL,
  patient text NOT NULL,
  client text NOT NULL,
  interaction text NOT NULL,
  resource_types text[] NOT NULL,
  categories text[] NOT NULL,
  purpose text NOT NULL,
  reasons text[] NOT NULL,
  consent text NOT NULL,
  consent_number integer,
  count integer,
  target text NOT NULL,
  correlation_id text NOT NULL,
  payload text NOT NULL,
  leaf bytea NOT NULL CHECK (octet_length(leaf) = 32),
  writer_mac bytea NOT NULL CHECK (octet_length(writer_mac) = 32),
  PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX audit_patient ON audit_event (patient, recorded_at DESC, id DESC);
CREATE INDEX audit_order ON audit_event (xid, id);
CREATE INDEX audit_correlation ON audit_event (correlation_id);
CREATE INDEX audit_client ON audit_event (client, recorded_at);
"""

# Row triggers of a partitioned table reach its partitions by themselves; TRUNCATE triggers do not,
# so that audit_make_partitions puts one on each.
REFUSE = """
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log only grows: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER log_leaf_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaf
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER checkpoint_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
"""

# With the owner's rights, since the application role makes no tables; bounded, so that it can do no
# harm. ATTACH takes a lock that inserts do not wait on, as CREATE ... PARTITION OF would.
PARTITIONS = """
CREATE FUNCTION audit_make_partitions(months_ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  month timestamp;
  part text;
BEGIN
  IF months_ahead NOT BETWEEN 0 AND 24 THEN
    RAISE EXCEPTION 'months_ahead is %; it takes 0 to 24', months_ahead;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('audit_make_partitions', 0));
  FOR month IN SELECT generate_series(
    date_trunc('month', now() AT TIME ZONE 'UTC' - interval '1 day'),
    date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => months_ahead),
    interval '1 month')
  LOOP
    part := 'audit_event_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE audit_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, chartkey_app', part);
    EXECUTE format('CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()', part);
    EXECUTE format('ALTER TABLE audit_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, month || '+00', month + interval '1 month' || '+00');
    RETURN NEXT part;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION audit_make_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_make_partitions(integer) TO chartkey_app;
SELECT audit_make_partitions(3);
"""

RIGHTS = """
REVOKE ALL ON audit_event, log_leaf, checkpoint FROM PUBLIC, chartkey_app;
GRANT SELECT, INSERT ON audit_event, log_leaf, checkpoint TO chartkey_app;
"""


def codes():
    return django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)


AUDIT_EVENT = migrations.CreateModel(
    name="AuditEvent",
    fields=[
        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
        ("xid", audit.models.XidField(db_default=models.Func(function="pg_current_xact_id"))),
        ("recorded_at", models.DateTimeField()),
        ("type", models.TextField()),
        ("outcome", models.TextField()),
        ("actor", models.TextField()),
        ("on_behalf_of", models.TextField()),
        ("role", models.TextField()),
        ("patient", models.TextField()),
        ("client", models.TextField()),
        ("interaction", models.TextField()),
        ("resource_types", codes()),
        ("categories", codes()),
        ("purpose", models.TextField()),
        ("reasons", codes()),
        ("consent", models.TextField()),
        ("consent_number", models.IntegerField(null=True)),
        ("count", models.IntegerField(null=True)),
        ("target", models.TextField()),
        ("correlation_id", models.TextField()),
        ("payload", models.TextField()),
        ("leaf", models.BinaryField()),
        ("writer_mac", models.BinaryField()),
    ],
    options={
        "db_table": "audit_event",
        "indexes": [
            models.Index(fields=["patient", "-recorded_at", "-id"], name="audit_patient"),
            models.Index(fields=["xid", "id"], name="audit_order"),
            models.Index(fields=["correlation_id"], name="audit_correlation"),
            models.Index(fields=["client", "recorded_at"], name="audit_client"),
        ],
    },
)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(ROLE, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(EVENT_TABLE, "DROP TABLE audit_event")],
            state_operations=[AUDIT_EVENT],
        ),
        migrations.CreateModel(
            name="LogLeaf",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField(db_index=True)),
                ("xid", audit.models.XidField()),
                ("leaf", models.BinaryField()),
            ],
            options={"db_table": "log_leaf"},
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root", models.BinaryField()),
                ("frontier", models.BinaryField()),
                ("note", models.TextField()),
                ("made_at", models.DateTimeField()),
            ],
            options={"db_table": "checkpoint"},
        ),
        migrations.RunSQL(REFUSE, "DROP FUNCTION audit_refuse_change() CASCADE"),
        migrations.RunSQL(PARTITIONS, "DROP FUNCTION audit_make_partitions(integer)"),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
