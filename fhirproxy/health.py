"""Whether each EHR can be used, and if not, what is wrong and what cures it.

Found out in the background (`fhirproxy.tasks.check_sources`), and read by /status/: nobody who asks
for the page sends a request to an EHR.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec
import structlog
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

from audit.keeping import faults
from fhirproxy import upstream
from fhirproxy.messages import FhirRequest, Trouble, UpstreamUnavailable
from fhirproxy.models import Source
from fhirproxy.served import SERVED, TypeRule
from smart.resource_types import R4

KEPT = 600  # seconds; after that nobody knows
SLOW = 2.0  # seconds for a CapabilityStatement; people are told then to be patient
NOBODY = "chartkey-check"  # the id of the patient who is asked for
FHIR_VERSIONS = frozenset({"4.0.0", "4.0.1"})
UP, DOWN, UNKNOWN = "up", "down", "unknown"
CURES: Mapping[Trouble, str] = {
    Trouble.CONNECT: "Nobody answers at its address. Check base_url, the network and that it runs.",
    Trouble.TLS: "It does not speak TLS (https) at this address, or its certificate is not trusted. "
    "Check base_url and its port, and the certificate's issuer.",
    Trouble.TLS_OWN: "Its certificate is not trusted: it made it itself, or its issuer is not known here. "
    "It needs one of a known issuer, or SSL_CERT_FILE must name a file that has that issuer too.",
    Trouble.TLS_EXPIRED: "Its certificate is not trusted: it has expired, or is not valid yet. "
    "Ask its operators to renew it, and check this machine's clock.",
    Trouble.TLS_NAME: "Its certificate is not trusted: it is for another name. "
    "Set base_url to the name in the certificate, or ask its operators for one with this name.",
    Trouble.TIMEOUT: "It takes too long. Ask its operators; deadline and read_timeout can be raised.",
    Trouble.CUT_OFF: "It ends the connection before its answer. Ask its operators, and whoever runs proxies.",
    Trouble.TOO_LARGE: "Its answers are larger than max_bytes.",
    Trouble.NOT_FHIR: "What it answers is not FHIR JSON. Check that base_url is its FHIR base.",
    Trouble.REDIRECT: "It sends us elsewhere, and we do not go. Set base_url to the address it names.",
    Trouble.CREDENTIALS: "It does not take our credentials. Check auth, auth_id, the secret and token_url.",
    Trouble.BUSY: "As many requests as concurrency allows wait for it. Ask its operators why it is slow.",
    Trouble.RESTING: "It failed several times in a row, and is tried again within seconds.",
}
# What reading a statement that is none can raise.
MALFORMED = (ValueError, RecursionError, TypeError, AttributeError, KeyError)
log = structlog.get_logger("chartkey.upstream")


@dataclass(frozen=True, slots=True)
class Finding:
    """`problem` names the cure; both it and `types` are for staff. `at`: ISO 8601."""

    state: str
    problem: str = ""
    types: str = ""
    at: str = ""
    since: str = ""  # when it was first found in this state
    slow: bool = False


def check(source: Source) -> Finding:
    """Ask an EHR what it is, whether it lets us in, and how long that takes. Raises nothing."""
    start = time.monotonic()
    finding = _asked(source)
    return replace(finding, slow=finding.state == UP and time.monotonic() - start > SLOW)


def _asked(source: Source) -> Finding:
    try:
        answer = upstream.of(source).send(FhirRequest("GET", "metadata"))
        if answer.status != 200:
            words = f"GET metadata gave {answer.status}. Check base_url and our credentials."
            return _finding(source, [words])
        statement = msgspec.json.decode(answer.body, type=dict[str, Any])
        problems, types = lies(statement), " ".join(_searched(types_of(statement)))
        return _finding(source, problems or shut_out(source), types)
    except UpstreamUnavailable as error:
        return _finding(source, [source.problem() or CURES[error.trouble]])
    except MALFORMED:
        return _finding(source, [CURES[Trouble.NOT_FHIR]])


def shut_out(source: Source) -> list[str]:
    """Why it does not let us search, as sentences. Its statement is for everybody, a record is not.

    It is asked for a patient who does not exist. Raises UpstreamUnavailable.
    """
    status = upstream.of(source).send(FhirRequest("GET", "Patient", (("_id", NOBODY),))).status
    if status in (401, 403):
        return [f"A search of Patient gave {status}. Check what our client may do there (scope)."]
    if status >= 500:
        return [f"A search of Patient gave {status}. Ask its operators."]
    return []


def keep(source: Source) -> Finding:
    """Check an EHR, and keep what was found; what it has is kept with the source.

    A type that it names no more is still asked for, and its absence said: a page without allergies must not
    look like a record without them. Who sets the EHR up anew (`manage.py ehr`) takes the type out.
    """
    finding, before = check(source), kept(source)
    finding = replace(finding, since=before.since if before.state == finding.state else finding.at)
    cache.set(_key(source), asdict(finding), timeout=KEPT)
    types = " ".join(sorted({*source.types.split(), *finding.types.split()}))
    if finding.types and types != source.types:
        source.types = types
        source.save(update_fields=["types"])
    if (finding.state == DOWN) != (before.state == DOWN):
        faults.report(f"Source/{source.slug}", "ehr.no-answer", over=finding.state == UP)
    if finding.state != UP:
        log.error("upstream is not well", source=source.slug, reason=finding.problem)
    return finding


def kept(source: Source) -> Finding:
    try:
        found = cache.get(_key(source))
    except RedisError:
        found = None
    return Finding(**found) if found else Finding(UNKNOWN)


def findings() -> list[tuple[Source, Finding]]:
    """Each EHR, and what was found out last; the primary one first."""
    return [(source, kept(source)) for source in Source.objects.order_by("-is_primary", "slug")]


def _finding(source: Source, problems: Iterable[str], types: str = "") -> Finding:
    problem = " ".join(f"{source.name}: {problem}" for problem in problems)
    return Finding(DOWN if problem else UP, problem, types, timezone.now().isoformat(timespec="seconds"))


def codes_of(entry: Mapping[str, Any]) -> set[str]:
    """FHIR's codes of what can be done with a type."""
    return {interaction["code"] for interaction in entry.get("interaction", [])}


def _searched(types: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Types that can be asked for by patient: what others have of a record cannot be had."""
    return sorted(
        name
        for name, entry in types.items()
        if "search-type" in codes_of(entry) or not SERVED.get(name, TypeRule()).searchable
    )


def types_of(statement: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What it says it has, by type. Raises one of MALFORMED."""
    servers = [rest for rest in statement.get("rest", []) if rest.get("mode") == "server"]
    entries = [entry for rest in servers for entry in rest.get("resource", [])]
    return {entry["type"]: entry for entry in entries if entry["type"] in R4}


def said(source: Source) -> dict[str, Mapping[str, Any]]:
    """What it says of its types at this moment; nothing where it says none."""
    try:
        answer = upstream.of(source).send(FhirRequest("GET", "metadata"))
        return types_of(msgspec.json.decode(answer.body, type=dict[str, Any]))
    except (UpstreamUnavailable, *MALFORMED):
        return {}


def offers_export(source: Source) -> bool:
    """Whether it has a Bulk Data export of all its patients."""
    operations = said(source).get("Patient", {}).get("operation", [])
    return any(
        operation.get("name") in ("export", "patient-export")
        or str(operation.get("definition", "")).partition("|")[0].endswith("/patient-export")
        for operation in operations
    )


def lies(statement: Mapping[str, Any]) -> list[str]:
    """Why the EHR cannot be used by what it says of itself. Raises one of MALFORMED."""
    if statement.get("resourceType") != "CapabilityStatement":
        return [CURES[Trouble.NOT_FHIR]]
    problems = []
    if (version := str(statement.get("fhirVersion"))[:20]) not in FHIR_VERSIONS:
        problems.append(f"It speaks FHIR {version}, and we need 4.0.1. Set base_url to its R4 base.")
    codes = codes_of(types_of(statement).get("Patient", {}))
    if not {"read", "search-type"} <= codes:
        problems.append("It has no read and search of Patient. Check what our client may do there.")
    return problems


def _key(source: Source) -> str:
    return f"ehr-health:{source.slug}"
