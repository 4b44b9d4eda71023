"""The WSGI application that granian serves. It does not come up where it would be unsafe."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from config import start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
start.begin()
gc.collect()
gc.freeze()  # what is loaded by now stays: looking through all of it again would hold up an answer
