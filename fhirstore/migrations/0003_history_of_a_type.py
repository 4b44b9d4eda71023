"""The history of a type: versions know their type, and both tables are indexed by time, deleted ones too."""

import django.contrib.postgres.indexes
from django.db import migrations, models

FILL = """
ALTER TABLE fhirstore_version DISABLE TRIGGER fhirstore_version_no_change;
UPDATE fhirstore_version v SET type = r.type FROM fhirstore_resource r WHERE r.key = v.resource_id;
ALTER TABLE fhirstore_version ENABLE TRIGGER fhirstore_version_no_change;
"""


class Migration(migrations.Migration):
    atomic = True
    dependencies = [("fhirstore", "0002_versions_only_grow")]
    operations = [
        migrations.AddField("version", "type", models.CharField(default="", max_length=40), preserve_default=False),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            "version",
            models.Index(fields=["type", "last_updated", "resource", "version"], name="version_updated"),
        ),
        migrations.RemoveIndex("resource", "resource_updated"),
        migrations.AddIndex(
            "resource", models.Index(fields=["type", "last_updated", "key"], name="resource_updated")
        ),
    ]
