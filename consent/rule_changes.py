"""The rules that lie in files, held against those that a program last started with: a change is an event."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.utils import timezone

from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent.directives import FILE as DIRECTIVES
from consent.labels import VALUE_SETS
from consent.organisation import POLICIES, SCHEMA
from consent.vocabulary import JURISDICTIONS

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('consent.rules', 0))"
log = structlog.get_logger("chartkey.consent")


class RulesInForce(models.Model):
    """What the log last said of one set of rules."""

    name = models.CharField(max_length=40, primary_key=True)
    digest = models.CharField(max_length=16)
    since = models.DateTimeField(default=timezone.now)

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("name", "digest", "since")

    def __str__(self) -> str:
        return f"RulesInForce/{self.name}"


def digests() -> Mapping[str, str]:
    """SHA-256 of each set of rules, the first 16 hexadecimal digits, by the name that the log calls it.

    That of "organisation" is what permits name (`consent.organisation.policy_hash`).
    """
    files = {
        "organisation": [POLICIES, SCHEMA],
        "jurisdictions": [JURISDICTIONS],
        "directives": [DIRECTIVES],
        "value-sets": sorted(path for path in VALUE_SETS.rglob("*") if path.is_file()),
    }
    return {name: _digest(paths, OWN_WORDS.get(name, str)()) for name, paths in files.items()}


def note() -> None:
    """Write down what changed since a program last started. Programs that start together write it once."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ONE_AT_A_TIME)
        known = dict(RulesInForce.objects.values_list("name", "digest"))
        for name, digest in digests().items():
            if known.get(name) != digest:
                RulesInForce.objects.update_or_create(
                    name=name, defaults={"digest": digest, "since": timezone.now()}
                )
                _record(name, digest, known.get(name, ""))


def note_at_start() -> None:
    """For programs that serve. Without a database, or while the log is on hold, the next start notes it."""
    try:
        note()
    except DatabaseError as error:
        log.warning("could not look whether the rules have changed", reason=type(error).__name__)
    finally:
        connection.close()


def _record(name: str, digest: str, before: str) -> None:
    record(
        Entry(
            type=EventType.POLICY_CHANGE,
            outcome=Outcome.DONE,
            actor="System/start",
            role=Role.SYSTEM,
            target=f"Policy/{name}",
            detail={"digest": digest} | ({"before": before} if before else {}),
        )
    )


def _defaults_of_site() -> str:
    own = sorted(settings.DIRECTIVE_DEFAULTS.items())
    return repr(own) if own else ""


# What settings change of a set of rules.
OWN_WORDS: Mapping[str, Callable[[], str]] = {"directives": _defaults_of_site}


def _digest(paths: list[Path], own: str) -> str:
    parts = [*(path.read_bytes() for path in paths), own.encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]
