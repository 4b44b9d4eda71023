"""Set an EHR up, or change it: it is asked what it is before anything is kept. Look at those there are.

Each change is an event of the log.
"""

import sys
from collections.abc import Iterator
from getpass import getpass
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import ProtectedError

from accounts.models import PatientIdentity
from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from fhirproxy import health
from fhirproxy.examination import Mark, examine
from fhirproxy.models import Source
from fhirproxy.upstream import credentials

CHECK, REMOVE = "check", "remove"
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
# Where a change says nothing of these, they stay; a new EHR has the model's own.
KEPT = ("adapter", "auth", "auth_id", "token_url", "scope", *LIMITS)
LABELS = {"slug": "SLUG", "name": "NAME", "base_url": "BASE_URL", "token_url": "--token-url"}


class Command(BaseCommand):
    help = (
        "Set up an EHR: ehr SLUG NAME BASE_URL, with how to sign in there. A secret is read from standard "
        "input. Look at those that are set up: ehr check [SLUG]. Its exit code is 0 where all is well, 1 "
        "where something is missing, 2 where an EHR cannot be used. Take one away: ehr remove SLUG."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help=f"its name in addresses, /fhir/SLUG/r4/; or {CHECK}, or {REMOVE}")
        parser.add_argument(
            "name", nargs="?", default="", help=f"what people call it; after {CHECK} and {REMOVE}, the slug"
        )
        parser.add_argument("base_url", nargs="?", default="", help="its FHIR R4 base")
        parser.add_argument("--adapter", choices=Source.Adapter.values)
        parser.add_argument("--auth", choices=Source.Auth.values)
        parser.add_argument("--auth-id", help="user name, or client_id")
        parser.add_argument("--token-url", help="for SMART Backend Services")
        parser.add_argument("--scope")
        parser.add_argument("--primary", action="store_true", help="the EHR behind /fhir/r4/")
        parser.add_argument(
            "--same-records", action="store_true", help="at the new address, ids are as before"
        )
        for limit, kind in LIMITS.items():
            parser.add_argument(f"--{limit.replace('_', '-')}", type=kind)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["slug"] == CHECK:
            self._check(options["name"])
        elif options["slug"] == REMOVE:
            self._remove(options["name"])
        elif options["base_url"]:
            self._set_up(options)
        else:
            raise CommandError("Set one up: ehr SLUG NAME BASE_URL. Or: ehr check [SLUG], ehr remove SLUG.")

    def _check(self, slug: str) -> None:
        """Exits with the worst mark."""
        found = list(
            Source.objects.filter(slug=slug) if slug else Source.objects.order_by("-is_primary", "slug")
        )
        if not found:
            raise _no_such()
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

    @transaction.atomic
    def _remove(self, slug: str) -> None:
        """Only one that nobody's record rests on: what was joined is undone first, by who can say why."""
        source = Source.objects.filter(slug=slug).first()
        if source is None:
            raise _no_such()
        if source.is_primary:
            raise CommandError(f"{source.name} is the primary EHR: apps know patients by its ids. It stays.")
        if joined := _joined(source):
            raise CommandError(f"{joined} {source.name} stays. Undo these links first (docs/identities.md).")
        _log(source, "remove")
        try:
            source.delete()
        except ProtectedError:
            raise CommandError(f"Changes to records were sent to {source.name}. It stays.") from None
        self.stdout.write(f"{source.name} is gone. Nothing was changed there.")

    def _set_up(self, options: dict[str, Any]) -> None:
        source = Source.objects.filter(slug=options["slug"]).first() or Source(slug=options["slug"])
        if source.kind == Source.Kind.EMBEDDED:
            raise CommandError(f"{source.slug} is the embedded server. Give the other EHR a slug of its own.")
        source.kind, before = Source.Kind.HTTP, source.auth
        moves = not source._state.adding and source.base_url.rstrip("/") != options["base_url"].rstrip("/")
        if moves and not options["same_records"] and (joined := _joined(source)):
            raise CommandError(
                f"{joined} At another address the same ids may be somebody else's. Nothing was kept. Where "
                "it is the same EHR that moved, say --same-records; another EHR gets a slug of its own."
            )
        for name in ("name", "base_url"):
            setattr(source, name, options[name])
        for name in KEPT:
            if options[name] is not None:
                setattr(source, name, options[name])
        source.is_primary = source.is_primary or options["primary"]
        if source.auth != Source.Auth.NONE and (
            secret := _secret(source, kept=bool(source.secret) and source.auth == before)
        ):
            source.keep_secret(secret)
        if problems := list(_problems(source)):
            raise CommandError(f"{' '.join(problems)} Nothing was kept.")
        finding = health.check(source)
        if finding.state != health.UP:
            raise CommandError(f"{finding.problem} Nothing was kept.")
        source.types = finding.types
        with transaction.atomic():
            source.save()
            _log(source, "set-up")
        count = len(finding.types.split())
        self.stdout.write(
            f"{source.name} answers, with {count} type{'s' * (count != 1)} of resources. "
            f"What is missing: ehr check {source.slug}"
        )


def _no_such() -> CommandError:
    names = ", ".join(Source.objects.order_by("-is_primary", "slug").values_list("slug", flat=True)) or "none"
    return CommandError(f"There is no such EHR. There are: {names}.", returncode=Mark.FAIL)


def _joined(source: Source) -> str:
    """How many patients' records are linked there, as a sentence; empty where none is."""
    count = PatientIdentity.objects.filter(source=source.slug).count()
    return (
        f"{count} patient{'s have' if count != 1 else ' has'} a record joined from {source.name}."
        if count
        else ""
    )


def _log(source: Source, change: str) -> None:
    record(
        Entry(
            type=EventType.ADMIN_CHANGE,
            outcome=Outcome.DONE,
            actor="System/ehr",
            role=Role.SYSTEM,
            target=f"Source/{source.slug}",
            detail={"change": change},
        )
    )


def _problems(source: Source) -> Iterator[str]:
    """What cannot be kept, each with the option that is wrong."""
    for name in LIMITS:
        if getattr(source, name) <= 0:
            yield f"--{name.replace('_', '-')} must be more than 0."
    other = Source.objects.filter(is_primary=True).exclude(pk=source.pk).first()
    if source.is_primary and other:
        yield f"{other.name} ({other.slug}) is the primary EHR, and there is only one. Leave out --primary."
    try:
        source.clean_fields(exclude=LIMITS)
        source.clean()
    except ValidationError as error:
        for name, words in error.message_dict.items():
            said = " ".join(words)
            yield said if name == NON_FIELD_ERRORS else f"{LABELS.get(name, name)}: {said}"


def _secret(source: Source, *, kept: bool) -> str:
    """The password, or the private key as a JWK; empty where the one that is kept stays.

    Raises CommandError where it can be neither.
    """
    secret = getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.read().strip()
    if not secret and not kept:
        raise CommandError("There is no secret on standard input. Nothing was kept.")
    if secret and source.auth == Source.Auth.SMART and not credentials.signs(secret):
        raise CommandError("The secret is no private JWK that signs by RS384 or ES384. Nothing was kept.")
    return secret
