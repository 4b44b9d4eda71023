"""Give one of the demo's staff an app for codes, and print the code that it shows now.

What staff do in an emergency takes a passkey or a code, and no password. From then on this person also
signs in with a code.
"""

import time
from argparse import ArgumentParser
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from demo.people import STAFF, STAFF_SECRET


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", nargs="?", default="dr.osei@demo.example")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"]
        if not settings.DEMO or email not in {login.email for login, _ in STAFF}:
            raise CommandError("Only the demo's own staff get an app for codes in this way.")
        user = User.objects.get(email=email)
        if not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
            auth.TOTP.activate(user, STAFF_SECRET)
        period = app_settings.TOTP_PERIOD
        code = auth.format_hotp_value(auth.hotp_value(STAFF_SECRET, int(time.time()) // period))
        self.stdout.write(f"{code}  ({email}; each code works once, for about {period} seconds)")
