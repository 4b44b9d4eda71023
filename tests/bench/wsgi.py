"""What the bench's web server runs: config.wsgi with the addresses of tests.bench.site added.

Each request pays one function call more than in production, and each call of the store another.
"""

import os

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = "tests.bench.site"
settings.MIDDLEWARE = ["tests.bench.site.front", *settings.MIDDLEWARE]
settings.FHIRSTORE_ENTRY_POINT = "tests.bench.site.store"

from config.wsgi import application  # noqa: E402  it reads these settings

__all__ = ["application"]
