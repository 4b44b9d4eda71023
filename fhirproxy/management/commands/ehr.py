"""Set an EHR up, or change it: it is asked what it is before anything is kept."""

import sys
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fhirproxy import health
from fhirproxy.models import Source

LIMITS = {
    "connect_timeout": float,
    "read_timeout": float,
    "deadline": float,
    "max_bytes": int,
    "max_pages": int,
    "concurrency": int,
}


class Command(BaseCommand):
    help = "Set up an EHR: name, FHIR base and how to sign in there. A secret is read from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="its name in addresses: /fhir/SLUG/r4/")
        parser.add_argument("name", help="what people call it")
        parser.add_argument("base_url", help="its FHIR R4 base")
        parser.add_argument("--adapter", choices=Source.Adapter.values, default=Source.Adapter.PLAIN)
        parser.add_argument("--auth", choices=Source.Auth.values, default=Source.Auth.NONE)
        parser.add_argument("--auth-id", default="", help="user name, or client_id")
        parser.add_argument("--token-url", default="", help="for SMART Backend Services")
        parser.add_argument("--scope", default="system/*.rs")
        parser.add_argument("--primary", action="store_true", help="the EHR behind /fhir/r4/")
        for limit, kind in LIMITS.items():
            parser.add_argument(f"--{limit.replace('_', '-')}", type=kind)

    def handle(self, *args: Any, **options: Any) -> None:
        source = Source.objects.filter(slug=options["slug"]).first() or Source(slug=options["slug"])
        source.kind = Source.Kind.HTTP
        for name in ("name", "base_url", "adapter", "auth", "auth_id", "token_url", "scope"):
            setattr(source, name, options[name])
        for name in LIMITS:
            if options[name] is not None:
                setattr(source, name, options[name])
        source.is_primary = source.is_primary or options["primary"]
        if source.auth != Source.Auth.NONE:
            source.keep_secret(_secret())
        try:
            source.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        finding = health.check(source)
        if finding.state != health.UP:
            raise CommandError(f"{finding.problem} Nothing was kept.")
        source.types = finding.types
        source.save()
        self.stdout.write(f"{source.name} answers, with {len(finding.types.split())} types of resources.")


def _secret() -> str:
    """The password, or the private key as a JWK."""
    return getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.read().strip()
