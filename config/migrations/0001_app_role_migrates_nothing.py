"""Which migrations have run is the owner's to say. The table is Django's own, so that no room owns it."""

from django.db import migrations

RIGHTS = """
REVOKE ALL ON django_migrations FROM PUBLIC, chartkey_app;
GRANT SELECT ON django_migrations TO chartkey_app;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]  # which makes the role
    operations = [migrations.RunSQL(RIGHTS, "GRANT INSERT, UPDATE, DELETE ON django_migrations TO chartkey_app")]
