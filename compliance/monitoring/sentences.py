"""Why an alert was raised, in one sentence, and against which baseline."""

from collections.abc import Iterable, Mapping

from django.utils import timezone

from accounts.models import User
from compliance.monitoring.detectors import Against, table
from compliance.monitoring.measures import BY_HOUR
from compliance.monitoring.models import Alert
from smart.models import Client

BASELINES: Mapping[str, str] = {
    Against.OWN: "Usual for them: {mean} ({windows} windows); the limit is {limit}.",
    Against.PEERS: "They have no baseline yet; usual for others of the kind: {mean} ({windows} windows); "
    "the limit is {limit}.",
    Against.NOTHING: "There is no baseline yet; without one the limit is {limit}.",
    Against.RULE: "This needs no baseline.",
}


def why(alert: Alert, names: Mapping[str, str]) -> str:
    """`names` are those of `names_of`; a reference without one stands as it is."""
    detector = table().get(alert.detector)
    if detector is None:
        return f"The detector {alert.detector} is not in the table any more."
    at = timezone.localtime(alert.starts_at)
    said = detector.says.format(
        who=names.get(alert.subject, alert.subject),
        about=names.get(alert.about, alert.about.removeprefix("Network/")),
        count=f"{alert.count:,}",
        when=f"{at:%Y-%m-%d %H:%M}" if detector.measure in {*BY_HOUR, ""} else f"{at:%Y-%m-%d}",
    )
    mean = f"{alert.mean:,.1f}" if alert.mean < 10 else f"{alert.mean:,.0f}"
    baseline = BASELINES[Against(alert.against)]
    if detector.how == "hours":
        baseline = "Of {windows} working hours that are known, hardly any was at this time of the week."
    return f"{said} {baseline.format(mean=mean, windows=f'{alert.windows:,}', limit=f'{alert.limit:,}')}"


def names_of(alerts: Iterable[Alert]) -> dict[str, str]:
    """Names of staff, helpers and apps; patients stay references. Two statements."""
    subjects = {alert.subject for alert in alerts}
    users = [s.removeprefix("User/") for s in subjects if s.startswith("User/") and len(s) == 41]
    clients = [s.removeprefix("Client/") for s in subjects if s.startswith("Client/")]
    people = User.objects.filter(pk__in=users).values_list("pk", "name")
    apps = Client.objects.filter(client_id__in=clients).values_list("client_id", "name")
    return {f"User/{pk}": name for pk, name in people} | {f"Client/{pk}": name for pk, name in apps}
