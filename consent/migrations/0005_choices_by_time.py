"""A bulk export asks, at each status and file, who chose something since it began."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("consent", "0004_merge_proposal")]
    operations = [
        AddIndexConcurrently(
            "consentversion", models.Index(fields=["made_at"], name="consent_version_made_at")
        ),
    ]
