from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("fhirstore", "0003_dates")]
    operations = [
        migrations.AddField("resource", "stamp", models.BigIntegerField(null=True)),
    ]
