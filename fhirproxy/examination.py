"""All that can be found out about an EHR before it is used, step by step, each with its cure.

For whoever sets one up (`manage.py ehr check`). It asks for a patient who does not exist, and so sees
nobody's record.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

from fhirproxy import health, upstream
from fhirproxy.messages import FhirRequest, FhirResponse, Trouble, UpstreamUnavailable
from fhirproxy.models import Source
from fhirproxy.served import RECORD, SERVED

NOT_HAD = frozenset({404, 405, 501})
CERTIFICATE = frozenset({Trouble.TLS, Trouble.TLS_OWN, Trouble.TLS_EXPIRED, Trouble.TLS_NAME})
STEPS: Mapping[Trouble, str] = {
    **dict.fromkeys(Trouble, "Answer"),
    Trouble.CONNECT: "Connection",
    Trouble.CREDENTIALS: "Sign-in",
    **dict.fromkeys(CERTIFICATE, "Certificate"),
}


class Mark(IntEnum):
    """The worst of an examination is the command's exit code."""

    OK = 0
    GAP = 1  # it can be used, and something is missing
    FAIL = 2  # it cannot be used


@dataclass(frozen=True, slots=True)
class Step:
    mark: Mark
    name: str
    words: str


def examine(source: Source) -> Iterator[Step]:
    """Ends with the first step that fails: what comes after it could not be known. Raises nothing."""
    if problem := source.problem():
        yield Step(Mark.FAIL, "Settings", problem)
        return
    try:
        statement = yield from _statement(source)
        if statement is not None and (yield from _sign_in(source)):
            yield from _types(statement)
            yield from _searches(statement)
            yield from _lies(source, statement)
    except UpstreamUnavailable as error:
        yield Step(Mark.FAIL, STEPS[error.trouble], health.CURES[error.trouble])


def _statement(source: Source) -> Generator[Step, None, dict[str, Any] | None]:
    """Yields what the EHR says of itself; returns it where it will do."""
    answer = _ask(source, "metadata")
    yield Step(Mark.OK, "Connection", _connected(source))
    if answer.status != 200:
        words = f"GET metadata gave {answer.status}. Check that base_url is its FHIR base."
        yield Step(Mark.FAIL, "CapabilityStatement", words)
        return None
    try:
        statement = msgspec.json.decode(answer.body, type=dict[str, Any])
        problems = health.lies(statement)
    except health.MALFORMED:
        statement, problems = {}, [health.CURES[Trouble.NOT_FHIR]]
    if problems:
        yield Step(Mark.FAIL, "CapabilityStatement", " ".join(problems))
        return None
    yield Step(Mark.OK, "CapabilityStatement", _summary(statement))
    return statement


def _connected(source: Source) -> str:
    if source.kind == Source.Kind.EMBEDDED:
        return "It is the server in this process."
    if source.base_url.startswith("https:"):
        return "It answers, and its certificate is trusted."
    return "It answers, without encryption (http). That is for this machine and EHR_PLAIN_HOSTS only."


def _sign_in(source: Source) -> Generator[Step, None, bool]:
    """Returns whether we are let in."""
    if problems := health.shut_out(source):
        yield Step(Mark.FAIL, "Sign-in", " ".join(problems))
        return False
    how = {
        Source.Auth.NONE: "It asks for none. Make sure that nobody but us can reach it.",
        Source.Auth.BASIC: "Name and password are taken.",
        Source.Auth.SMART: "A token is given, and taken.",
    }
    none_needed = source.kind == Source.Kind.EMBEDDED
    words = "Nobody else can reach it." if none_needed else how[Source.Auth(source.auth)]
    yield Step(Mark.OK, "Sign-in", words)
    return True


def _types(statement: Mapping[str, Any]) -> Iterator[Step]:
    has = health.types_of(statement)
    missing = sorted(set(SERVED) - set(has))
    if not missing:
        yield Step(Mark.OK, "Types", f"All {len(SERVED)} that we serve.")
        return
    words = (
        f"{len(SERVED) - len(missing)} of the {len(SERVED)} that we serve. Not there: {', '.join(missing)}."
    )
    yield Step(Mark.GAP, "Types", f"{words} Pages and apps get nothing of these from it.")


def _searches(statement: Mapping[str, Any]) -> Iterator[Step]:
    """By patient a search must be possible; by the rest, apps get 400 where it is not."""
    has = health.types_of(statement)
    gaps = []
    for kind in RECORD:
        said = {param["name"] for param in has.get(kind, {}).get("searchParam", [])}
        rule = SERVED[kind]
        if kind not in has:
            continue
        if rule.patient_param not in said:
            gaps.append(f"{kind} by {rule.patient_param} (nothing of this type can be shown)")
        elif missing := sorted(rule.search_params - said):
            gaps.append(f"{kind} by {', '.join(missing)}")
    if gaps:
        words = f"It does not say that it can search {'; '.join(gaps)}. Apps that ask for it get 400."
        yield Step(Mark.GAP, "Searches", words)
    else:
        yield Step(Mark.OK, "Searches", "By patient, and by everything that apps may ask for.")


def _lies(source: Source, statement: Mapping[str, Any]) -> Iterator[Step]:
    """Each type that it says it has is searched once."""
    wrong, refused = [], []
    for kind in RECORD:
        if "search-type" not in health.codes_of(health.types_of(statement).get(kind, {})):
            continue
        answer = _ask(source, kind, (SERVED[kind].patient_param, health.NOBODY), ("_count", "1"))
        if answer.status in NOT_HAD and kind != "Patient":
            wrong.append(kind)
        elif answer.status >= 400 and answer.status != 404:
            refused.append(f"{kind} ({answer.status})")
    if wrong:
        words = f"Its CapabilityStatement has {', '.join(wrong)}, and a search gives 404."
        yield Step(Mark.GAP, "Truth", f"{words} Ask its operators to correct it, or to switch the types on.")
    if refused:
        words = f"These searches by patient are refused: {', '.join(refused)}."
        yield Step(Mark.GAP, "Truth", f"{words} Check scope, and whether another --adapter fits it.")
    if not (wrong or refused):
        yield Step(Mark.OK, "Truth", "What it says it has can be searched.")


def _summary(statement: Mapping[str, Any]) -> str:
    software = statement.get("software")
    named = software if isinstance(software, dict) else {}
    make = " ".join(str(named[key])[:60] for key in ("name", "version") if named.get(key))
    count = len(health.types_of(statement))
    return f"FHIR {statement['fhirVersion']}, {make or 'it does not say what software it is'}, {count} types."


def _ask(source: Source, path: str, *query: tuple[str, str]) -> FhirResponse:
    """Raises UpstreamUnavailable."""
    return upstream.of(source).send(FhirRequest("GET", path, query))
