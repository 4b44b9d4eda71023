"""What waits for a clinician, in the order that they choose, and how much it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from accounts.models import Patient, User
from consent import emergencies
from fhirproxy import treating
from fhirproxy.models import WriteCommand, WriteEvent
from fhirproxy.writes import kinds, reviews
from portal.forms import PlainSelect

Status, Risk = WriteCommand.Status, WriteCommand.Risk
OPEN = (Status.AWAITING_REVIEW, Status.CONFLICT)
Rows = QuerySet[WriteCommand]
DAYS = timedelta(days=7)
SORTS: Mapping[str, tuple[Promise, tuple[str, ...]]] = {
    "risk": (pgettext_lazy("review.sort.risk", "Risk"), ("-risk", "created_at")),
    "age": (pgettext_lazy("review.sort.age", "Oldest first"), ("created_at",)),
    "new": (pgettext_lazy("review.sort.new", "Newest first"), ("-created_at",)),
    "patient": (pgettext_lazy("review.sort.patient", "Patient"), ("patient__name", "created_at")),
    "conflict": (
        pgettext_lazy("review.sort.conflict", "Conflicts first"),
        ("-status", "-risk", "created_at"),
    ),
}
RISK_WORDS: Mapping[int, Promise] = {
    Risk.HIGH: pgettext_lazy("review.risk.high", "High risk"),
    Risk.MEDIUM: pgettext_lazy("review.risk.medium", "Medium risk"),
    Risk.LOW: pgettext_lazy("review.risk.low", "Low risk"),
}
SHOWN: Mapping[str, tuple[Promise, Callable[[User], Q]]] = {
    "": (pgettext_lazy("review.show.all", "All"), lambda user: Q()),
    "mine": (pgettext_lazy("review.show.mine", "Passed on to me"), lambda user: Q(passed_to=user)),
    "high": (pgettext_lazy("review.show.high", "High risk"), lambda user: Q(risk=Risk.HIGH)),
    "conflict": (
        pgettext_lazy("review.show.conflict", "In conflict"),
        lambda user: Q(status=Status.CONFLICT),
    ),
    "second": (pgettext_lazy("review.show.second", "Waits for a second yes"), lambda user: _second()),
    "late": (
        pgettext_lazy("review.show.late", "Older than 2 days"),
        lambda user: Q(created_at__lt=timezone.now() - timedelta(days=2)),
    ),
}


def _second() -> Q:
    return Q(Exists(WriteEvent.objects.filter(command=OuterRef("pk"), reason=reviews.YES)))


class QueueForm(forms.Form):
    """What of the queue is shown, and in which order; a plain GET form."""

    show = forms.ChoiceField(
        label=pgettext_lazy("review.show", "Show"),
        required=False,
        widget=PlainSelect,
        choices=[(code, words) for code, (words, _) in SHOWN.items()],
    )
    sort = forms.ChoiceField(
        label=pgettext_lazy("review.sort", "Order"),
        required=False,
        widget=PlainSelect,
        choices=[(code, words) for code, (words, _) in SORTS.items()],
    )

    def of(self, rows: Rows, user: User) -> Rows:
        """`rows` as chosen; what is no choice counts as none."""
        chosen = self.cleaned_data if self.is_valid() else {}
        show, sort = chosen.get("show", ""), chosen.get("sort") or "risk"
        return rows.filter(SHOWN[show][1](user)).order_by(*SORTS[sort][1], "id")


@dataclass(frozen=True, slots=True)
class Figures:
    """How much waits, how long the oldest has, and what was done in the last 7 days."""

    waiting: int
    high: int
    conflicts: int
    oldest_at: datetime | None
    done: int
    done_by_me: int


def waiting(user: User) -> Rows:
    """Proposals of the patients whom this clinician treats; what was passed on to somebody else is theirs."""
    rows = WriteCommand.objects.filter(status__in=OPEN, patient__in=treating.patients_of(user))
    theirs = Q(passed_to=None) | Q(passed_to=user) | Q(status=Status.CONFLICT)
    return rows.filter(theirs).select_related("patient").prefetch_related("events")


def waits_behind_a_reason(user: User) -> bool:
    """Whether something waits in a watched record that this clinician would open with a reason first."""
    watched = Patient.objects.filter(watched_since__isnull=False, write_commands__status__in=OPEN)
    shut = watched.exclude(pk__in=emergencies.opened_by(user)).exclude(user=user).distinct()
    return any(treating.is_known_to_treat(user, patient) for patient in shut)


def figures(user: User, rows: Rows) -> Figures:
    lately = WriteEvent.objects.filter(
        command__patient__in=treating.patients_of(user),
        at__gte=timezone.now() - DAYS,
        status__in=(Status.APPROVED, Status.SENT_BACK, Status.REJECTED),
        by__isnull=False,
    ).exclude(command__reviewer=None)
    return Figures(
        waiting=rows.count(),
        high=rows.filter(risk=Risk.HIGH).count(),
        conflicts=rows.filter(status=Status.CONFLICT).count(),
        oldest_at=rows.aggregate(first=Min("created_at"))["first"],
        done=lately.count(),
        done_by_me=lately.filter(by=user).count(),
    )


def following(user: User, after: WriteCommand) -> WriteCommand | None:
    """The next to look at: by risk, then the oldest."""
    rows = waiting(user).exclude(pk=after.pk)
    return rows.exclude(events__by=user, events__reason=reviews.YES).order_by("-risk", "created_at").first()


def may_go_in_bulk(command: WriteCommand) -> bool:
    """Only what the table calls low risk, that waits for one yes, and that changes nothing that is there."""
    kind = kinds.named(command.kind)
    return (
        command.status == Status.AWAITING_REVIEW
        and command.risk == Risk.LOW
        and not command.target
        and kind is not None
        and kind.bulk
        and kind.looks == 1
    )
