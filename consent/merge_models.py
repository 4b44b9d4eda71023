"""That two accounts are thought to be one person's, and what became of it."""

import uuid
from collections.abc import Mapping
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

OPEN = ("proposed", "half", "agreed")


class MergeProposal(models.Model):
    """It changes by `consent.merge_proposals` only."""

    class Status(models.TextChoices):
        PROPOSED = "proposed"
        HALF = "half"  # one of the two accounts said yes
        AGREED = "agreed"  # both: it is made at `due_at`
        DONE = "done"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kept = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="+")
    merged = models.ForeignKey("accounts.Patient", models.PROTECT, related_name="+")  # whose account closes
    status = models.CharField(max_length=8, choices=Status, default=Status.PROPOSED)
    why = models.CharField(max_length=12, blank=True)  # the last `Step`
    evidence = models.CharField(max_length=200)
    reason = models.CharField(max_length=200)
    proposed_at = models.DateTimeField(default=timezone.now)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    kept_yes_at = models.DateTimeField(null=True)
    other_yes_at = models.DateTimeField(null=True)
    seconded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    due_at = models.DateTimeField(null=True)

    class Phi:
        fields = ("evidence", "reason")
        safe = (
            *("id", "kept", "merged", "status", "why", "proposed_at", "proposed_by"),
            *("kept_yes_at", "other_yes_at", "seconded_by", "due_at"),
        )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(kept=F("merged")), name="merge_is_of_two"),
            models.UniqueConstraint(
                fields=["merged"], condition=Q(status__in=OPEN), name="one_open_merge_of_a_patient"
            ),
            models.CheckConstraint(
                condition=~Q(status="agreed")
                | Q(kept_yes_at__isnull=False, other_yes_at__isnull=False, due_at__isnull=False),
                name="agreed_merge_has_two_yeses",
            ),
        ]

    def __str__(self) -> str:
        return f"MergeProposal/{self.id}"


class Step(StrEnum):
    """Why it became what it is. Values are kept in the log: never rename one."""

    KEPT_YES = "kept-yes"  # by the account that stays
    OTHER_YES = "other-yes"  # by the one that closes
    SECONDED = "seconded"  # by a second member of staff, where nobody signs in to that one any more
    NO = "no"  # by either account, also after a yes
    WITHDRAWN = "withdrawn"  # by staff
    LATE = "late"  # nobody answered in time
    CANNOT = "cannot"  # what held when it was proposed holds no more
    MADE = "made"


S = MergeProposal.Status
STOPS = {Step.NO: S.STOPPED, Step.WITHDRAWN: S.STOPPED, Step.CANNOT: S.STOPPED}
YES = (Step.KEPT_YES, Step.OTHER_YES, Step.SECONDED)
# From a state, for a reason, to a state. What is not here cannot happen.
TRANSITIONS: Mapping[S, Mapping[Step, S]] = {
    S.PROPOSED: {**dict.fromkeys(YES, S.HALF), **STOPS, Step.LATE: S.STOPPED},
    S.HALF: {**dict.fromkeys(YES, S.AGREED), **STOPS, Step.LATE: S.STOPPED},
    S.AGREED: {**STOPS, Step.MADE: S.DONE},
    S.DONE: {},
    S.STOPPED: {},
}


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/staff.md."""
    lines = ["stateDiagram-v2", "    [*] --> proposed"]
    for now, following in TRANSITIONS.items():
        for then in sorted(set(following.values())):
            steps = ", ".join(sorted(step for step, state in following.items() if state == then))
            lines.append(f"    {now} --> {then}: {steps}")
        if not following:
            lines.append(f"    {now} --> [*]")
    return "\n".join(lines)
