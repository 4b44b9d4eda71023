"""The value sets that a site has loaded, in numbered releases that never change.

A release is whole: it holds all that was loaded before, but for the sets that it brings anew. So
"by which codes was this labelled" is one number, and 0 stands for the starter set alone.
"""

from functools import lru_cache

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.models import Max
from django.utils import timezone

from audit.events import EventType, Outcome, Role
from audit.log import Entry, record
from consent.labels import Codes, merged, starter_codes
from consent.valueset_files import Loaded

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('consent.valuesets', 0))"
CARRIED_OVER = """
INSERT INTO consent_labelledcode (release_id, value_set, system, code, labels)
SELECT %s, value_set, system, code, labels FROM consent_labelledcode
 WHERE release_id = %s AND NOT value_set = ANY(%s)
"""


class ValueSetRelease(models.Model):
    """One load. Its id is the number of the release."""

    loaded_at = models.DateTimeField(default=timezone.now)
    loaded_by = models.CharField(max_length=200)  # as audit rows write it: "System/console"
    files = models.JSONField()  # [{"name", "sha256"}] of what was loaded
    entries = models.PositiveIntegerField()  # codes in it, with those that came from the release before

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "loaded_at", "loaded_by", "files", "entries")

    def __str__(self) -> str:
        return f"ValueSetRelease/{self.pk}"


class LabelledCode(models.Model):
    """One code of one value set in one release, and the labels that it gives."""

    release = models.ForeignKey(ValueSetRelease, models.PROTECT, related_name="codes")
    value_set = models.TextField()  # canonical url
    system = models.TextField()
    code = models.TextField()
    labels = ArrayField(models.TextField())

    class Phi:
        fields: tuple[str, ...] = ()
        safe = ("id", "release", "value_set", "system", "code", "labels")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["release", "value_set", "system", "code"], name="a_code_once_in_a_set"
            )
        ]

    def __str__(self) -> str:
        return f"{self.system}|{self.code}"


def current_release() -> int:
    """The number of the newest release; 0 where nothing was loaded."""
    return ValueSetRelease.objects.aggregate(newest=Max("id"))["newest"] or 0


def codes(release: int) -> Codes:
    """The starter set with what that release added. Read from the database once in a process.

    Raises ValueSetRelease.DoesNotExist, and IncompleteRelease where codes are missing: no labels are
    better than few.
    """
    return _codes(release, settings.JURISDICTION)


class IncompleteRelease(RuntimeError):
    """The database has fewer codes of a release than were loaded."""


@lru_cache(maxsize=4)
def _codes(release: int, jurisdiction: str) -> Codes:
    starter = starter_codes(jurisdiction)
    if release == 0:
        return starter
    rows = list(LabelledCode.objects.filter(release=release).values_list("system", "code", "labels"))
    if len(rows) != ValueSetRelease.objects.get(id=release).entries:
        raise IncompleteRelease(f"ValueSetRelease/{release}")
    return merged(rows, starter)


@transaction.atomic
def load(loaded: Loaded, *, by: str) -> ValueSetRelease:
    """A new release: the usable sets of the files, and all other sets of the release before. Nothing is
    written where anything fails. `by` is who loads, as audit rows write it."""
    sets = [one for one in loaded.sets if one.usable]
    with connection.cursor() as cursor:
        cursor.execute(ONE_AT_A_TIME)
        before = current_release()
        release = ValueSetRelease.objects.create(loaded_by=by, files=list(loaded.files), entries=0)
        cursor.execute(CARRIED_OVER, [release.pk, before, [one.url for one in sets]])
    LabelledCode.objects.bulk_create(
        (
            LabelledCode(
                release=release, value_set=one.url, system=system, code=code, labels=sorted(one.labels)
            )
            for one in sets
            for system, code in sorted(one.codes)
        ),
        batch_size=1000,
    )
    release.entries = release.codes.count()
    release.save(update_fields=["entries"])
    record(
        Entry(
            type=EventType.VALUESETS_CHANGE,
            outcome=Outcome.DONE,
            actor=by,
            role=Role.SYSTEM,
            target=f"ValueSetRelease/{release.pk}",
            count=release.entries,
            detail={"sets": len(sets)},
        )
    )
    return release
