"""Set an EHR up, or change it: it is asked what it is before anything is kept. Look at those there are."""

import sys
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from fhirproxy import health
from fhirproxy.examination import Mark, examine
from fhirproxy.models import Source

CHECK = "check"
CONCLUSIONS = {
    Mark.OK: "can be used.",
    Mark.GAP: "can be used, with gaps.",
    Mark.FAIL: "cannot be used. Cure what has failed, and check again.",
}
LIMITS = {
    "connect_timeout": float,
    "read_timeout": float,
    "deadline": float,
    "max_bytes": int,
    "max_pages": int,
    "concurrency": int,
}


class Command(BaseCommand):
    help = (
        "Set up an EHR: ehr SLUG NAME BASE_URL, with how to sign in there. A secret is read from standard "
        "input. Look at those that are set up: ehr check [SLUG]. Its exit code is 0 where all is well, 1 "
        "where something is missing, 2 where an EHR cannot be used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help=f"its name in addresses, /fhir/SLUG/r4/; or {CHECK}")
        parser.add_argument(
            "name", nargs="?", default="", help=f"what people call it; after {CHECK}, the slug"
        )
        parser.add_argument("base_url", nargs="?", default="", help="its FHIR R4 base")
        parser.add_argument("--adapter", choices=Source.Adapter.values, default=Source.Adapter.PLAIN)
        parser.add_argument("--auth", choices=Source.Auth.values, default=Source.Auth.NONE)
        parser.add_argument("--auth-id", default="", help="user name, or client_id")
        parser.add_argument("--token-url", default="", help="for SMART Backend Services")
        parser.add_argument("--scope", default="system/*.rs")
        parser.add_argument("--primary", action="store_true", help="the EHR behind /fhir/r4/")
        for limit, kind in LIMITS.items():
            parser.add_argument(f"--{limit.replace('_', '-')}", type=kind)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["slug"] == CHECK:
            self._check(options["name"])
        elif options["base_url"]:
            self._set_up(options)
        else:
            raise CommandError("Give slug, name and base_url to set an EHR up, or: ehr check [SLUG].")

    def _check(self, slug: str) -> None:
        """Exits with the worst mark."""
        sources = Source.objects.order_by("-is_primary", "slug")
        found = list(sources.filter(slug=slug) if slug else sources)
        if not found:
            names = ", ".join(sources.values_list("slug", flat=True)) or "none"
            raise CommandError(f"There is no such EHR. There are: {names}.", returncode=Mark.FAIL)
        worst = max(self._examine(source) for source in found)
        if worst:
            sys.exit(worst)

    def _examine(self, source: Source) -> Mark:
        self.stdout.write(f"{source.name} ({source.slug}), {source.base_url or 'the embedded FHIR server'}")
        worst = Mark.OK
        for step in examine(source):
            worst = max(worst, step.mark)
            self.stdout.write(f"  {step.mark.name.lower():<4}  {step.name}: {step.words}")
        self.stdout.write(f"  {source.name} {CONCLUSIONS[worst]}\n\n")
        return worst

    def _set_up(self, options: dict[str, Any]) -> None:
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
