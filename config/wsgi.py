"""The WSGI application that granian serves. It does not come up where it would be unsafe."""

import os

from django.core.wsgi import get_wsgi_application

from config import start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
start.begin()
