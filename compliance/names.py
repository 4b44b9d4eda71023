"""Names for the references that the log keeps."""

from collections.abc import Iterable, Mapping

from accounts.models import User
from audit.models import AuditEvent
from exports.models import HealthLinkOpening
from smart.models import Client


def names_of(events: Iterable[AuditEvent]) -> Mapping[str, str]:
    """ "User/…" and "Client/…" → the name to show; two queries, whatever the number of events, and one more
    where somebody opened a link: their name is what they said."""
    events = list(events)
    about = (str(e.detail.get("about", "")) for e in events)  # a helper, of what became of their help
    references = {*about, *(r for e in events for r in (e.actor, e.on_behalf_of, e.client) if r)}
    users = [r.removeprefix("User/") for r in references if r.startswith("User/") and len(r) == 41]
    clients = [r.removeprefix("Client/") for r in references if r.startswith("Client/")]
    names = {f"User/{pk}": name for pk, name in User.objects.filter(pk__in=users).values_list("pk", "name")}
    rows = Client.objects.filter(client_id__in=clients).values_list("client_id", "name")
    return names | {f"Client/{client_id}": name for client_id, name in rows} | _said_by(references)


def _said_by(references: Iterable[str]) -> dict[str, str]:
    kind = "HealthLinkOpening/"
    openings = [r.removeprefix(kind) for r in references if r.startswith(kind)]
    if not openings:
        return {}
    rows = HealthLinkOpening.objects.filter(pk__in=openings).values_list("pk", "recipient")
    return {f"{kind}{pk}": said for pk, said in rows}
