#!/usr/bin/env python
"""Django's command-line entry point."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.management import execute_from_command_line

    from config.safety import SERVES, refuse_unsafe_start

    if SERVES.intersection(sys.argv[1:2]):
        django.setup()
        refuse_unsafe_start()
    execute_from_command_line(sys.argv)
