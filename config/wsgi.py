"""The WSGI application that granian serves. It does not come up where it would be unsafe, and looks first
whether the audit log is as long as it was."""

import os

from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import import_string

from config.safety import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
refuse_unsafe_start()
import_string("audit.truncation.look_at_start")()
