"""Look after changes on their way to an EHR (docs/runbooks): ids and codes, and nothing of a record."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from fhirproxy.models import WriteCommand
from fhirproxy.writes import dispatch, figures
from fhirproxy.writes.states import S, WrongState, move

STUCK = (S.APPROVED, S.SUBMITTING, S.UNKNOWN, S.FAILED, S.CONFLICT)
DAYS = 7


class Command(BaseCommand):
    help = "How many changes wait, where, and for how long; carry them on."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("waiting", help="counts by EHR and state, with the oldest")
        acts.add_parser("figures", help=f"how it went in the last {DAYS} days")
        listed = acts.add_parser("list", help="ids of what is on its way and not there")
        listed.add_argument("--source", default="", help="one EHR only")
        listed.add_argument("--consent", type=UUID, help="what rested on one consent, whatever its state")
        carry = acts.add_parser("carry-on", help="look for lost answers, and send what is approved, now")
        carry.add_argument("--source", default="", help="one EHR only")
        retry = acts.add_parser("retry", help="send again what an EHR refused, once the cause is mended")
        retry.add_argument("id", type=UUID)

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        getattr(self, f"_{act.replace('-', '_')}")(**options)

    def _waiting(self, **_: Any) -> None:
        now = timezone.now()
        for row in figures.waiting():
            age = str(now - row["oldest"]).partition(".")[0]
            self.stdout.write(f"{row['source_id']:20} {row['status']:16} {row['count']:6} oldest {age}")

    def _figures(self, **_: Any) -> None:
        now = timezone.now()
        found = figures.of(now - timedelta(days=DAYS), now)
        for name in found.__slots__:
            self.stdout.write(f"{name:14} {getattr(found, name)}")

    def _list(self, *, source: str, consent: UUID | None, **_: Any) -> None:
        rows = WriteCommand.objects.order_by("created_at").prefetch_related("events")
        rows = rows.filter(consent=consent) if consent else rows.filter(status__in=STUCK)
        for row in rows.filter(source=source) if source else rows:
            tries = sum(event.status == S.SUBMITTING for event in row.events.all())
            said = f"{row.id} {row.source_id} {row.resource_type} {row.status} {row.reason or '-'}"
            self.stdout.write(f"{said} tries {tries} since {row.created_at:%Y-%m-%dT%H:%MZ}")

    def _carry_on(self, *, source: str, **_: Any) -> None:
        """Sends nothing twice: `dispatch` decides that, whoever calls it, and looks at consent again."""
        rows = WriteCommand.objects.filter(status__in=(S.UNKNOWN, S.APPROVED)).order_by("created_at")
        for command in rows.filter(source=source) if source else rows:
            if command.status == S.UNKNOWN:
                command = dispatch.reconcile(command.id)
            if command.status == S.APPROVED:
                command = dispatch.send(command.id)
            self.stdout.write(f"{command.id} {command.status} {command.reason}".rstrip())

    def _retry(self, *, id: UUID, **_: Any) -> None:
        try:
            with transaction.atomic():
                command = WriteCommand.objects.select_for_update().get(id=id)
                if command.status != S.FAILED:
                    raise WrongState(f"it is {command.status}, and only what failed is tried again")
                move(command, S.APPROVED, by=None, reason="write.retried")
        except (WriteCommand.DoesNotExist, WrongState) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{id} {dispatch.send(id).status}")
