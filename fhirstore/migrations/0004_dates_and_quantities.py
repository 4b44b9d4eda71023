"""Indexes by which dates and quantities of all patients are found without walking what else there is."""

from django.db import migrations, models

# The terms are many and mostly rare: with more of them in the statistics, a rare one is known for rare.
STATISTICS = "ALTER TABLE fhirstore_resource ALTER COLUMN terms SET STATISTICS 500"
# LEAST and GREATEST: a period that ends before it starts, which a record can hold, must not stop a write.
DATES = """
CREATE INDEX resource_dates ON fhirstore_resource
  USING gist (tstzrange(LEAST(date_low, date_high), GREATEST(date_low, date_high), '[]'))
  WHERE NOT deleted AND date_high IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("fhirstore", "0003_history_of_a_type")]
    operations = [
        migrations.RunSQL(STATISTICS, "ALTER TABLE fhirstore_resource ALTER COLUMN terms SET STATISTICS -1"),
        migrations.RemoveIndex("resource", "resource_date_high"),
        migrations.AddIndex(
            "resource",
            models.Index(
                condition=models.Q(("deleted", False)),
                fields=["type", "date_low", "key"],
                name="resource_date",
            ),
        ),
        migrations.RunSQL(DATES, "DROP INDEX resource_dates"),
        migrations.AddIndex(
            "quantityrow", models.Index(fields=["param", "high"], name="quantity_param_high")
        ),
        migrations.AddIndex("daterow", models.Index(fields=["param", "low"], name="date_param_low")),
    ]
