from django.db import migrations

# Codes that are under way stay good; there is no way back from a hash.
HASH = """
UPDATE smart_grant SET code = encode(sha256(convert_to(code, 'UTF8')), 'hex')
 WHERE code !~ '^[0-9a-f]{64}$'
"""


class Migration(migrations.Migration):
    dependencies = [("smart", "0007_registration")]

    operations = [migrations.RunSQL(HASH, migrations.RunSQL.noop)]
